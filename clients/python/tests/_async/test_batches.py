"""Many submissions: their batches, their order, and what came of each."""

import json

import httpx
import pytest

from headrace_client import AsyncClient, InvalidRequest, NotAllowed, NotHeadrace, Submission
from tests.spans import SPAN, in_span
from tests.world import JOB, URL, World, job, problem


def client_of(world: World) -> AsyncClient:
    return AsyncClient(URL, transport=httpx.MockTransport(world.async_handle), seams=world.async_seams())


def results(*entries: object) -> httpx.Response:
    return httpx.Response(207, json={"results": entries})


def accepted(request: httpx.Request) -> httpx.Response:
    jobs = json.loads(request.content)["jobs"]
    return results(*({"status": 202, "job": JOB | {"id": str(each["payload"])}} for each in jobs))


async def test_many_are_submitted_in_batches_and_come_back_in_their_order() -> None:
    world = World([accepted])
    async with client_of(world) as client:
        outcomes = await client.submit_many(Submission("t", n) for n in range(60))
    assert [outcome.accepted().id for outcome in outcomes] == [str(n) for n in range(60)]
    assert [len(json.loads(request.content)["jobs"]) for request in world.seen] == [25, 25, 10]
    assert world.sent("idempotency-key") == ["key-1/0", "key-1/1", "key-1/2"]


async def test_all_batches_are_part_of_one_trace() -> None:
    world = World([accepted])
    async with client_of(world) as client:
        with in_span():
            await client.submit_many(Submission("t", n) for n in range(26))
        await client.submit_many([Submission("t", 1)], traceparent="00-1-2-3")
    assert world.sent("traceparent") == [SPAN, SPAN, "00-1-2-3"]


async def test_batches_stay_below_the_limit_of_a_request() -> None:
    world = World([accepted])
    async with client_of(world) as client:
        outcomes = await client.submit_many([Submission("t", "x" * 3_000_000)] * 3)
    assert len(world.seen) == 3
    assert len(outcomes) == 3


async def test_an_entry_that_is_refused_has_its_error() -> None:
    refused = {"status": 422, "job": None, "problem": {"code": "unknown_job_type", "detail": "No."}}
    world = World([results({"status": 202, "job": JOB}, refused)])
    async with client_of(world) as client:
        first, second = await client.submit_many([Submission("t", {}), Submission("u", {})])
    assert first.accepted().id == "7"
    assert isinstance(second.error, InvalidRequest)
    assert second.submission.type == "u"
    with pytest.raises(InvalidRequest, match="unknown_job_type"):
        second.accepted()


async def test_a_batch_with_an_entry_that_may_pass_is_repeated_with_its_key() -> None:
    busy = {"status": 503, "problem": {"code": "storage_unavailable", "detail": "Busy."}}
    world = World([results({"status": 202, "job": JOB}, busy), accepted])
    async with client_of(world) as client:
        outcomes = await client.submit_many([Submission("t", 1), Submission("t", 2)])
    assert [outcome.accepted().id for outcome in outcomes] == ["1", "2"]
    assert world.sent("idempotency-key") == ["key-1/0"] * 2


async def test_what_stops_one_batch_stops_the_next_ones_and_loses_none_before() -> None:
    world = World([accepted, problem(403, "unknown_user")])
    async with client_of(world) as client:
        outcomes = await client.submit_many(Submission("t", n) for n in range(80))
    assert len(world.seen) == 2
    assert [outcome.job is not None for outcome in outcomes] == [True] * 25 + [False] * 55
    assert all(isinstance(outcome.error, NotAllowed) for outcome in outcomes[25:])


async def test_a_batch_that_is_refused_as_a_whole_stops_no_other() -> None:
    world = World([problem(413, "payload_too_large"), accepted])
    async with client_of(world) as client:
        outcomes = await client.submit_many(Submission("t", n) for n in range(30))
    assert [outcome.job is not None for outcome in outcomes] == [False] * 25 + [True] * 5


@pytest.mark.parametrize("entries", [(), ({"status": 202},), ({"status": 202, "job": {}},), (7,), ({"job": JOB},)])
async def test_a_batch_of_another_form_is_not_headrace(entries: tuple[object, ...]) -> None:
    world = World([results(*entries)])
    async with client_of(world) as client:
        (outcome,) = await client.submit_many([Submission("t", 1)])
    assert isinstance(outcome.error, NotHeadrace)


async def test_a_batch_has_a_key_of_bounded_length() -> None:
    world = World([job()])
    async with client_of(world) as client:
        with pytest.raises(ValueError, match="at most 240"):
            await client.submit_many([Submission("t", {})], key="k" * 241)
    assert not world.seen
