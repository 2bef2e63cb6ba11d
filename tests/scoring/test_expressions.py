"""The language of house rules: what it answers, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.expressions import Function, Kind, WrongExpression, parse

NAMES: dict[str, Kind] = {"left": "number", "right": "number", "text": "text", "labels": "list"}
VALUES: dict[str, Any] = {"left": 0.1, "right": 0.3, "text": "Big SALE", "labels": ("NORDIC", "Size 42")}
FUNCTIONS = {"apart": Function(("text", "text"), lambda one, other: float(abs(len(one) - len(other))))}


def answer(source: str, **values: Any) -> bool:
    known = {**VALUES, "shape.missing": 0.02, **values}
    return parse(source, NAMES, ("shape",), FUNCTIONS).holds(known.__getitem__, FUNCTIONS)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("left >= 0.05 and right >= 0.05", True),
        ("left >= 0.2 or right >= 0.2", True),
        ("not left > right", True),
        ("0.05 < left < 0.2", True),
        ("0.05 < left < 0.08", False),
        ("abs(left - right) <= 0.2 + 1e-9", True),
        ("left * 3 == right", False),
        ("min(left, right, 0.5) == left and max(left, right) == right", True),
        ("-left < 0", True),
        ("right / 2 > left", True),
        ("'sale' not in text", False),
        ("'SALE' in text and 'winter' not in text", True),
        ("'nordic' in labels", True),
        ("'nord' in labels", False),
        ("text == 'big sale'", True),
        ("left in (0.1, 0.2)", True),
        ("text not in ['x', 'y']", True),
        ("count(labels) == 2", True),
        ("apart(text, '') == 8", True),
        ("shape.missing <= 0.02", True),
        ("True or left > 5", True),
        ("  left > 0  ", True),
    ],
)
def test_it_answers(source: str, wanted: bool) -> None:
    assert answer(source) is wanted


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("lft > 1", "there is no value lft; the values are left, right, text, labels"),
        ("left >", "it is no expression"),
        ("left = 3", "it is no expression"),
        ("left + right", "no question with the answer yes or no"),
        ("text", "no question"),
        ("text > 'a'", "cannot be compared by size"),
        ("labels > 2", "cannot be compared by size"),
        ("text == 3", "cannot be compared"),
        ("3 in text", "put the number in quotes"),
        ("left in right", "a text lies in a text or in a list"),
        ("left is None", "not allowed"),
        ("left is right", "write =="),
        ("left and right", "'left' is a number, but and and or join questions"),
        ("not text", "not turns a question round"),
        ("text + text == text", "only numbers can be reckoned with"),
        ("'a' * 9 == text", "only numbers can be reckoned with"),
        ("left ** 9 > 1", "not allowed in a rule"),
        ("left % 2 > 1", "not allowed in a rule"),
        ("colour.missing > 1", "colour is no check; the checks are shape"),
        ("shape.missing.x > 1", "not allowed in a rule"),
        ("sum(left) > 1", "there is no function sum; the functions are min, max, abs, count, apart"),
        ("abs(left, right) > 1", "abs takes 1 values, not 2"),
        ("apart(text) > 1", "apart takes 2 values, not 1"),
        ("apart(text, left) > 1", "apart takes a text, and 'left' is a number"),
        ("min(1, *labels) > 1", "not allowed"),
        ("min(left, default=3) > 1", "not allowed"),
        ("__import__('os').system('x') == 0", "not allowed"),
        ("(lambda: left)() > 1", "not allowed"),
        ("[x for x in labels] == labels", "not allowed"),
        ("text[0] == 'a'", "not allowed"),
        ("f'{left}' == text", "not allowed"),
        ("(left := 3) > 1", "not allowed"),
        ("left > 1 if right else left > 2", "not allowed"),
        ("{left} == labels", "not allowed"),
        (b"left > 1".decode() + " " * 2001, "longer than 2000 characters"),
        ("-" * 100 + "left > 1", "nested too deeply"),
    ],
)
def test_it_refuses_with_a_clause(source: str, why: str) -> None:
    with pytest.raises(WrongExpression) as raised:
        parse(source, NAMES, ("shape",), FUNCTIONS)
    assert why in str(raised.value)


def test_it_asks_only_for_what_the_answer_needs() -> None:
    asked = []

    def value(name: str) -> float:
        asked.append(name)
        return 1.0

    question = parse("left > 0 or right > 0", NAMES, (), {})
    assert question.holds(value, {}) and asked == ["left"]
    assert question.names == ("left", "right")


def test_dividing_by_nought_is_a_clause() -> None:
    with pytest.raises(WrongExpression, match=r"'left / right' divides by nought"):
        answer("left / right > 1", right=0.0)


@given(st.text(max_size=60))
def test_whatever_is_typed_is_read_or_refused_and_nothing_else(source: str) -> None:
    try:
        parse(source, NAMES, ("shape",), FUNCTIONS)
    except WrongExpression as error:
        assert str(error)
