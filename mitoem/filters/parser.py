"""Text of a filter expression -> tree, by recursive descent."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from mitoem.errors import FilterInvalid
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

MAX_LENGTH: Final = 2000
"""Characters that an expression may have, as it was written and in its canonical text."""

MAX_DEPTH: Final = 30
"""Parentheses and ``not`` that may be nested."""


def read(text: str) -> Node | None:
    """The tree of an expression, None for empty text; raises FilterInvalid."""
    if len(text) > MAX_LENGTH:
        raise FilterInvalid(f"a filter has at most {MAX_LENGTH} characters, not {len(text)}")
    parser = _Parser(_tokens(text))
    if parser.next.kind == "end":
        return None
    root = parser.either(0)
    if parser.next.kind != "end":
        raise parser.unexpected("and, or, or the end")
    return root


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<sign>==|!=|<=|>=|<|>)"
    r"|(?P<mark>[(),\[\]-])",
    re.DOTALL,
)
_KEYWORDS = ("and", "or", "not", "in")
_TRUTHS: Mapping[str, bool] = {"true": True, "True": True, "false": False, "False": False}
_HINTS: Mapping[str, str] = {
    "=": "compare with ==",
    "&": "write and",
    "|": "write or",
    "!": "write not, or != between values",
    ".": "attributes cannot be read",
    "(": "functions cannot be called",
    "[": "columns cannot be indexed",
    '"': "the quote does not end",
    "'": "the quote does not end",
    **dict.fromkeys("+-*/%^~@", "filters do not calculate"),
}


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            hint = _HINTS.get(text[at], "expected a column, a number or a word in quotes")
            raise invalid(at, f"{text[at]!r} is not understood; {hint}")
        tokens.append(_Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    return [*tokens, _Token("end", "the end", len(text))]


class _Parser:
    """Recursive descent: either → both → negation → comparison → operand."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.place = 0

    @property
    def next(self) -> _Token:
        return self.tokens[self.place]

    def take(self, *texts: str) -> _Token | None:
        """The next token, passed over, when it is one of these signs or words."""
        token = self.next
        if token.kind == "string" or token.text not in texts:
            return None
        self.place += 1
        return token

    def unexpected(self, expected: str) -> FilterInvalid:
        token = self.next
        hint = _HINTS.get(token.text, f"expected {expected}")
        return invalid(token.at, f"{token.text!r} cannot stand here; {hint}")

    def either(self, depth: int) -> Node:
        parts = [self.both(depth)]
        while self.take("or"):
            parts.append(self.both(depth))
        flat = [one for part in parts for one in (part.parts if isinstance(part, Some) else [part])]
        return flat[0] if len(flat) == 1 else Some(tuple(flat))

    def both(self, depth: int) -> Node:
        parts = [self.negation(depth)]
        while self.take("and"):
            parts.append(self.negation(depth))
        flat = [
            one for part in parts for one in (part.parts if isinstance(part, Every) else [part])
        ]
        return flat[0] if len(flat) == 1 else Every(tuple(flat))

    def negation(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise invalid(self.next.at, f"nested deeper than {MAX_DEPTH}")
        if self.take("not"):
            return Not(self.negation(depth + 1))
        if self.take("("):
            inner = self.either(depth + 1)
            if not self.take(")"):
                raise self.unexpected("a closing parenthesis")
            return inner
        return self.comparison()

    def comparison(self) -> Node:
        at = self.next.at
        operands, signs = [self.operand()], []
        while self.next.kind == "sign":
            signs.append(self.next.text)
            self.place += 1
            operands.append(self.operand())
        first = operands[0]
        if signs:
            if not any(isinstance(operand, Column) for operand in operands):
                raise invalid(at, "a comparison needs a column")
            return Compare(tuple(operands), tuple(signs))
        if not isinstance(first, Column):
            raise invalid(at, f"{first} alone says nothing; compare it with a column")
        negated = self.take("not") is not None
        if self.take("in"):
            return Member(first, self.listed(), negated)
        if negated:
            raise self.unexpected("in, after not")
        return first

    def listed(self) -> tuple[Value, ...]:
        opening = self.take("(", "[")
        if opening is None:
            raise self.unexpected('a list such as ("train", "validation")')
        closing = ")" if opening.text == "(" else "]"
        values: list[Value] = []
        while not self.take(closing):
            at, value = self.next.at, self.operand()
            if isinstance(value, Column):
                raise invalid(at, f"{value} is no number or word; words stand in quotes")
            values.append(value)
            if not self.take(",") and self.next.text != closing:
                raise self.unexpected(f", or {closing}")
        if len({kind_of(value.value) for value in values}) != 1:
            raise invalid(opening.at, "a list holds values of one kind, at least one")
        return tuple(values)

    def operand(self) -> Column | Value:
        negative = self.take("-") is not None
        token = self.next
        if token.kind == "number":
            self.place += 1
            return Value(_number(token, -1 if negative else 1))
        if negative or token.kind not in ("word", "string") or token.text in _KEYWORDS:
            raise self.unexpected("a number" if negative else "a column, a number or a quoted word")
        self.place += 1
        if token.kind == "string":
            return Value(re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL))
        if token.text in _TRUTHS:
            return Value(_TRUTHS[token.text])
        return Column(token.text, token.at)


def _number(token: _Token, sign: int) -> int | float:
    value = sign * float(token.text)
    if not math.isfinite(value):
        raise invalid(token.at, f"{token.text} is not a finite number")
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
