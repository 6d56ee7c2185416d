"""What a companion may hold."""

import pytest
from pydantic import JsonValue, ValidationError

from domain.jobs.change import Change, Check, IfEqual, Put
from tests.factories import queued

EXACT: tuple[JsonValue, ...] = (
    None, True, "", 0, 10**38 - 1, -(10**38) + 1, 10**125, 1e-130, 9.9e125, [{"a": [1, "é", False]}],
)  # fmt: skip
INEXACT: tuple[JsonValue, ...] = (
    10**38 + 1, 10**126, 1e126, 9e-131, float("nan"), float("inf"), "\ud800", [10**126], {"a": {"b": 10**126}},
    {"": 1}, {"a": {"": 1}},
)  # fmt: skip


@pytest.mark.parametrize("value", EXACT, ids=repr)
def test_what_dynamodb_stores_exactly_is_a_value(value: JsonValue) -> None:
    assert repr(Put(table="t", key={"id": "x"}, values={"a": value}).values["a"]) == repr(value)


@pytest.mark.parametrize("value", INEXACT, ids=ascii)
def test_what_dynamodb_would_change_or_refuse_is_none(value: JsonValue) -> None:
    with pytest.raises(ValidationError):
        Put(table="t", key={"id": "x"}, values={"a": value})


@pytest.mark.parametrize("key", [{}, {"": "x"}, {"id": None}, {"id": True}, {"id": 1.5}, {"id": 10**38 + 1}], ids=repr)
def test_a_key_is_a_text_or_a_whole_number_by_name(key: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Put.model_validate({"table": "t", "key": key})


def test_a_condition_names_an_attribute() -> None:
    with pytest.raises(ValidationError):
        Check(table="t", key={"id": "x"}, condition=IfEqual(attributes={}))


def test_a_job_alone_is_a_change_without_companions() -> None:
    job = queued()
    assert Change(job) == Change(job, ())
    assert Change(job) != Change(job, (Put(table="t", key={"id": "x"}),))
