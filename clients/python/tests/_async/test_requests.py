"""What is sent, what is repeated, and what is raised."""

import io
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone

import httpx
import pytest

from headrace_client import (
    NO_RETRY,
    AsyncClient,
    Conflict,
    Frame,
    HeadraceError,
    InvalidRequest,
    NotAllowed,
    NotFound,
    NotHeadrace,
    RawJson,
    Refused,
    Retry,
    Submission,
    Unavailable,
    Unreachable,
)
from headrace_client.auth import AsyncToken
from tests.spans import SPAN, in_span
from tests.world import URL, World, job, problem

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
BROKEN = httpx.RemoteProtocolError("gone away")


def client_of(world: World, retry: Retry = Retry(), token: AsyncToken | None = "secret") -> AsyncClient:  # noqa: B008
    transport = httpx.MockTransport(world.async_handle)
    return AsyncClient(URL, token=token, retry=retry, transport=transport, seams=world.async_seams())


async def test_a_submission_is_sent_with_all_that_was_given() -> None:
    world = World([job()])
    async with client_of(world) as client:
        submitted = await client.submit("t", {"n": 1}, delay=1.5, max_attempts=3, tags={"a": "1"}, key="mine")
    assert (submitted.id, submitted.status, submitted.raw["unheard"]) == ("7", "queued", ["of"])
    body = {"type": "t", "delay_seconds": 1.5, "max_attempts": 3, "tags": {"a": "1"}, "payload": {"n": 1}}
    assert world.body() == body
    assert world.sent("idempotency-key") == ["mine"]
    assert world.sent("authorization") == ["Bearer secret"]
    assert str(world.seen[0].url) == f"{URL}/v1/jobs"


async def test_a_submission_is_part_of_the_given_trace_or_of_the_current_span() -> None:
    world = World([job(traceparent=TRACE)])
    async with client_of(world) as client:
        assert (await client.submit("t", {}, traceparent=TRACE)).traceparent == TRACE
        await client.submit("t", {})
        with in_span():
            await client.submit("t", {})
            await client.submit("t", {}, traceparent="")
    assert world.sent("traceparent") == [TRACE, None, SPAN, None]


async def test_repeats_of_one_call_have_one_key_and_two_calls_have_two() -> None:
    world = World([BROKEN, problem(503, "storage_unavailable"), job()])
    async with client_of(world) as client:
        await client.submit("t", {})
        await client.submit("t", {})
    assert world.sent("idempotency-key") == ["key-1"] * 3 + ["key-2"]


async def test_raw_json_is_sent_as_it_is_written() -> None:
    world = World([job()])
    async with client_of(world) as client:
        await client.submit("t", RawJson('{"n": 1.10}'))
    assert world.seen[0].content == b'{"type": "t", "payload": {"n": 1.10}}'


@pytest.mark.parametrize("failure", [problem(429, "throttled"), problem(503, "contended"), BROKEN])
async def test_pauses_are_jittered_doubled_and_bounded_by_time(failure: httpx.Response | httpx.HTTPError) -> None:
    world = World([failure], random=0.5)
    async with client_of(world, Retry(seconds=10, first=1, longest=4)) as client:
        with pytest.raises(Unreachable if isinstance(failure, httpx.HTTPError) else Unavailable):
            await client.get("7")
    assert world.slept == [0.5, 1, 2, 2, 2, 2]
    assert world.now < 10


async def test_slow_failures_count_as_time() -> None:
    world = World([BROKEN], takes=6)
    async with client_of(world, Retry(seconds=10, first=1)) as client:
        with pytest.raises(Unreachable, match="gone away"):
            await client.get("7")
    assert len(world.seen) == 2


async def test_retry_after_is_waited_for_and_a_longer_one_than_the_time_that_is_left_is_not() -> None:
    world = World([problem(429, "throttled", **{"retry-after": "3"}), job()], random=0.0)
    async with client_of(world) as client:
        await client.get("7")
        assert world.slept == [3]
        world.steps[:] = [problem(429, "throttled", **{"retry-after": "60"})]
        with pytest.raises(Unavailable):
            await client.get("7")
    assert world.slept == [3]


@pytest.mark.parametrize("call", ["cancel", "retry", "upload", "call"])
async def test_a_post_without_a_key_is_not_repeated(call: str) -> None:
    world = World([BROKEN])
    async with client_of(world) as client:
        with pytest.raises(Unreachable):
            await client.call("POST", "/users", body={}) if call == "call" else await _post(client, call)
    assert len(world.seen) == 1


async def _post(client: AsyncClient, name: str) -> object:
    if name == "upload":
        return await client.upload(io.BytesIO(b"a"), name="a")
    return await client.cancel("7") if name == "cancel" else await client.retry("7")


async def test_times_need_a_zone_and_are_sent_with_it() -> None:
    world = World([job()])
    zone = timezone(timedelta(hours=1))
    async with client_of(world) as client:
        with pytest.raises(ValueError, match="no time zone"):
            await client.submit("t", {}, run_at=datetime(2026, 12, 1))  # noqa: DTZ001 - what is refused
        assert not world.seen
        await client.submit("t", {}, run_at=datetime(2026, 12, 1, 9, 30, tzinfo=zone))
        await client.submit("t", {}, delay=timedelta(minutes=2))
    assert world.body(0)["run_at"] == "2026-12-01T09:30:00+01:00"
    assert world.body(1)["delay_seconds"] == 120


async def test_a_link_by_https_is_followed_with_certificates_checked_though_the_api_has_none() -> None:
    async with AsyncClient(URL, retry=NO_RETRY) as client:
        sender = client._sender
        assert sender._for_link("http://store.test") is sender._http
        assert sender._for_link("https://store.test") is not sender._http
        assert sender._for_link("https://store.test") is sender._for_link("https://other.test")
    async with AsyncClient(URL.replace("http:", "https:"), retry=NO_RETRY) as client:
        assert client._sender._for_link("https://store.test") is client._sender._http


async def test_any_route_can_be_called_and_one_without_content_answers_nothing() -> None:
    world = World([httpx.Response(200, json={"version": 2}), httpx.Response(204)])
    async with client_of(world) as client:
        changed = await client.call("PATCH", "/users/7", body={"name": "é"}, headers={"if-match": '"1"'})
        assert changed == {"version": 2}
        assert await client.call("DELETE", "/schedules/7", params={"a": "b c"}) == {}
    assert world.body() == {"name": "é"}
    assert world.sent("if-match") == ['"1"', None]
    assert world.seen[1].url.raw_path == b"/v1/schedules/7?a=b%20c"


async def test_nothing_is_repeated_where_that_is_switched_off() -> None:
    world = World([problem(503, "contended")])
    async with client_of(world, NO_RETRY) as client:
        with pytest.raises(Unavailable):
            await client.get("7")
    assert len(world.seen) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest), (401, NotAllowed), (403, NotAllowed), (404, NotFound), (409, Conflict), (410, NotFound),
        (412, Conflict), (413, InvalidRequest), (422, InvalidRequest), (429, Unavailable), (500, Unavailable),
        (503, Unavailable),
    ],
)  # fmt: skip
async def test_a_problem_is_raised_by_what_one_can_do_about_it(status: int, kind: type[Refused]) -> None:
    async with client_of(World([problem(status, "some_code")]), NO_RETRY) as client:
        with pytest.raises(kind, match="some_code: Told why") as raised:
            await client.get("7")
    assert type(raised.value) is kind
    assert (raised.value.problem.status, raised.value.problem.code) == (status, "some_code")
    assert raised.value.problem.errors[0].pointer == "/a"


async def test_a_refusal_of_the_gateway_says_why() -> None:
    challenge = 'Bearer error="invalid_token", error_description="the token has expired"'
    for document in ({}, {"detail": "the token has expired"}):  # The local stack's body says it too.
        body = {"message": "Unauthorized", **document}
        reply = httpx.Response(401, json=body, headers={"www-authenticate": challenge})
        async with client_of(World([reply])) as client:
            with pytest.raises(NotAllowed, match=r"401: Unauthorized: the token has expired$"):
                await client.get("7")


@pytest.mark.parametrize(
    "reply",
    [
        httpx.Response(200), httpx.Response(200, text="<html>"), httpx.Response(200, json=[]), job(id=1),
        httpx.Response(200, text="[" * 100_000), job(progress={"fraction": "x", "message": ""}), job(error="x"),
        job(attempt=True), httpx.Response(301, headers={"location": "https://other.test"}), job(created_at="today"),
        httpx.Response(404, text="<html>"), httpx.Response(500, json={}), httpx.Response(200, text='{"id": NaN}'),
        httpx.Response(200, content=b" " * 9_000_000),
    ],
)  # fmt: skip
async def test_a_server_that_is_not_headrace_is_told_from_one_that_is(reply: httpx.Response) -> None:
    async with client_of(World([reply])) as client:
        with pytest.raises(NotHeadrace):
            await client.get("7")


async def test_a_response_that_trickles_is_broken_off_and_asked_for_again() -> None:
    world = World([])

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(10):
            world.sleep(5)
            yield b" "

    world.steps[:] = [lambda _request: httpx.Response(200, content=slow()), job()]
    async with client_of(world, Retry(seconds=60)) as client:
        assert (await client.get("7")).id == "7"
        world.steps[:] = [lambda _request: httpx.Response(200, content=slow())]
        with pytest.raises(Unreachable, match="longer than 30 s"):
            await client.get("7")


async def test_a_job_can_be_a_member_of_a_set() -> None:
    async with client_of(World([job(payload={"a": []}, tags={"a": "b"}, history=[])])) as client:
        assert len({await client.get("7"), await client.get("7")}) == 1


async def test_a_jobs_history_says_what_a_failed_attempt_said_and_where() -> None:
    place = {"file": "a.py", "line": 7, "function": "run"}
    entry = {"status": "retrying", "at": "2026-11-27T12:00:00Z", "attempt": 1, "code": "KeyError", "message": "'rye'"}
    async with client_of(
        World([job(history=[{**entry, "frame": place}, {"status": "running", "at": None}])])
    ) as client:
        failed, running = (await client.get("7")).history
    assert (failed.code, failed.message, failed.frame) == ("KeyError", "'rye'", Frame("a.py", 7, "run"))
    assert (running.code, running.message, running.frame) == (None, None, None)


async def test_any_id_is_one_segment_of_a_path() -> None:
    world = World([job()])
    async with client_of(world) as client:
        await client.get("../users/é ?#")
    assert world.seen[0].url.raw_path == b"/v1/jobs/%2E%2E%2Fusers%2F%C3%A9%20%3F%23"


async def test_a_token_is_asked_for_before_each_request() -> None:
    tokens = iter(["one", "two"])
    world = World([problem(503, "contended"), job()])
    async with client_of(world, token=lambda: next(tokens)) as client:
        await client.get("7")
    assert world.sent("authorization") == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("token", ["", "two words", "line\nfeed", "é"])
async def test_what_is_no_token_is_not_sent_and_not_shown(token: str) -> None:
    world = World([job()])
    async with client_of(world, token=token) as client:
        with pytest.raises(ValueError, match="the token is not one") as raised:
            await client.get("7")
    assert not world.seen
    assert not token or token not in str(raised.value)


@pytest.mark.parametrize("key", ["", " a", "é", "a\n", "a" * 256])
async def test_what_is_no_key_is_not_sent(key: str) -> None:
    world = World([job()])
    async with client_of(world) as client:
        with pytest.raises(ValueError, match="idempotency key"):
            await client.submit("t", {}, key=key)
    assert not world.seen


@pytest.mark.parametrize("payload", [{"a": float("nan")}, {"a": object()}, "\ud800"])
async def test_what_is_not_json_is_not_sent(payload: dict[str, object] | str) -> None:
    world = World([job()])
    async with client_of(world) as client:
        with pytest.raises((ValueError, TypeError)):
            await client.submit("t", payload)
        with pytest.raises((ValueError, TypeError)):
            await client.submit_many([Submission("t", {}), Submission("t", payload)])
    assert not world.seen


async def test_a_prefix_leads_to_other_routes() -> None:
    world = World([job()])
    transport = httpx.MockTransport(world.async_handle)
    async with AsyncClient(f"{URL}/", prefix="/iam/v1", transport=transport) as client:
        await client.get("7")
    assert str(world.seen[0].url) == f"{URL}/iam/v1/jobs/7"
    assert world.sent("authorization") == [None]


async def test_an_address_that_is_none_is_unreachable_at_once() -> None:
    for url in ("ftp://api.test", "http://" + "a" * 64 + ".test", "api.test"):
        world = World([job()])
        async with AsyncClient(url, seams=world.async_seams(), retry=NO_RETRY) as client:
            with pytest.raises(HeadraceError):
                await client.get("7")


async def test_a_signal_is_sent_as_json_and_repeated_for_the_same_again_is_the_same() -> None:
    world = World([BROKEN, job(status="queued")])
    async with client_of(world) as client:
        signalled = await client.signal("7", "approved", {"by": "Ann"})
    assert signalled.status == "queued"
    assert [str(each.url) for each in world.seen] == [f"{URL}/v1/jobs/7/signals/approved"] * 2
    assert world.body() == {"by": "Ann"}


async def test_steps_are_iterated_page_after_page() -> None:
    step = {"name": "charge", "kind": "step", "began_at": "2026-11-23T03:00:00Z", "value": {"cents": 1}}
    sleep = {"name": "night", "kind": "time", "until": "2026-11-24T03:00:00Z", "value": None}
    pages = [httpx.Response(200, json={"items": [each], "next": after}) for each, after in ((step, "c"), (sleep, None))]
    world = World([*pages])
    async with client_of(world) as client:
        steps = [each async for each in client.steps("7", page_size=1)]
    assert [(each.name, each.kind, each.value) for each in steps] == [
        ("charge", "step", {"cents": 1}),
        ("night", "time", None),
    ]
    assert [dict(each.url.params) for each in world.seen] == [{"limit": "1"}, {"limit": "1", "cursor": "c"}]


async def test_children_are_iterated_page_after_page() -> None:
    parent = {"job_id": "7", "group": "thumbs", "place": 3}
    bare = {"type": "t", "status": "failed", "attempt": 1, "max_attempts": 1}
    first, second = {"id": "8", **bare, "parent": parent}, {"id": "9", **bare, "parent": {**parent, "place": 4}}
    pages = [
        httpx.Response(200, json={"items": [each], "next": after}) for each, after in ((first, "c"), (second, None))
    ]
    world = World([*pages])
    async with client_of(world) as client:
        children = [each async for each in client.children("7", group="thumbs", status="failed", page_size=1)]
    assert [each.parent.place if each.parent else None for each in children] == [3, 4]
    params = {"limit": "1", "group": "thumbs", "status": "failed"}
    assert [dict(each.url.params) for each in world.seen] == [params, {**params, "cursor": "c"}]


async def test_a_job_says_how_far_its_children_are() -> None:
    group = {"name": "thumbs", "type": "image.thumb", "size": 900, "begun": 900, "ended": 137, "failed": 2}
    parent = {"id": "7", "type": "t", "status": "waiting", "attempt": 0, "max_attempts": 1, "children": [group]}
    async with client_of(World([httpx.Response(200, json=parent)])) as client:
        job = await client.get("7")
    assert job.parent is None
    assert [(each.name, each.size, each.ended, each.failed) for each in job.children] == [("thumbs", 900, 137, 2)]


async def test_statistics_are_read() -> None:
    durations = {"count": 2, "mean": 1, "p50": 0.5, "p90": 2, "p95": 2.0, "p99": None}
    report = {
        "window": "24h", "since": "2026-11-26T15:00:00.000000Z", "until": "2026-11-27T14:55:31.000000Z",
        "counts": {"succeeded": 2, "failed": 1}, "cost_usd": 0.25, "points": [],
        "types": [{"type": "t", "counts": {"failed": 1}, "waiting": None, "running": durations, "cost_usd": 0}],
        "failures": [{"type": "t", "code": "boom", "count": 1, "last_job_id": "7", "last_at": None}],
        "unfinished": {"total": 3, "exact": True, "by_status": {"queued": 3}},
    }  # fmt: skip
    world = World([httpx.Response(200, json=report)])
    async with client_of(world) as client:
        stats = await client.stats("24h", type="t")
    assert world.seen[0].url.params == httpx.QueryParams({"window": "24h", "type": "t"})
    assert (stats.counts["succeeded"], stats.failures[0].code, stats.raw["points"]) == (2, "boom", [])
    running = stats.types[0].running
    assert running is not None
    assert (running.mean, running.p95, running.p99, stats.types[0].waiting) == (1.0, 2.0, None, None)
    assert stats.unfinished is not None
    assert (stats.unfinished.total, stats.unfinished.by_status) == (3, {"queued": 3})
