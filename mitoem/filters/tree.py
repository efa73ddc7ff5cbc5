"""The frozen tree of a filter expression; ``str`` of a node is its canonical text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from mitoem.errors import FilterInvalid

Literal: TypeAlias = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Column:
    """A column by name; alone, it must be one of yes and no. ``at`` is its place in the text."""

    name: str
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Value:
    """A number, a word or a truth value."""

    value: Literal

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return '"' + self.value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return str(self.value).lower() if isinstance(self.value, bool) else repr(self.value)


@dataclass(frozen=True, slots=True)
class Compare:
    """``operands`` with ``signs`` between them, all of which must hold: ``1 < a <= b``."""

    operands: tuple[Column | Value, ...]
    signs: tuple[str, ...]

    def __str__(self) -> str:
        pairs = zip(self.signs, self.operands[1:], strict=True)
        return str(self.operands[0]) + "".join(f" {sign} {operand}" for sign, operand in pairs)


@dataclass(frozen=True, slots=True)
class Member:
    """Whether a column's value is one of the listed ones, or none of them."""

    column: Column
    values: tuple[Value, ...]
    negated: bool

    def __str__(self) -> str:
        listed = ", ".join(str(value) for value in self.values)
        return f"{self.column} {'not in' if self.negated else 'in'} ({listed})"


@dataclass(frozen=True, slots=True)
class Not:
    """The rows that ``part`` leaves out."""

    part: Node

    def __str__(self) -> str:
        return f"not ({self.part})" if isinstance(self.part, Every | Some) else f"not {self.part}"


@dataclass(frozen=True, slots=True)
class Every:
    """The rows that all parts keep: ``and``."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " and ".join(f"({p})" if isinstance(p, Some) else str(p) for p in self.parts)


@dataclass(frozen=True, slots=True)
class Some:
    """The rows that at least one part keeps: ``or``."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " or ".join(str(part) for part in self.parts)


Node: TypeAlias = Column | Compare | Member | Not | Every | Some


def columns(node: Node | Value | None) -> Iterator[Column]:
    """The columns that a tree names, in the order of the text."""
    match node:
        case Column():
            yield node
        case Compare():
            for operand in node.operands:
                yield from columns(operand)
        case Member():
            yield node.column
        case Not():
            yield from columns(node.part)
        case Every() | Some():
            for part in node.parts:
                yield from columns(part)


def kind_of(value: Literal) -> str:
    """What a value is, in the words of the error messages."""
    if isinstance(value, bool):
        return "yes or no"
    return "a word" if isinstance(value, str) else "a number"


def invalid(at: int, message: str) -> FilterInvalid:
    """The error for a mistake at this place of the text, counted from 0."""
    line = " ".join(message.split())
    line = line if len(line) <= 160 else line[:159] + "…"
    return FilterInvalid(f"filter, character {at + 1}: {line}")
