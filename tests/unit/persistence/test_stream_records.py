"""Decoding of stream records."""

import json
from typing import cast

import pytest
from pydantic import JsonValue

from domain.jobs.job import SCHEMA, Job
from persistence.converters.dynamo_to_domain import job_to_item
from persistence.dynamodb.stream_records import (
    JobChanged,
    JobOfNewerVersion,
    JobQueued,
    JobRemoved,
    Undecodable,
    decode,
)
from tests.factories import cancelled, in_every_state, queued, scheduled, succeeded


def a_record(name: str = "INSERT", **change: JsonValue) -> dict[str, JsonValue]:
    job = queued(id="job-1")
    image = cast("dict[str, JsonValue]", job_to_item(job, "w"))
    body: dict[str, JsonValue] = {"Keys": {"id": {"S": "job-1"}}, "NewImage": image, "SequenceNumber": "111", **change}
    return {"eventID": "e1", "eventName": name, "dynamodb": body}


def test_an_inserted_or_redriven_job_is_queued() -> None:
    for name in ("INSERT", "MODIFY"):
        event = decode(a_record(name))
        assert isinstance(event, JobQueued)
        assert (event.sequence_number, event.after) == (
            "111",
            queued(id="job-1", owner_id=event.after.owner_id, tags=event.after.tags),
        )


@pytest.mark.parametrize("job", in_every_state(), ids=lambda job: job.status)
def test_a_job_is_decoded_in_any_state(job: Job) -> None:
    event = decode(a_record("MODIFY", NewImage=image_of(job)))
    assert isinstance(event, JobQueued if job.status == "queued" else JobChanged)
    assert event.after == job


def image_of(job: Job) -> JsonValue:
    image: JsonValue = json.loads(json.dumps(job_to_item(job, "w")))
    return image


def test_a_new_job_was_nothing_before() -> None:
    event = decode(a_record())
    assert isinstance(event, JobQueued)
    assert event.before is None


@pytest.mark.parametrize("after", [queued(), cancelled()], ids=lambda job: job.status)
def test_a_changed_job_is_told_as_it_was_and_as_it_is(after: Job) -> None:
    before = scheduled(id=after.id)
    event = decode(a_record("MODIFY", OldImage=image_of(before), NewImage=image_of(after)))
    assert isinstance(event, JobQueued | JobChanged)
    assert (event.before, event.after) == (before, after)
    assert event.before is event.before, "decoded once"


def test_a_removed_job_is_told_as_it_was() -> None:
    job = succeeded()
    event = decode(a_record("REMOVE", OldImage=image_of(job)))
    assert isinstance(event, JobRemoved)
    assert event.before == job


@pytest.mark.parametrize("name", ["MODIFY", "REMOVE"])
@pytest.mark.parametrize("image", [None, 7, [], {}, {"id": 7}, {"status": {"S": "blocked"}}], ids=repr)
def test_an_unreadable_image_before_leaves_the_record_good(name: str, image: JsonValue) -> None:
    event = decode(a_record(name, OldImage=image))
    assert isinstance(event, JobQueued | JobRemoved)
    assert event.before is None


def test_names_that_are_no_text_leave_the_record_good() -> None:
    record = a_record("MODIFY")
    body = cast("dict[str, object]", record["dynamodb"]) | {"OldImage": {7: {"S": "x"}}}
    event = decode({**record, "dynamodb": body})
    assert isinstance(event, JobQueued)
    assert event.before is None


@pytest.mark.parametrize(
    ("identity", "by_ttl"),
    [
        ({"type": "Service", "principalId": "dynamodb.amazonaws.com"}, True),
        ({"type": "User", "principalId": "somebody"}, False),
        (None, False),
    ],
)
def test_a_removal_shows_whether_the_ttl_caused_it(identity: JsonValue, by_ttl: bool) -> None:
    record = a_record("REMOVE") | ({"userIdentity": identity} if identity else {})
    assert decode(record) == JobRemoved(sequence_number="111", job_id="job-1", by_ttl=by_ttl)


@pytest.mark.parametrize(
    "record",
    [
        None,
        "text",
        [],
        {},
        {"dynamodb": 7},
        {"dynamodb": {}},
        a_record(SequenceNumber=7),
        a_record("EXPLODE"),
        a_record(NewImage=None),
        a_record(NewImage={"id": {"S": "job-1"}, "status": {"S": "queued"}}),
        a_record(NewImage={"id": "job-1"}),
        a_record(NewImage={"id": {"B": "AAAA"}, "expires_at": {"N": "1"}}),
        a_record("REMOVE", Keys={}),
        a_record("REMOVE", Keys=None),
    ],
)
def test_a_foreign_record_is_undecodable_and_never_raises(record: JsonValue) -> None:
    assert isinstance(decode(record), Undecodable)


def test_an_undecodable_record_is_named_without_its_values() -> None:
    image = cast("dict[str, JsonValue]", job_to_item(cancelled(), "w")) | {"version": {"S": "secret"}}
    event = decode(a_record(NewImage=image))
    assert isinstance(event, Undecodable)
    assert (event.sequence_number, event.event_id, event.job_id) == ("111", "e1", "job-1")
    assert "version" in event.detail
    assert "secret" not in event.detail


def test_an_attribute_of_a_newer_version_does_not_make_an_item_undecodable() -> None:
    image = cast("dict[str, JsonValue]", job_to_item(queued(), "w")) | {"colour": {"S": "of a newer version"}}
    assert isinstance(decode(a_record(NewImage=image)), JobQueued)


def test_a_job_in_a_form_of_a_newer_version_is_left_to_its_workers() -> None:
    newer: dict[str, JsonValue] = {"schema": {"N": str(SCHEMA + 1)}, "queued_at": {"M": {}}}
    image = cast("dict[str, JsonValue]", job_to_item(queued(type="new.type"), "w")) | newer
    event = decode(a_record(NewImage=image))
    assert isinstance(event, JobOfNewerVersion)
    assert (event.job_id, event.type) == ("job-1", "new.type")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": {"S": "one"}},
        {"version": {"N": "1.5"}},
        {"expires_at": {"S": "soon"}},
        {"expires_at": {"N": "1" * 40}},
        {"payload": {"M": {}}},
        {"history": {"L": [{"S": "x"}]}},
        {"attempt": {"N": "many"}},
    ],
)
def test_an_image_with_one_wrong_attribute_is_undecodable(change: dict[str, JsonValue]) -> None:
    image = cast("dict[str, JsonValue]", job_to_item(queued(), "w")) | change
    assert isinstance(decode(a_record(NewImage=image)), Undecodable)
