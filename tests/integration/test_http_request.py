"""http.request against a real server on this machine."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from pydantic import ValidationError

from headrace.authoring.outcomes import Fail, Retry
from headrace.authoring.secrets import give_value
from headrace.http.addresses import is_public
from headrace.http.answer import MAX_BODY_BYTES, retry_after
from headrace.testing import run_job_async
from job_types.http_request import (
    ALLOWED_HOSTS,
    DeliverHttpRequest,
    HttpRequest,
    HttpResponse,
    SecretHeader,
)
from tests.fakes.context import FakeContext


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[str]:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response(
            {"method": request.method, "headers": dict(request.headers), "body": (await request.text())},
            headers={"X-Twice": "a"},
        )

    async def status(request: web.Request) -> web.Response:
        headers = {"Retry-After": request.query["after"]} if "after" in request.query else {}
        return web.Response(status=int(request.match_info["status"]), headers=headers, text="told")

    async def big(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * (MAX_BODY_BYTES * 3))

    async def binary(_request: web.Request) -> web.Response:
        return web.Response(body=b"\xff\x00ok", headers={"Content-Type": "text/plain; charset=nonsense"})

    async def slow(_request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async def redirect(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})

    async def drop(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/echo", echo)
    app.router.add_route("*", "/status/{status}", status)
    app.router.add_get("/big", big)
    app.router.add_get("/binary", binary)
    app.router.add_get("/slow", slow)
    app.router.add_get("/redirect", redirect)
    app.router.add_get("/drop", drop)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def deliver(
    url: str, *, allowed: str = "127.0.0.1", traceparent: str | None = None, **fields: object
) -> HttpResponse | Retry | Fail:
    request = HttpRequest.model_validate({"url": url, "method": "GET", **fields})
    context = FakeContext({ALLOWED_HOSTS: allowed})
    context.traceparent = traceparent
    return await DeliverHttpRequest().run(request, context)


async def test_a_request_is_delivered_with_the_jobs_idempotency_key(server: str) -> None:
    answer = await deliver(f"{server}/echo", method="POST", body="héllo", headers={"X-Mine": "1"})
    assert isinstance(answer, HttpResponse)
    assert answer.status == 200
    assert '"Idempotency-Key": "job-1"' in answer.body
    assert '"X-Mine": "1"' in answer.body
    assert "h\\u00e9llo" in answer.body
    assert answer.headers["x-twice"] == "a"
    assert not answer.truncated


async def test_a_trace_is_sent_on_unless_the_request_has_one_of_its_own(server: str) -> None:
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    plain, traced = await deliver(f"{server}/echo"), await deliver(f"{server}/echo", traceparent=given)
    own = await deliver(f"{server}/echo", traceparent=given, headers={"TraceParent": "mine"})
    assert isinstance(plain, HttpResponse)
    assert isinstance(traced, HttpResponse)
    assert isinstance(own, HttpResponse)
    assert "traceparent" not in plain.body.lower()
    assert f'"traceparent": "{given[:36]}' in traced.body
    assert given not in traced.body
    assert own.body.lower().count("traceparent") == 1


async def test_head_has_no_body(server: str) -> None:
    answer = await deliver(f"{server}/echo", method="HEAD")
    assert isinstance(answer, HttpResponse)
    assert answer.body == ""


async def test_a_response_is_kept_up_to_the_limit(server: str) -> None:
    answer = await deliver(f"{server}/big")
    assert isinstance(answer, HttpResponse)
    assert len(answer.body) == MAX_BODY_BYTES
    assert answer.truncated


async def test_a_response_that_is_not_text_does_not_fail_the_job(server: str) -> None:
    answer = await deliver(f"{server}/binary")
    assert isinstance(answer, HttpResponse)
    assert answer.body == "\ufffd\x00ok"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_a_temporary_failure_is_retried(server: str, status: int) -> None:
    answer = await deliver(f"{server}/status/{status}")
    assert isinstance(answer, Retry)
    assert (answer.code, answer.after) == (f"http_{status}", None)


async def test_retry_after_is_honoured(server: str) -> None:
    answer = await deliver(f"{server}/status/503?after=17")
    assert isinstance(answer, Retry)
    assert answer.after == timedelta(seconds=17)


@pytest.mark.parametrize("status", [301, 304, 400, 401, 404, 410])
async def test_a_lasting_failure_is_permanent(server: str, status: int) -> None:
    answer = await deliver(f"{server}/status/{status}")
    assert isinstance(answer, Fail)
    assert answer.code == f"http_{status}"


async def test_the_expected_status_decides(server: str) -> None:
    assert isinstance(await deliver(f"{server}/status/404", expect_status=[404]), HttpResponse)
    assert isinstance(await deliver(f"{server}/status/503", expect_status=[503]), HttpResponse)
    assert isinstance(await deliver(f"{server}/status/200", expect_status=[201]), Fail)


async def test_a_redirect_is_not_followed(server: str) -> None:
    answer = await deliver(f"{server}/redirect", expect_status=[302])
    assert isinstance(answer, HttpResponse)
    assert answer.headers["location"] == "http://169.254.169.254/"


async def test_a_timeout_is_retried(server: str) -> None:
    answer = await deliver(f"{server}/slow", timeout_seconds=0.2)
    assert isinstance(answer, Retry)
    assert answer.code == "timeout"


async def test_a_broken_connection_is_retried(server: str) -> None:
    answer = await deliver(f"{server}/drop")
    assert isinstance(answer, Retry)
    assert answer.code == "connection"


async def test_a_refused_connection_is_retried() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answer = await deliver(f"http://127.0.0.1:{port}/")
    assert isinstance(answer, Retry)


async def test_a_host_name_without_an_address_is_retried() -> None:
    answer = await deliver("http://nobody.invalid/")
    assert isinstance(answer, Retry)
    assert answer.code == "dns"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",
     "169.254.169.254", "100.64.0.1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
     "[fe80::1]", "[fd00::1]", "[ff02::1]", "224.0.0.1", "255.255.255.255", "240.0.0.1"],
)  # fmt: skip
async def test_a_private_address_in_any_spelling_is_never_connected_to(server: str, host: str) -> None:
    port = server.rsplit(":", 1)[1]
    answer = await deliver(f"http://{host}:{port}/echo", allowed="")
    assert isinstance(answer, Fail | Retry)
    assert answer.code in {"forbidden_address", "dns"}


@pytest.mark.parametrize("allowed", ["localhost", " other:1 , LOCALHOST:{port} "])
async def test_a_private_host_can_be_permitted_by_name(server: str, allowed: str) -> None:
    port = server.rsplit(":", 1)[1]
    answer = await deliver(f"http://localhost:{port}/echo", allowed=allowed.format(port=port))
    assert isinstance(answer, HttpResponse)


async def test_permitting_one_port_does_not_permit_another(server: str) -> None:
    answer = await deliver(f"{server}/echo", allowed="127.0.0.1:1")
    assert isinstance(answer, Fail)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888"])
def test_known_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "ftp://example.com/"},
        {"url": "http:///path"},
        {"url": "http://user:secret@example.com/"},
        {"url": "http://example.com:99999/"},
        {"url": "http://exa mple.com/"},
        {"url": "http://exämple.com/"},
        {"url": "http://[::1/"},
        {"url": "http://example.com/", "method": "TRACE"},
        {"url": "http://example.com/", "headers": {"Host": "other"}},
        {"url": "http://example.com/", "headers": {"X-A": "a\r\nX-B: b"}},
        {"url": "http://example.com/", "headers": {"X A": "a"}},
        {"url": "http://example.com/", "timeout_seconds": 0},
        {"url": "http://example.com/", "timeout_seconds": 1000},
        {"url": "http://example.com/", "expect_status": []},
        {"url": "http://example.com/", "expect_status": [99]},
        {"url": "http://example.com/", "unknown": 1},
    ],
)
def test_a_request_that_cannot_be_sent_is_refused_at_submission(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        HttpRequest.model_validate(fields)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", timedelta(0)),
        ("120", timedelta(seconds=120)),
        ("soon", None),
        ("-5", None),
        ("9" * 30, timedelta(seconds=10**9)),
        ("Mon, 23 Nov 2026 03:00:30 GMT", timedelta(seconds=30)),
        ("Mon, 23 Nov 2026 02:00:00 GMT", timedelta(0)),
        ("Mon, 23 Nov 2026 03:00:30", timedelta(seconds=30)),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, expected: timedelta | None) -> None:
    assert retry_after(value, datetime(2026, 11, 23, 3, 0, tzinfo=UTC)) == expected


async def test_a_header_may_be_a_secret_which_the_payload_and_the_result_do_not_hold(server: str) -> None:
    host = server.removeprefix("http://")
    payload = {
        "url": f"{server}/echo",
        "headers": {
            "Authorization": {"secret": "token", "prefix": "Bearer "},
            "X-Key": {"secret": "key"},
            "X-Plain": "p",
        },
    }
    handler = DeliverHttpRequest()
    run = await run_job_async(
        handler, payload, settings={ALLOWED_HOSTS: host}, secrets={"token": "tok_012345", "key": "key_012345"}
    )
    echoed = json.loads(run.result.body)["headers"]
    assert (echoed["Authorization"], echoed["X-Key"]) == ("Bearer [secret token]", "[secret key]")
    assert echoed["X-Plain"] == "p"


async def test_the_value_of_a_secret_header_is_sent(server: str) -> None:
    request = HttpRequest.model_validate({"url": f"{server}/echo", "headers": {"X-Key": {"secret": "key"}}})
    (header,) = request.headers.values()
    assert isinstance(header, SecretHeader)
    give_value(header, "key_012345")
    context = FakeContext(settings={ALLOWED_HOSTS: server.removeprefix("http://")})
    response = await DeliverHttpRequest().run(request, context)
    assert isinstance(response, HttpResponse)
    assert json.loads(response.body)["headers"]["X-Key"] == "key_012345"


async def test_a_secret_that_no_header_can_hold_sends_nothing(server: str) -> None:
    payload = {"url": f"{server}/echo", "headers": {"X-Key": {"secret": "key"}}}
    run = await run_job_async(DeliverHttpRequest(), payload, secrets={"key": "a\r\nX-Injected: 1"})
    assert run.error is not None
    assert (run.error.code, run.error.message) == ("invalid_secret", "the secret for X-Key holds what no header can")
    with pytest.raises(ValidationError, match="not a header"):
        HttpRequest.model_validate({"url": server, "headers": {"X-Key": {"secret": "key", "prefix": "a\n"}}})
