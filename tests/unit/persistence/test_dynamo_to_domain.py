"""Items of other versions of Headrace are read tolerantly and written back completely."""

from datetime import timedelta
from typing import cast

import pytest

from domain.jobs import transitions
from domain.jobs.job import SCHEMA, BlobRef, Frame, InLane, Job, Succeeded
from domain.jobs.outcomes import Raised
from domain.users.user import User, changed_user
from persistence.converters.attributes import Unreadable, item_size
from persistence.converters.dynamo_to_domain import item_to_job, job_to_item
from persistence.converters.users import item_to_user, user_to_item
from tests.factories import (
    NOW,
    POLICY,
    TOKEN,
    UserFactory,
    finished,
    in_every_state,
    legal,
    queued,
    retrying,
    running,
    succeeded,
)

Item = dict[str, object]

FOREIGN: Item = {
    "colour": {"S": "blue"},
    "priority": {"N": "5"},
    "weight": {"N": "0.1000000000000000055511151231257827"},
    "parents": {"SS": ["a", "b"]},
    "places": {"NS": ["1", "2"]},
    "digest": {"B": b"\x00\xff"},
    "digests": {"BS": [b"\x00", b"\xff"]},
    "nothing": {"NULL": True},
    "options": {"M": {"B": {"S": "a member that is called B"}, "deep": {"L": [{"B": b"\x01"}, {"NULL": True}]}}},
    "lease_owner": {"S": ""},
}


def item_of(job: Job) -> Item:
    return cast("Item", job_to_item(job, "w"))


def read(item: Item) -> Job:
    job = item_to_job(item)
    assert isinstance(job, Job), job
    return job


@pytest.mark.parametrize("job", in_every_state(), ids=lambda job: job.status)
def test_unknown_attributes_are_kept_and_written_back_exactly(job: Job) -> None:
    item = item_of(job) | FOREIGN
    assert item_of(read(item)) == item


def test_unknown_attributes_are_kept_through_every_change() -> None:
    job = read(item_of(queued()) | FOREIGN)
    claimed = legal(transitions.claim(job, POLICY, TOKEN, NOW + timedelta(minutes=5), NOW))
    reported = legal(transitions.report_progress(claimed, TOKEN, 0.5, "half", NOW))
    asked = legal(transitions.cancel(reported, POLICY, NOW))
    rescued = legal(transitions.rescue(asked, POLICY, NOW + timedelta(hours=1), 0.5))
    again = legal(transitions.retry_manually(rescued, POLICY, NOW))
    for changed in (claimed, reported, asked, rescued, again):
        item = item_of(changed)
        assert {name: item[name] for name in FOREIGN} == FOREIGN


def test_members_of_a_newer_version_are_kept_in_the_parts_that_stay() -> None:
    item = item_of(running())
    history = cast("list[dict[str, Item]]", cast("Item", item["history"])["L"])
    history[0]["M"]["by"] = {"S": "somebody"}
    lease = cast("Item", cast("Item", item["lease"])["M"])
    lease["region"] = {"S": "eu-north-1"}
    lease["hosts"] = {"SS": ["a"]}
    lease["rack"] = {"NULL": True}
    lease["weight"] = {"N": "0.12345678901234567890123456789012345678"}
    asked = legal(transitions.cancel(read(item), POLICY, NOW))
    written = item_of(asked)
    assert written["lease"] == item["lease"]
    assert cast("Item", written["history"])["L"] == history


def test_a_history_of_statuses_that_this_version_does_not_know_is_read() -> None:
    item = item_of(queued())
    entry = {"status": {"S": "waiting"}, "at": {"S": "2026-11-23T03:00:00.000000Z"}, "attempt": {"N": "0"}}
    item["history"] = {"L": [{"M": entry}]}
    assert [each.status for each in read(item).history] == ["waiting"]


def test_a_reason_of_a_newer_version_is_read() -> None:
    item = item_of(in_every_state()[-2])
    item["reason"] = {"S": "child_failed"}
    assert item_of(read(item))["reason"] == {"S": "child_failed"}


def test_the_frames_of_an_error_are_stored_and_without_frames_there_is_no_attribute() -> None:
    frame = Frame(file="job_types/orders.py", line=12, function="charge")
    for frames in ((), (frame,)):
        job = finished(running(), Raised(code="KeyError", message="'x'", frames=frames))
        item = item_of(job)
        assert read(item) == job
        assert ("frames" in cast("Item", cast("Item", item["error"])["M"])) is bool(frames)


def test_an_attribute_that_belongs_to_other_states_here_is_kept_too() -> None:
    item = item_of(queued()) | {"error": {"M": {"code": {"S": "x"}}}}
    assert item_of(read(item)) == item


def test_a_form_that_only_a_newer_version_reads_is_distinguished_from_an_invalid_one() -> None:
    newer = item_of(queued()) | {"schema": {"N": str(SCHEMA + 1)}, "status": {"S": "blocked"}}
    rubbish = item_of(queued()) | {"status": {"S": "blocked"}}
    read_newer, read_rubbish = item_to_job(newer), item_to_job(rubbish)
    assert isinstance(read_newer, Unreadable)
    assert isinstance(read_rubbish, Unreadable)
    assert (read_newer.newer, read_rubbish.newer) == (True, False)


def test_a_job_whose_payload_is_a_blob_is_no_job_to_versions_that_look_for_it_in_the_item() -> None:
    ref = BlobRef(key="jobs/1/payload-2", size=9000, sha256="0" * 64)
    job = queued().model_copy(update={"payload": ref})
    item = item_of(job)
    assert "payload" not in item
    assert item["schema"] == {"N": "2"}, "so they leave it to newer ones, and call it no rubbish"
    assert item["payload_ref"] == {"M": {"key": {"S": ref.key}, "size": {"N": "9000"}, "sha256": {"S": ref.sha256}}}
    assert read(item).payload == ref
    assert item_of(read(item)) == item


def test_a_result_that_is_a_blob_comes_back_as_its_reference() -> None:
    ref = BlobRef(key="jobs/1/result-2", size=9000, sha256="0" * 64)
    done = succeeded()
    assert isinstance(done.state, Succeeded)
    spilled = done.model_copy(update={"state": done.state.model_copy(update={"result": ref})})
    item = item_of(spilled)
    assert ("result" in item, item["schema"]) == (False, {"N": "2"})
    assert read(item) == spilled.model_copy(update={"stored_schema": 2})


def test_what_a_newer_version_adds_to_a_reference_stays() -> None:
    ref = BlobRef(key="jobs/1/payload-2", size=9000, sha256="0" * 64)
    item = item_of(queued().model_copy(update={"payload": ref}))
    known = item["payload_ref"]
    assert isinstance(known, dict)
    item["payload_ref"] = {"M": {**known["M"], "codec": {"S": "zstd"}}}
    assert item_of(read(item)) == item


def test_a_newer_schemas_number_stays_and_the_first_has_none() -> None:
    assert "schema" not in item_of(queued())
    assert item_of(read(item_of(queued()) | {"schema": {"N": "7"}}))["schema"] == {"N": "7"}


def test_only_a_later_payload_version_is_written() -> None:
    assert "payload_version" not in item_of(queued())
    assert read(item_of(queued(payload_version=3))).payload_version == 3


def test_only_a_job_in_a_lane_has_an_attribute_for_it() -> None:
    assert "lane" not in item_of(queued())
    item = item_of(queued(lane=InLane(name="stripe:7")))
    assert item["lane"] == {"M": {"name": {"S": "stripe:7"}, "priority": {"N": "5"}}}
    assert read(item).lane == InLane(name="stripe:7")


def test_unknown_attributes_count_for_the_items_size() -> None:
    item = item_of(queued())
    larger = item | {"notes": {"S": "x" * 1000}, "blob": {"B": b"y" * 500}, "names": {"SS": ["z" * 100]}}
    grown = item_size(job_to_item(read(larger), "w")) - item_size(job_to_item(read(item), "w"))
    assert grown == 1600 + len("notes" + "blob" + "names")


def test_a_users_unknown_attributes_are_kept_through_a_change() -> None:
    user = UserFactory.build()
    item = cast("Item", user_to_item(user, "w")) | {"disabled": {"BOOL": False}, "scopes": {"SS": ["read"]}}
    found = item_to_user(item)
    assert isinstance(found, User)
    changed = cast("Item", user_to_item(changed_user(found, NOW, email=None, name="Other", role=None), "w"))
    assert (changed["disabled"], changed["scopes"]) == ({"BOOL": False}, {"SS": ["read"]})


def test_a_job_with_an_empty_history_is_read() -> None:
    assert read(item_of(retrying()) | {"history": {"L": []}}).history == ()


def test_an_attribute_that_the_next_state_has_a_field_for_does_not_make_it_unreadable() -> None:
    job = read(item_of(queued()) | {"progress": {"S": "50%"}})
    claimed = legal(transitions.claim(job, POLICY, TOKEN, NOW + timedelta(minutes=5), NOW))
    assert isinstance(read(item_of(claimed)), Job)
