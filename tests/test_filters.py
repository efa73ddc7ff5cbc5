from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mitoem.errors import FilterInvalid, MitoEMError
from mitoem.filters import Filter, parse
from mitoem.filters.tree import Column, Compare, Every, Member, Node, Not, Some, Value
from mitoem.ui.filtering import outwards

FRAME = pd.DataFrame(
    {
        "instance_id": np.array([1, 2, 3, 4, 4_000_000_000], np.int64),
        "volume_um3": [0.01, 0.1, np.nan, 0.3, 0.5],
        "length_um": [1.0, 2.0, 3.0, np.nan, 0.25],
        "touches_border": [True, False, False, True, False],
        "split": ["train", "train", "validation", None, "none"],
        "unmeasured": [None] * 5,
    }
)

numbers = st.one_of(
    st.integers(-(2**52), 2**52), st.floats(allow_nan=False, allow_infinity=False)
).map(Value)
words = st.text(max_size=8).map(Value)
numeric = st.sampled_from(["instance_id", "volume_um3", "length_um"]).map(Column)
signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
comparisons: st.SearchStrategy[Node] = st.one_of(
    st.builds(
        lambda a, s, b, t, c: Compare((a, b, c), (s, t)), numbers, signs, numeric, signs, numeric
    ),
    st.builds(lambda a, s, b: Compare((a, b), (s,)), numeric, signs, numbers),
    st.builds(Member, numeric, st.lists(numbers, min_size=1, max_size=3).map(tuple), st.booleans()),
    st.builds(
        Member,
        st.just(Column("split")),
        st.lists(words, min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
    st.just(Column("touches_border")),
)


def joined(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, min_size=2, max_size=3)
    return st.one_of(
        nodes.map(Not),
        several.map(lambda parts: Every(tuple(p for p in flat(parts, Every)))),
        several.map(lambda parts: Some(tuple(p for p in flat(parts, Some)))),
    )


def flat(parts: list[Node], kind: type[Every] | type[Some]) -> list[Node]:
    return [one for p in parts for one in (p.parts if isinstance(p, kind) else [p])]


trees = st.recursive(comparisons, joined, max_leaves=8)


@settings(deadline=None, max_examples=150)
@given(trees)
def test_the_text_of_a_tree_parses_to_the_same_tree(tree: Node) -> None:
    text = str(tree)
    if len(text) <= 1000:
        again = parse(text)
        assert again.root == tree
        assert str(parse(str(again))) == str(again)


@settings(deadline=None, max_examples=150)
@given(trees)
def test_a_tree_keeps_the_rows_that_plain_python_keeps(tree: Node) -> None:
    text = str(tree)
    if len(text) <= 1000:
        expected = [holds(tree, row) for row in FRAME.to_dict("records")]
        assert parse(text).apply(FRAME).tolist() == expected


def holds(node: Node, row: dict[Any, Any]) -> bool:
    """The slow and obvious reading of an expression, one row at a time."""
    look = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le}
    look |= {">": operator.gt, ">=": operator.ge}
    match node:
        case Column():
            return bool(row[node.name])
        case Not():
            return not holds(node.part, row)
        case Every():
            return all(holds(part, row) for part in node.parts)
        case Some():
            return any(holds(part, row) for part in node.parts)
        case Member():
            found = row[node.column.name]
            listed = found in [value.value for value in node.values]
            return not pd.isna(found) and listed != node.negated
        case Compare():
            found = [row[o.name] if isinstance(o, Column) else o.value for o in node.operands]
            steps = zip(node.signs, found, found[1:], strict=False)
            return not any(pd.isna(one) for one in found) and all(
                look[sign](a, b) for sign, a, b in steps
            )


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="volume_um3 split<>=!()[]'\"andornt.,-+*0123456789é\n", max_size=40))
def test_any_text_parses_or_is_refused_by_name(text: str) -> None:
    try:
        parse(text).apply(FRAME)
    except FilterInvalid as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", [1, 2, 3, 4, 4_000_000_000]),
        ('volume_um3 > 0.05 and not touches_border and split == "train"', [2]),
        ("0.05 < volume_um3 <= .3", [2, 4]),
        ("volume_um3 != 0.1", [1, 4, 4_000_000_000]),
        ("not volume_um3 == 0.1", [1, 3, 4, 4_000_000_000]),
        ('split in ("train", "none")', [1, 2, 4_000_000_000]),
        ("split not in ['train',]", [3, 4_000_000_000]),
        ("instance_id == 4000000000 or instance_id == 1", [1, 4_000_000_000]),
        ("length_um > volume_um3", [1, 2]),
        ("touches_border == false and volume_um3 > 2e-1", [4_000_000_000]),
        ("not (touches_border or volume_um3 < 0.2)", [3, 4_000_000_000]),
        ("unmeasured > 3 or unmeasured", []),
        ("length_um > -1", [1, 2, 3, 4_000_000_000]),
    ],
)
def test_an_expression_keeps_these_rows(text: str, ids: list[int]) -> None:
    assert FRAME["instance_id"][parse(text).apply(FRAME)].tolist() == ids


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("volume_um3 >", "character 13: 'the end' cannot stand here; expected a column"),
        ("volume_um3 = 3", "character 12: '=' is not understood; compare with =="),
        ("touches_border & split", "character 16: '&' is not understood; write and"),
        ("abs(volume_um3) > 3", "character 4: '(' cannot stand here; functions cannot be called"),
        ("__import__('os')", "functions cannot be called"),
        ("split[0] == 't'", "character 6: '[' cannot stand here; columns cannot be indexed"),
        ("split.upper == 't'", "character 6: '.' is not understood; attributes cannot be read"),
        ("volume_um3 * 2 > 1", "filters do not calculate"),
        ("volume_um3 - 2 > 1", "filters do not calculate"),
        ("split == 'train", 'character 10: "\'" is not understood; the quote does not end'),
        ("volume_um3 > 1e999", "1e999 is not a finite number"),
        ("volume_um3 > 0.05.1", "character 14: '0' is not understood"),
        ("3", "3 alone says nothing"),
        ("1 < 2", "a comparison needs a column"),
        ("volume_um3 in 3", "expected a list"),
        ("volume_um3 in ()", "a list holds values of one kind"),
        ("volume_um3 in (1, 'a')", "a list holds values of one kind"),
        ("split in (train)", "words stand in quotes"),
        ("(volume_um3 > 3", "expected a closing parenthesis"),
        ("volume_um3 > 3 touches_border", "expected and, or, or the end"),
        ("(" * 40, "nested deeper than 30"),
        ("not " * 40 + "touches_border", "nested deeper than 30"),
        ("touches_border or " * 120 + "touches_border", "at most 2000 characters, not 2174"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_a_way_out(text: str, message: str) -> None:
    with pytest.raises(FilterInvalid) as caught:
        parse(text)
    assert message in str(caught.value)
    assert isinstance(caught.value, MitoEMError)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("volume_um > 3", "character 1: there is no column 'volume_um'; did you mean volume_um3"),
        ("split == train", "character 10: there is no column 'train'; words stand in quotes"),
        ("split > 3", "split is a word and 3 is a number: not comparable"),
        ("split > 'a'", 'split > "a": only numbers are smaller or larger'),
        ("volume_um3", "volume_um3 is a number; compare it with something"),
        ("touches_border == 1", "touches_border is yes or no and 1 is a number"),
    ],
)
def test_a_filter_that_does_not_fit_the_table_says_why(text: str, message: str) -> None:
    with pytest.raises(FilterInvalid) as caught:
        parse(text).apply(FRAME)
    assert message in str(caught.value)


def test_a_text_that_is_taken_is_taken_again_as_it_is_written_out() -> None:
    short = " or ".join(["volume_um3>1"] * 100)
    assert len(short) < len(str(parse(short))) <= 2_000
    longer = " or ".join(["volume_um3>1"] * 120)
    assert len(longer) <= 2_000
    with pytest.raises(FilterInvalid, match="at most 2000 characters, not 2"):
        parse(longer)


@given(st.floats(1e-9, 1e9), st.floats(1e-6, 1e3))
@example(1e6, 1e-6)  # a width a hair over a power of ten
def test_a_range_drawn_on_a_plot_leaves_nothing_of_it_out(low: float, width: float) -> None:
    high = low + width
    below, above = outwards(low, high)
    assert below <= low <= high <= above
    assert (above - below) - (high - low) <= 0.004 * (high - low)  # a thousandth, and a rounding


def test_columns_lists_each_name_once() -> None:
    assert parse("b > 1 and a > 1 or b < a").columns == ("a", "b")


def test_nullable_and_categorical_columns_are_read_like_plain_ones() -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], "Int64"),
            "flag": pd.array([True, None, False], "boolean"),
            "mixed": pd.Series([True, None, False], dtype=object),
            "kind": pd.Categorical(["a", "b", None]),
        }
    )
    assert parse("n > 1").apply(frame).tolist() == [False, False, True]
    assert parse("flag").apply(frame).tolist() == [True, False, False]
    assert parse("mixed == false").apply(frame).tolist() == [False, False, True]
    assert parse('kind != "a"').apply(frame).tolist() == [False, True, False]


def test_a_table_without_rows_gives_no_rows() -> None:
    empty = FRAME.iloc[:0]
    assert parse("volume_um3 > 3 and touches_border").apply(empty).shape == (0,)


@settings(deadline=None)
@given(trees)
def test_a_filter_is_what_its_terms_keep_together(tree: Node) -> None:
    whole, together = Filter(tree), Filter(None)
    for term in whole.terms:
        together = together & term
    assert np.array_equal(together.apply(FRAME), whole.apply(FRAME))


@settings(deadline=None)
@given(trees, st.sampled_from(["volume_um3", "length_um"]))
def test_a_range_takes_the_place_of_earlier_bounds_and_of_nothing_else(
    tree: Node, column: str
) -> None:
    once = Filter(tree).ranged(column, 1.0, 2.0)
    assert str(once.terms[-1]) == f"1.0 <= {column} <= 2.0"
    assert once.ranged(column, 3.0, 4.0).terms[:-1] == once.terms[:-1]
    assert once.without(len(once.terms) - 1).terms == once.terms[:-1]
    if len(str(once)) <= 1000:
        assert parse(str(once)) == once


def test_bounds_of_other_columns_and_choices_stay() -> None:
    text = "volume_um3 > 0.1 and mci < 3 and (volume_um3 < 1 or split == 'train')"
    found = str(parse(text).ranged("volume_um3", 0.2, 0.3))
    others = 'mci < 3 and (volume_um3 < 1 or split == "train")'
    assert found == f"{others} and 0.2 <= volume_um3 <= 0.3"
