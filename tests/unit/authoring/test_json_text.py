"""JSON documents from outside, stored as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from headrace.authoring.json_text import NotJson, byte_length, from_json_text, json_size, to_json_text

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
documents = st.recursive(scalars | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner))


@given(documents)
def test_any_json_is_returned_exactly(document: JsonValue) -> None:
    assert repr(from_json_text(to_json_text(document))) == repr(document)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", ["\udfff"], {"\ud800": 1}])
def test_values_that_json_cannot_express_are_refused(value: JsonValue) -> None:
    with pytest.raises(NotJson):
        to_json_text(value)


def test_length_is_counted_in_bytes() -> None:
    assert byte_length("é") == 2


def test_the_size_of_a_value_is_that_of_its_stored_json() -> None:
    assert json_size({"é": [1, "\n"]}) == len('{"é":[1,"\\n"]}'.encode())


def test_an_integer_that_python_will_not_write_is_refused() -> None:
    with pytest.raises(NotJson):
        to_json_text(10**5000)
