"""The table expression language: ``volume_um3 > 0.05 and not touches_border``.

Columns, numbers, quoted words, ``true`` and ``false``, comparisons (chained as in Python), ``in``
and ``not in`` with a list, ``and``, ``or``, ``not`` and parentheses. Text is parsed into a small
frozen tree and compared by numpy; nothing is ever evaluated, called, indexed or looked up.
A blank (NaN, NA) compares false, with ``!=`` and ``not in`` too; ``not`` turns what it stands
before around, so ``not length_um > 1`` keeps what was not measured and ``length_um <= 1`` does not.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from mitoem.errors import FilterInvalid
from mitoem.filters.parser import MAX_DEPTH, MAX_LENGTH, read
from mitoem.filters.tree import (
    Column,
    Compare,
    Every,
    Member,
    Node,
    Not,
    Some,
    Value,
    invalid,
    kind_of,
)
from mitoem.filters.tree import columns as named

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "Filter", "Mask", "parse"]

Mask: TypeAlias = npt.NDArray[np.bool_]

_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed expression; ``root`` None keeps every row. ``str`` gives its canonical text."""

    root: Node | None

    def __str__(self) -> str:
        return "" if self.root is None else str(self.root)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names that it uses, sorted."""
        return tuple(sorted({column.name for column in named(self.root)}))

    @property
    def terms(self) -> tuple[Filter, ...]:
        """The parts that must all hold, as filters of their own; none where every row is kept.

        >>> [str(term) for term in parse("a > 1 and (b < 2 or c)").terms]
        ['a > 1', 'b < 2 or c']
        """
        if isinstance(self.root, Every):
            return tuple(Filter(part) for part in self.root.parts)
        return (self,) if self.root is not None else ()

    def __and__(self, other: Filter) -> Filter:
        """What both keep."""
        return _all_of([*self.terms, *other.terms])

    def without(self, number: int) -> Filter:
        """The same less its term of that number."""
        terms = self.terms
        return _all_of([*terms[:number], *terms[number + 1 :]])

    def ranged(self, column: str, low: float | None, high: float | None) -> Filter:
        """With this range of a column, ends included, instead of any that bounds it now.

        None leaves an end open.

        >>> str(parse("1 <= a <= 9 and b == 2").ranged("a", 3, 4))
        'b == 2 and 3 <= a <= 4'
        >>> str(parse("1 <= a <= 9").ranged("a", 3, None))
        'a >= 3'
        """
        of = Column(column)
        if low is not None and high is not None:
            return self.unbounded(column) & Filter(
                Compare((Value(low), of, Value(high)), ("<=", "<="))
            )
        kept = self.unbounded(column)
        if low is not None:
            kept &= Filter(Compare((of, Value(low)), (">=",)))
        if high is not None:
            kept &= Filter(Compare((of, Value(high)), ("<=",)))
        return kept

    def unbounded(self, column: str) -> Filter:
        """Without the terms that do nothing but bound a column by numbers."""
        return _all_of([term for term in self.terms if not _bounds(term.root, column)])

    def check(self, columns: Iterable[str]) -> Filter:
        """The filter itself; raises FilterInvalid, with the nearest names, for an unknown one."""
        known = [str(name) for name in columns]
        for column in named(self.root):
            if column.name not in known:
                near = difflib.get_close_matches(column.name, known, n=3, cutoff=0.6)
                hint = f"did you mean {' or '.join(near)}" if near else "words stand in quotes"
                raise invalid(column.at, f"there is no column {column.name!r}; {hint}")
        return self

    def apply(self, frame: pd.DataFrame) -> Mask:
        """One truth value per row of ``frame``.

        Raises FilterInvalid for an unknown column, and for a comparison between kinds, such as
        a number with a word.
        """
        self.check(frame.columns)
        return np.ones(len(frame), bool) if self.root is None else _mask(self.root, frame)


def parse(text: str) -> Filter:
    """Read an expression; empty text keeps every row.

    Raises FilterInvalid with the place of the mistake and what to write instead.

    >>> str(parse("(volume_um3>.05) and not touches_border and split=='train'"))
    'volume_um3 > 0.05 and not touches_border and split == "train"'
    """
    found = Filter(read(text))
    if (length := len(str(found))) > MAX_LENGTH:
        raise FilterInvalid(f"a filter has at most {MAX_LENGTH} characters, not {length}")
    return found


def _all_of(terms: Sequence[Filter]) -> Filter:
    """What every term keeps."""
    parts = tuple(term.root for term in terms if term.root is not None)
    return Filter(Every(parts) if len(parts) > 1 else parts[0] if parts else None)


def _bounds(node: Node | None, column: str) -> bool:
    """Whether a term does nothing but bound this column by numbers."""
    if not isinstance(node, Compare) or set(node.signs) - {"<", "<=", ">", ">="}:
        return False
    operands = [one.name if isinstance(one, Column) else one for one in node.operands]
    return column in operands and all(
        one == column or (isinstance(one, Value) and kind_of(one.value) == "a number")
        for one in operands
    )


class _Series(NamedTuple):
    name: str
    kind: str
    values: Any
    present: Any
    at: int | None


def _series(operand: Column | Value, frame: pd.DataFrame) -> _Series:
    """Values of one kind and which of them are not blank, of one row or of as many as the frame."""
    if isinstance(operand, Value):
        return _Series(str(operand), kind_of(operand.value), operand.value, True, None)
    column = frame[operand.name]
    present = column.notna().to_numpy(bool)
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    values: npt.NDArray[Any]
    if inferred == "boolean":
        values = np.where(present, column.astype(object).to_numpy(), False).astype(bool)
        return _Series(operand.name, "yes or no", values, present, operand.at)
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(np.float64, na_value=np.nan)
        return _Series(operand.name, "a number", values, present, operand.at)
    if not present.any():
        return _Series(operand.name, "blank", present, present, operand.at)
    values = np.where(present, column.astype(object).to_numpy(), "").astype(str)
    return _Series(operand.name, "a word", values, present, operand.at)


def _mask(node: Node, frame: pd.DataFrame) -> Mask:
    match node:
        case Column():
            one = _series(node, frame)
            if one.kind not in ("yes or no", "blank"):
                raise invalid(node.at, f"{node} is {one.kind}; compare it with something")
            return np.asarray(one.values & one.present, bool)
        case Compare():
            series = [_series(operand, frame) for operand in node.operands]
            pairs = zip(node.signs, series, series[1:], strict=False)
            mask = np.ones(len(frame), bool)
            for sign, left, right in pairs:
                mask &= _compared(sign, left, right)
            return mask
        case Member():
            one = _series(node.column, frame)
            mask = np.zeros(len(frame), bool)
            for value in node.values:
                mask |= _compared("==", one, _series(value, frame))
            return np.asarray((mask != node.negated) & one.present, bool)
        case Not():
            return ~_mask(node.part, frame)
        case Every():
            return np.asarray(np.all([_mask(part, frame) for part in node.parts], axis=0), bool)
        case Some():
            return np.asarray(np.any([_mask(part, frame) for part in node.parts], axis=0), bool)


def _compared(sign: str, left: _Series, right: _Series) -> Mask:
    if "blank" in (left.kind, right.kind):
        return np.zeros(np.broadcast_shapes(np.shape(left.values), np.shape(right.values)), bool)
    at = (right.at if left.at is None else left.at) or 0
    if left.kind != right.kind:
        raise invalid(
            at, f"{left.name} is {left.kind} and {right.name} is {right.kind}: not comparable"
        )
    if left.kind != "a number" and sign not in ("==", "!="):
        raise invalid(at, f"{left.name} {sign} {right.name}: only numbers are smaller or larger")
    return np.asarray(_SIGNS[sign](left.values, right.values) & left.present & right.present, bool)
