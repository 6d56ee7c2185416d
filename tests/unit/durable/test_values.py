"""Values of steps as JSON, and back."""

from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

import pytest
from pydantic import BaseModel, JsonValue

from domain.durable.step import MAX_VALUE_BYTES
from domain.durable.values import adapter_of, decoded, encoded
from headrace import StepMisused
from headrace.authoring.json_text import JsonText

T = TypeVar("T")


class Charge(BaseModel):
    cents: int


async def annotated() -> Charge:
    return Charge(cents=1)


def awaitable() -> "Awaitable[Charge]":
    raise NotImplementedError


def anything() -> object:
    return None


def generic(value: T) -> T:
    return value


class Callable:
    """Something callable that is no function."""

    def __call__(self) -> None:
        """Do nothing."""


def unreadable() -> "Missing":  # type: ignore[name-defined]  # noqa: F821 - what is tested
    raise NotImplementedError


def without_json() -> type:
    return int


class Model(BaseModel):
    model_config = {"arbitrary_types_allowed": True}


@pytest.mark.parametrize("function", [annotated, awaitable, partial(partial(annotated))])
def test_a_function_says_by_its_annotation_what_its_value_is(function: object) -> None:
    adapter = adapter_of("charge", function, None)  # type: ignore[arg-type]
    text = encoded("charge", Charge(cents=1), adapter)
    assert (text, decoded("charge", text, adapter)) == ('{"cents":1}', Charge(cents=1))


@pytest.mark.parametrize("function", [anything, generic, lambda: None, int, Callable()])
@pytest.mark.parametrize("value", [None, 1, 1.5, "ü", [1, {"a": None}], {"deep": {"er": [True]}}])
def test_without_one_it_is_any_json(function: object, value: JsonValue) -> None:
    adapter = adapter_of("a", function, None)  # type: ignore[arg-type]
    assert decoded("a", encoded("a", value, adapter), adapter) == value


@pytest.mark.parametrize("function", [anything, generic])
def test_what_may_be_anything_is_json_nevertheless(function: object) -> None:
    adapter = adapter_of("a", function, None)  # type: ignore[arg-type]
    with pytest.raises(StepMisused, match="the step a made a Charge, which is not what it says"):
        encoded("a", Charge(cents=1), adapter)


def test_the_declaration_of_the_call_counts_before_that_of_the_function() -> None:
    adapter = adapter_of("a", anything, Charge)
    assert decoded("a", encoded("a", {"cents": 1}, adapter), adapter) == Charge(cents=1)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (unreadable, "the annotation of the step a cannot be read: name 'Missing' is not defined; give step"),
        (without_json, "the value of the step a is not JSON"),
    ],
)
def test_what_has_no_json_form_is_refused_with_a_sentence(function: object, told: str) -> None:
    with pytest.raises(StepMisused, match=told):
        encoded("a", int, adapter_of("a", function, None))  # type: ignore[arg-type]


def test_a_class_without_a_schema_is_refused() -> None:
    class Opaque:
        pass

    with pytest.raises(StepMisused, match="the step a returns Opaque, which has no JSON form"):
        adapter_of("a", anything, Opaque)


@pytest.mark.parametrize("value", [float("nan"), "\ud800"])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(StepMisused, match="the value of the step a is not JSON"):
        encoded("a", value, adapter_of("a", anything, type(value)))


def test_a_value_is_bounded() -> None:
    adapter = adapter_of("a", anything, str)
    assert encoded("a", "x" * (MAX_VALUE_BYTES - 2), adapter)
    with pytest.raises(StepMisused, match="has 5242881 bytes of JSON, the limit is 5242880; save a file"):
        encoded("a", "x" * (MAX_VALUE_BYTES - 1), adapter)


def test_a_value_of_an_older_model_is_refused_with_its_places() -> None:
    with pytest.raises(StepMisused, match="what charge has is not of the declared model: cents: Field required"):
        decoded("charge", JsonText('{"euros":1}'), adapter_of("charge", annotated, None))
