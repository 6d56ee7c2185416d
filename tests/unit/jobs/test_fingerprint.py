"""Submissions with one idempotency key are compared by their meaning."""

import json
import time
from datetime import datetime

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr

from domain.jobs.fingerprint import fingerprint, is_replay
from domain.jobs.job import Job
from domain.jobs.submission import Submission
from headrace.authoring.job_type import AnyJobType, JobType, Policy
from headrace.authoring.json_text import JsonText, to_json_text
from tests.factories import NOW, queued
from tests.fakes.handlers import Count


class Anything(BaseModel):
    """A payload with arbitrary members."""

    model_config = ConfigDict(extra="allow")


class Order(BaseModel):
    """A payload with defaults."""

    name: str
    amount: int = 1
    tags: list[str] = Field(default_factory=list)
    gift: bool = False
    note: JsonValue = None


class Secret(BaseModel):
    """A payload that hides a member in its JSON."""

    secret: SecretStr


class Incomparable(BaseModel):
    """A payload whose comparison fails."""

    name: str

    def __eq__(self, other: object) -> bool:
        raise KeyError(str(other))

    __hash__ = None  # type: ignore[assignment]


class Inside(BaseModel):
    """A payload that contains, in a set, a value that cannot be compared."""

    name: str
    inside: object = None

    def __iter__(self):  # type: ignore[no-untyped-def]
        raise SystemExit


def a_type(model: type[BaseModel] = Anything, max_attempts: int = 5) -> AnyJobType:
    policy = Policy(max_attempts=max_attempts)
    return JobType[BaseModel, BaseModel](name="a.type", summary="", payload=model, result=Count, policy=policy)


def a_submission(payload: JsonValue = None, /, **fields: object) -> Submission:
    return Submission.model_validate({"type": "a.type", "payload": {} if payload is None else payload, **fields})


def made(first: Submission, job_type: AnyJobType, payload: JsonText | None = None) -> Job:
    text = payload or to_json_text(first.payload)
    max_attempts = first.max_attempts or job_type.policy.max_attempts
    job = queued(NOW, type=first.type, payload=text, tags=first.tags, max_attempts=max_attempts)
    return job.model_copy(update={"fingerprint": fingerprint(first, text)})


def same(first: Submission, again: Submission, job_type: AnyJobType | None = None) -> bool:
    job_type = job_type or a_type()
    return is_replay(made(first, job_type), again, to_json_text(again.payload), job_type)


def same_payload(first: str, again: str, model: type[BaseModel] = Anything) -> bool:
    """Return the fingerprint of JSON that was sent, read and written again as the API does."""
    return same(a_submission(json.loads(first)), a_submission(json.loads(again)), a_type(model))


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ('{"a":1,"b":2}', '{"b":2,"a":1}'),
        ('{"a":{"x":[{"p":1,"q":2}],"y":2}}', '{"a":{"y":2,"x":[{"q":2,"p":1}]}}'),
        ('{"n":1}', '{"n":1.0}'),
        ('{"n":1}', '{"n":1e0}'),
        ('{"n":[100, 0]}', '{"n":[1E2, -0.0]}'),
        ('{"n":10000000000000000000000}', '{"n":1e22}'),
        ('{"n":0.1}', '{"n":0.10}'),
        ('{"s":"\\u00e9\\/"}', '{"s":"\u00e9/"}'),
        ('{"s":"\\ud83d\\ude00"}', '{"s":"\U0001f600"}'),
    ],
)
def test_a_payload_is_its_json_value_however_it_is_written(first: str, again: str) -> None:
    assert same_payload(first, again)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ('{"n":1}', '{"n":true}'),
        ('{"n":0}', '{"n":false}'),
        ('{"n":[{"x":1}]}', '{"n":[{"x":true}]}'),
        ('{"n":1}', '{"n":"1"}'),
        ('{"n":null}', '{"n":0}'),
        ('{"n":null}', "{}"),
        ('{"n":[1,2]}', '{"n":[2,1]}'),
        ('{"n":[1]}', '{"n":[1,1]}'),
        ('{"n":{}}', '{"n":[]}'),
        ('{"n":9007199254740993}', '{"n":9007199254740992}'),
        ('{"n":9007199254740993}', '{"n":9007199254740992.0}'),
        ('{"n":123456789012345678901234567890}', '{"n":123456789012345678901234567891}'),
        ('{"s":"e\u0301"}', '{"s":"\u00e9"}'),
        ('{"s":"a"}', '{"s":"A"}'),
        ('{"s":"a"}', '{"S":"a"}'),
    ],
)
def test_another_json_value_is_another_payload(first: str, again: str) -> None:
    assert not same_payload(first, again)


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        ('{"name":"a","amount":1,"tags":[],"gift":false,"note":null}', True),
        ('{"tags":[],"name":"a","ignored":7}', True),
        ('{"name":"a","amount":"1"}', True),
        ('{"name":"a","amount":2}', False),
        ('{"name":"a","tags":["x"]}', False),
        ('{"name":"a","gift":true}', False),
        ('{"name":"a","note":false}', False),
        ('{"name":"b"}', False),
    ],
)
def test_a_payload_that_spells_out_a_default_is_the_same_submission(again: str, expected: bool) -> None:
    assert same_payload('{"name":"a"}', again, Order) is expected


def test_a_boolean_is_not_equal_to_a_number_in_a_model_either() -> None:
    assert not same_payload('{"name":"a","note":{"x":[1]}}', '{"name":"a","note":{"x":[true]}}', Order)
    assert same_payload('{"name":"a","note":{"x":[1]}}', '{"name":"a","amount":1,"note":{"x":[1.0]}}', Order)


def test_members_that_a_model_hides_are_compared_too() -> None:
    assert not same_payload('{"secret":"a"}', '{"secret":"b"}', Secret)
    assert same_payload('{"secret":"a"}', '{"secret":"a","ignored":1}', Secret)


@pytest.mark.parametrize("model", [Incomparable, Inside])
def test_a_model_that_cannot_be_compared_is_another_unless_its_json_is_the_same(model: type[BaseModel]) -> None:
    assert same_payload('{"name":"a","x":1}', '{"x":1.0,"name":"a"}', model)
    assert not same_payload('{"name":"a"}', '{"name":"b","x":2}', model)


def test_payloads_that_the_model_no_longer_reads_are_compared_as_json() -> None:
    first, again = a_submission({"b": 1, "a": 2}), a_submission({"a": 2, "b": 1})
    assert same(first, again, a_type(Order))
    assert not same(first, a_submission({"a": 3}), a_type(Order))


@pytest.mark.parametrize(
    ("first", "again", "expected"),
    [
        ({"tags": {"a": "1", "b": "2"}}, {"tags": {"b": "2", "a": "1"}}, True),
        ({"tags": {"a": "1"}}, {"tags": {"a": "2"}}, False),
        ({"tags": {}}, {}, True),
        ({"run_at": "2026-12-01T15:00:00+05:30"}, {"run_at": "2026-12-01T09:30:00Z"}, True),
        ({"run_at": "2026-12-01T09:30:00.000Z"}, {"run_at": "2026-12-01T09:30:00-00:00"}, True),
        ({"run_at": "2026-12-01T09:30:00Z"}, {"run_at": "2026-12-01T09:30:01Z"}, False),
        ({"run_at": "2026-12-01T09:30:00Z"}, {}, False),
        ({"run_at": None}, {}, True),
        ({"delay_seconds": 3}, {"delay_seconds": 3.0}, True),
        ({"delay_seconds": 3}, {"delay_seconds": 4}, False),
        ({"delay_seconds": 0}, {}, True),
        ({"delay_seconds": 3}, {}, False),
        ({"max_attempts": 5}, {}, True),
        ({}, {"max_attempts": 5}, True),
        ({"max_attempts": 4}, {}, False),
        ({"max_attempts": 4}, {"max_attempts": 4}, True),
    ],
)
def test_the_other_members_are_compared_by_what_they_mean(
    first: dict[str, object], again: dict[str, object], expected: bool
) -> None:
    assert same(a_submission(**first), a_submission(**again)) is expected
    spelled: JsonValue = Order(name="a").model_dump()
    short = a_submission(**first).model_copy(update={"payload": {"name": "a"}})
    long = a_submission(**again).model_copy(update={"payload": spelled})
    assert same(short, long, a_type(Order)) is expected


def test_another_type_is_another_submission() -> None:
    other = a_submission().model_copy(update={"type": "other.type"})
    assert not is_replay(made(a_submission(), a_type()), other, JsonText("{}"), a_type())


def test_a_repeated_request_is_recognised_after_the_defaults_of_its_type_changed() -> None:
    job = made(a_submission({"name": "a"}), a_type(Order, max_attempts=3))
    assert is_replay(job, a_submission({"name": "a"}), JsonText('{"name":"a"}'), a_type(Order, max_attempts=9))


# Written by version 0.1 for these very submissions.
@pytest.mark.parametrize(
    ("old", "payload", "fields"),
    [
        ("1195e0503d0131e6a7f1f4fbfc2fe5a6", '{"csv":"a\\n1\\n"}', {}),
        ("f5fd36d43a875dc6ee820f8fece9b828", "{}", {"delay_seconds": 3}),
        ("2ab18c224554b1d0afd2b8dfaa08d8ee", "{}", {"run_at": datetime.fromisoformat("2026-12-01T15:00:00Z")}),
        (
            "66653abaeb5385b1b60f2d7709d06caf",
            '{"csv":"a","delimiter":","}',
            {
                "run_at": datetime.fromisoformat("2026-12-01T15:00:00.5+05:30"),
                "max_attempts": 3,
                "tags": {"b": "1", "a": "2"},
            },
        ),
    ],
)
def test_a_job_of_the_previous_version_is_recognised(old: str, payload: str, fields: dict[str, object]) -> None:
    again = Submission.model_validate({"type": "csv.profile", "payload": json.loads(payload), **fields})
    job = queued(NOW, type="csv.profile").model_copy(update={"fingerprint": old})
    assert is_replay(job, again, JsonText(payload), a_type())
    assert not is_replay(job, again.model_copy(update={"max_attempts": 7}), JsonText(payload), a_type())


def test_a_job_without_a_fingerprint_matches_no_submission() -> None:
    assert not is_replay(queued(NOW, type="a.type"), a_submission(), JsonText("{}"), a_type())


def test_the_largest_payload_is_compared_quickly() -> None:
    numbers: JsonValue = [1.5] * 60_000
    first, again = a_submission({"a": 1, "n": numbers}), a_submission({"n": numbers, "a": 1.0})
    began = time.process_time()
    assert same(first, again)
    assert not same(first, a_submission({"a": 2, "n": numbers}))
    assert time.process_time() - began < 2
