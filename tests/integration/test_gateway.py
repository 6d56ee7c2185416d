"""The gateway on a real socket, in front of a function that records its events."""

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import JsonValue

from headrace.emulator.cors import Cors
from headrace.emulator.execution_environment import CANNOT_START, FunctionFailed, Result, Returned
from headrace.emulator.gateway import Gateway
from headrace.emulator.signatures import RoleAuthority
from headrace.emulator.state import Folder
from headrace.emulator.template import Route
from headrace.emulator.tokens import WANTED, TokenAuthority, local_authority

ROUTES = (
    Route(path="/v1/{proxy+}", methods=frozenset(), function="F", authorizer="jwt"),
    Route(path="/v1/{proxy+}", methods=frozenset({"OPTIONS"}), function="F", authorizer="none"),
    Route(path="/open/{proxy+}", methods=frozenset(), function="F", authorizer="none"),
    Route(path="/open/exact", methods=frozenset({"GET"}), function="G", authorizer="none"),
)
JSON = b"content-type: application/json\r\n"
CORS = Cors.model_validate({
    "allowOrigins": ["https://app.test"], "allowMethods": ["GET", "POST"], "allowHeaders": ["authorization"],
    "exposeHeaders": ["etag", "location"], "maxAge": 600,
})  # fmt: skip
PAGE, OTHER_PAGE = b"Origin: https://app.test\r\n", b"Origin: https://other.test\r\n"


class Function:
    """Records its events, and returns the response that a test sets."""

    def __init__(self) -> None:
        self.events: list[dict[str, JsonValue]] = []
        self.result: Result = Returned(payload={"statusCode": 200, "body": "done"})
        self.seconds = 0.0
        self.is_held = False
        self.cancelled = 0

    async def invoke(self, event: JsonValue, *, for_mending: bool = True) -> Result:
        assert isinstance(event, dict)
        assert not for_mending, "a caller would wait for a person's mending"
        if self.is_held:
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled += 1
        json.dumps(event, ensure_ascii=False).encode()
        self.events.append(event)
        await asyncio.sleep(self.seconds)
        return self.result


class Reply:
    """The bytes of a response."""

    def __init__(self, raw: bytes) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.status = int(head.split()[1]) if head else 0
        lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        self.headers = {name.lower().decode(): value.strip().decode() for name, _, value in lines}


class Served:
    """A running gateway."""

    def __init__(self, function: Function, exact: Function, authority: TokenAuthority, port: int) -> None:
        self.function = function
        self.exact = exact
        self.authority = authority
        self.port = port

    async def raw(self, sent: bytes) -> Reply:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            return Reply(await asyncio.wait_for(reader.read(), timeout=10))
        finally:
            writer.close()

    async def call(self, target: bytes, headers: bytes = b"", body: bytes | None = None, method: bytes = b"") -> Reply:
        length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
        verb = method or (b"GET" if body is None else b"POST")
        head = verb + b" " + target + b" HTTP/1.1\r\nHost: local.test\r\nConnection: close\r\n"
        return await self.raw(head + headers + length + b"\r\n" + (body or b""))

    def token(self) -> bytes:
        return self.authority.mint("ada@example.com", datetime.now(UTC), timedelta(hours=1)).encode()

    def event(self) -> dict[str, JsonValue]:
        return self.function.events[-1]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    function, exact, authority = Function(), Function(), local_authority(Folder(tmp_path / ".headrace"))
    gateway = Gateway(
        ROUTES, {"F": function, "G": exact}, authority, RoleAuthority("0" * 64), integration_seconds=0.5, cors=CORS
    )
    runner = gateway.runner()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Served(function, exact, authority, runner.addresses[0][1])
    await runner.cleanup()


async def test_the_path_is_decoded_and_the_query_is_not(served: Served) -> None:
    await served.call(b"/open/a%2Fb%20c/%C3%A9%ff%00%0a?x=1&x=%C3%A9+b&y=&z=%ff")
    event = served.event()
    assert event["rawPath"] == "/open/a/b c/é\ufffd\x00\n"
    assert event["rawQueryString"] == "x=1&x=%C3%A9+b&y=&z=%ff"
    assert event["queryStringParameters"] == {"x": "1,é b", "y": "", "z": "\ufffd"}
    assert event["pathParameters"] == {"proxy": "a/b c/é\ufffd\x00\n"}
    context = event["requestContext"]
    assert isinstance(context, dict)
    assert isinstance(context["http"], dict)
    assert context["http"]["path"] == event["rawPath"]


@pytest.mark.parametrize("path", [b"/open/x/", b"/open//x", b"/open/./x", b"/open/../x"])
async def test_paths_are_passed_on_without_being_tidied(served: Served, path: bytes) -> None:
    assert (await served.call(path)).status == 200
    assert served.event()["rawPath"] == path.decode()


async def test_headers_are_joined_and_cookies_apart(served: Served) -> None:
    await served.call(b"/open/x", b'X-A: 1\r\nx-a: \xc3\xa9\r\nCookie: a=1; b="x y"\r\nCookie: c=2\r\n')
    headers = served.event()["headers"]
    assert isinstance(headers, dict)
    assert headers["x-a"] == "1,é"
    assert "cookie" not in headers
    assert served.event()["cookies"] == ["a=1", 'b="x y"', "c=2"]


async def test_headers_of_a_client_do_not_override_the_gateways_view_of_the_connection(served: Served) -> None:
    await served.call(b"/open/x", b"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Port: 1\r\n")
    headers = served.event()["headers"]
    assert isinstance(headers, dict)
    assert headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert (headers["x-forwarded-proto"], headers["x-forwarded-port"]) == ("http", str(served.port))


@pytest.mark.parametrize(
    ("headers", "is_text"),
    [
        (JSON, True),
        (b"content-type: Application/JSON; charset=utf-8\r\n", True),
        (b"content-type: text/csv\r\n", True),
        (b"content-type: application/xml\r\n", True),
        (b"", False),
        (b"content-type: image/png\r\n", False),
        (b"content-type: application/x-www-form-urlencoded\r\n", False),
        (JSON + b"content-encoding: br\r\n", False),
    ],
)
async def test_the_body_is_text_only_under_a_text_type(served: Served, headers: bytes, is_text: bool) -> None:
    await served.call(b"/open/x", headers, b'{"a": "\xc3\xa9"}')
    event = served.event()
    assert event["isBase64Encoded"] is not is_text
    assert event["body"] == ('{"a": "é"}' if is_text else "eyJhIjogIsOpIn0=")


async def test_a_compressed_body_is_passed_on_unchanged(served: Served) -> None:
    packed = gzip.compress(b"{}", mtime=0)
    await served.call(b"/open/x", JSON + b"Content-Encoding: gzip\r\n", packed)
    event = served.event()
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(str(event["body"])) == packed
    assert isinstance(event["headers"], dict)
    assert event["headers"]["content-encoding"] == "gzip"


async def test_a_body_that_is_not_utf_8_arrives_unchanged(served: Served) -> None:
    await served.call(b"/open/x", JSON, b"\xff")
    assert (served.event()["isBase64Encoded"], served.event()["body"]) == (True, "/w==")


@pytest.mark.parametrize(
    "headers",
    [
        b"X-A: \xe9\r\n", b"Idempotency-Key: \xe9\r\n", b"Cookie: \xff=1\r\n", b"X-\xe9: 1\r\n", b"X A: 1\r\n",
        b"X-A: a\0b\r\n", b"X-A: a\rb\r\n", b"X-A: a\r\n folded\r\n", b"no colon\r\n", b": empty\r\n",
        b"Authorization: Bearer \xe9\r\n", b"Content-Length: x\r\n", b"Content-Length: -1\r\n",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 1\r\nContent-Length: 2\r\n",
        b"Transfer-Encoding: banana\r\n", b"Host: another\r\n",
    ],
)  # fmt: skip
async def test_malformed_headers_are_400_and_nothing_is_invoked(
    served: Served, headers: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (await served.call(b"/open/x", headers)).status == 400
    assert served.function.events == []
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "sent",
    [
        b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /open/x\r\n\r\n", b"GET /open/\xe9 HTTP/1.1\r\n\r\n",
        b"GET /open/x?\xff HTTP/1.1\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n", b"get /open/x HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET http://[/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /open/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /open/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabXX\r\n0\r\n\r\n",
    ],
)  # fmt: skip
async def test_malformed_requests_are_400_and_leave_no_trace_on_the_terminal(
    served: Served, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert (await served.raw(sent)).status == 400
    assert served.function.events == []
    assert capfd.readouterr().err == ""


async def test_a_chunk_that_breaks_later_is_400(served: Served, capfd: pytest.CaptureFixture[str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"POST /open/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    await asyncio.sleep(0.1)
    writer.write(b"zz\r\n")
    assert Reply(await asyncio.wait_for(reader.read(), timeout=10)).status == 400
    writer.close()
    assert served.function.events == []
    assert capfd.readouterr().err == ""


async def test_a_client_that_disconnects_during_its_body_causes_no_server_error(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"POST /open/x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab")
    await asyncio.sleep(0.1)
    writer.close()
    await asyncio.sleep(0.1)
    assert served.function.events == []
    assert capfd.readouterr().err == ""


async def test_request_line_and_headers_have_10240_bytes_together(served: Served) -> None:
    fixed = len(b"GET /open/x HTTP/1.1\r\nHost: local.test\r\nConnection: close\r\nX-A: \r\n")
    fits = 10_240 - fixed
    assert (await served.call(b"/open/x", b"X-A: " + b"a" * fits + b"\r\n")).status == 200
    assert (await served.call(b"/open/x", b"X-A: " + b"a" * (fits + 1) + b"\r\n")).status == 431
    assert (await served.call(b"/open/" + b"a" * 11_000)).status == 414


@pytest.mark.parametrize(("size", "status"), [(6_000_000, 200), (6_400_000, 413), (10_500_000, 413)])
async def test_a_body_beyond_lambdas_or_the_gateways_limit_is_413(served: Served, size: int, status: int) -> None:
    assert (await served.call(b"/open/x", JSON, b"x" * size)).status == status


async def test_an_interim_response_is_sent_to_clients_that_expect_one(served: Served) -> None:
    reply = await served.call(b"/open/x", JSON + b"Expect: 100-continue\r\n", b"{}")
    assert reply.status == 100
    assert b"HTTP/1.1 200 OK" in reply.body
    assert (await served.call(b"/open/x", JSON + b"Expect: miracles\r\n", b"{}")).status == 417


async def test_head_has_no_body_and_the_absolute_form_is_understood(served: Served) -> None:
    head = await served.call(b"/open/x", method=b"HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(len("done")), b"")
    for target, path in ((b"http://h:1/open/x?a=b", "/open/x"), (b"HTTP://h?/x", "/")):
        await served.call(target)
        if path != "/":
            assert served.event()["rawPath"] == path


@pytest.mark.parametrize("path", [b"/nope", b"/", b"/open", b"/open/", b"/Open/x", b"/v1", b"*"])
async def test_an_unknown_path_is_not_found(served: Served, path: bytes) -> None:
    reply = await served.call(path, method=b"OPTIONS" if path == b"*" else b"")
    assert (reply.status, json.loads(reply.body)) == (404, {"message": "Not Found"})


async def test_a_preflight_request_needs_no_token_and_its_answer_has_the_configured_headers(served: Served) -> None:
    asked = PAGE + b"Access-Control-Request-Method: POST\r\n"
    served.function.result = Returned(payload={"statusCode": 204, "headers": {"allow": "GET"}})
    reply = await served.call(b"/v1/jobs", asked, method=b"OPTIONS")
    assert (reply.status, len(served.function.events)) == (204, 1)
    assert await _cors_headers(served, b"/v1/jobs", asked, b"OPTIONS") == {
        "access-control-allow-origin": "https://app.test",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "authorization",
        "access-control-expose-headers": "etag,location",
        "access-control-max-age": "600",
    }
    unrouted = await served.call(b"/nope", asked, method=b"OPTIONS")
    assert (unrouted.status, unrouted.headers["access-control-allow-origin"]) == (204, "https://app.test")
    assert (await served.call(b"/nope", PAGE, method=b"OPTIONS")).status == 404, "it asks for nothing"
    other = OTHER_PAGE + b"Access-Control-Request-Method: POST\r\n"
    assert await _cors_headers(served, b"/v1/jobs", other, b"OPTIONS") == {}


async def test_a_function_has_no_say_in_which_origins_may_read_its_answers(served: Served) -> None:
    own: JsonValue = {"access-control-allow-origin": "*", "access-control-allow-credentials": "true", "etag": '"1"'}
    served.function.result = Returned(payload={"statusCode": 200, "headers": own})
    assert await _cors_headers(served, b"/open/x", PAGE) == {
        "access-control-allow-origin": "https://app.test",
        "access-control-expose-headers": "etag,location",
    }
    for other in (OTHER_PAGE, b"", b"Origin: null\r\n", b"Origin: https://app.test.evil\r\n"):
        assert await _cors_headers(served, b"/open/x", other) == {}
    assert await _cors_headers(served, b"/v1/jobs", PAGE) == {}, "a 401 of the gateway itself"


async def _cors_headers(served: Served, target: bytes, headers: bytes, method: bytes = b"") -> dict[str, str]:
    reply = await served.call(target, headers, method=method)
    return {name: value for name, value in reply.headers.items() if name.startswith("access-control-")}


async def test_the_most_specific_route_is_taken(served: Served) -> None:
    await served.call(b"/open/exact")
    assert len(served.exact.events) == 1
    await served.call(b"/open/exact", body=b"")
    assert len(served.function.events) == 1


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER   ", b""])
async def test_a_token_may_follow_bearer_or_be_sent_alone(served: Served, scheme: bytes) -> None:
    reply = await served.call(b"/v1/x", b"Authorization: " + scheme + served.token() + b"\r\n")
    assert reply.status == 200
    context = served.event()["requestContext"]
    assert isinstance(context, dict)
    authorizer = context["authorizer"]
    assert isinstance(authorizer, dict)
    assert isinstance(authorizer["jwt"], dict)
    claims = authorizer["jwt"]["claims"]
    assert isinstance(claims, dict)
    assert (claims["email"], claims["email_verified"]) == ("ada@example.com", "true")


@pytest.mark.parametrize("headers", [b"", b"Authorization:\r\n", b"Authorization: Bearer\r\n"])
async def test_without_a_token_it_is_401(served: Served, headers: bytes) -> None:
    reply = await served.call(b"/v1/x", headers)
    detail = f"the request has no token; {WANTED}"
    assert (reply.status, json.loads(reply.body)) == (401, {"message": "Unauthorized", "detail": detail})
    assert reply.headers["www-authenticate"] == f'Bearer realm="headrace" error_description="{detail}"'


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"Basic eDp5", "a user name and password (Basic) are not accepted"),
        (b"basic eDp5", "a user name and password (Basic) are not accepted"),
        (b"ApiKey s3cret", "a key (ApiKey) is not accepted"),
        (b"AWS4-HMAC-SHA256 Credential=AKIA/1, Signature=s3cret", "a signature of AWS is for the paths below /iam/v1"),
        (b"s3cret s3cret", "the scheme is not Bearer"),
        (b"Bearer hr_12345678_s3cret", "this is an API key, which is for the paths below /key/v1"),
        (b"hr_12345678_s3cret", "this is an API key, which is for the paths below /key/v1"),
        (b"Bearer s3cret", "this is not a JWT"),
    ],
)
async def test_what_is_no_token_is_told_what_is_wanted_on_the_console_too(
    served: Served, value: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = await served.call(b"/v1/x", b"Authorization: " + value + b"\r\n")
    detail = json.loads(reply.body)["detail"]
    assert (reply.status, detail.startswith(said), detail.endswith(WANTED)) == (401, True, True), detail
    told = capsys.readouterr().err
    assert f'error_description="{detail}"' in reply.headers["www-authenticate"]
    assert told == f"401 GET '/v1/x': {detail}\n"
    assert "s3cret" not in f"{reply.headers} {reply.body!r} {told}"


async def test_a_401_says_why_on_the_console_and_never_shows_the_token(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = await served.call(b"/v1/x", b"Authorization: Bearer secret\r\n")
    await served.call(b"/v1/x", b"")
    assert f'error_description="this is not a JWT; {WANTED}"' in reply.headers["www-authenticate"]
    wrong, missing = capsys.readouterr().err.splitlines()
    assert wrong == f"401 GET '/v1/x': this is not a JWT; {WANTED}"
    assert missing == f"401 GET '/v1/x': the request has no token; {WANTED}"


async def test_a_wrong_token_is_401_with_a_reason(served: Served) -> None:
    token = served.token()
    for value in (b"Basic eDp5", b"Bearer x", b"Bearer " + token + b"x", b"Bearer\t" + token, b"Token " + token):
        reply = await served.call(b"/v1/x", b"Authorization: " + value + b"\r\n")
        assert reply.status == 401, value
        assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    twice = b"Authorization: Bearer " + token + b"\r\nAuthorization: Bearer " + token + b"\r\n"
    assert (await served.call(b"/v1/x", twice)).status == 401
    assert served.function.events == []


@pytest.mark.parametrize(
    "result",
    [
        FunctionFailed(error_type="Function.ResponseSizeTooLarge", message=""),
        FunctionFailed(error_type="Sandbox.Timedout", message=""),
        Returned(payload={"statusCode": "lost"}),
        Returned(payload={"statusCode": 200, "headers": []}),
        Returned(payload={"statusCode": 200, "body": "?", "isBase64Encoded": True}),
        Returned(payload={"statusCode": 200, "headers": {"a": "b\r\nc: d"}}),
    ],
)
async def test_a_function_that_fails_or_returns_a_malformed_response_is_500(
    served: Served, result: Result, capfd: pytest.CaptureFixture[str]
) -> None:
    served.function.result = result
    reply = await served.call(b"/open/x")
    assert (reply.status, json.loads(reply.body)) == (500, {"message": "Internal Server Error"})
    assert "Traceback" not in capfd.readouterr().err


async def test_nothing_is_accepted_while_the_disk_is_nearly_full(tmp_path: Path) -> None:
    """No function sees it, so that no job is answered with 201 and then lost; reads are answered as ever."""
    function, authority = Function(), local_authority(Folder(tmp_path / ".headrace"))
    full = [True]
    gateway = Gateway(
        ROUTES, {"F": function, "G": function}, authority, RoleAuthority("0" * 64), is_full=lambda: full[0]
    )
    runner = gateway.runner()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served = Served(function, function, authority, runner.addresses[0][1])
    refused = await served.call(b"/open/x", body=b"{}")
    assert (refused.status, json.loads(refused.body)["code"]) == (503, "disk_full")
    assert function.events == []
    assert (await served.call(b"/open/x")).status == 200
    full[0] = False
    assert (await served.call(b"/open/x", body=b"{}")).status == 200
    await runner.cleanup()


async def test_why_a_function_cannot_start_is_told_at_once(served: Served) -> None:
    served.function.result = FunctionFailed(error_type=CANNOT_START, message="KeyError: 'x' (/shop/orders.py:7)")
    reply = await served.call(b"/open/x")
    assert (reply.status, reply.headers["content-type"]) == (503, "application/problem+json; charset=utf-8")
    assert json.loads(reply.body) == {
        "type": "urn:headrace:problem:function_cannot_start",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "F cannot start: KeyError: 'x' (/shop/orders.py:7)",
        "code": "function_cannot_start",
    }


async def test_a_late_response_is_503_and_the_function_continues(served: Served) -> None:
    served.function.seconds = 0.8
    reply = await served.call(b"/open/x")
    assert (reply.status, json.loads(reply.body)) == (503, {"message": "Service Unavailable"})
    served.function.seconds = 0
    assert (await served.call(b"/open/x")).status == 200


async def test_a_request_that_was_told_503_while_the_function_is_reloaded_is_never_run(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    served.function.is_held = True
    reply = await served.call(b"/open/x")
    assert reply.status == 503
    assert (served.function.cancelled, served.function.events) == (1, [])
    assert "503 from F: it is being reloaded, and the request waited 0.5 s in vain" in capfd.readouterr().err


async def test_a_bug_of_the_gateway_is_one_line_on_the_terminal(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    served.function.seconds = -1
    served.function.result = None  # type: ignore[assignment]

    async def fail(event: JsonValue, *, for_mending: bool = True) -> Result:
        raise ZeroDivisionError

    served.function.invoke = fail  # type: ignore[method-assign]
    reply = await served.call(b"/open/x")
    assert (reply.status, json.loads(reply.body)) == (500, {"message": "Internal Server Error"})
    stderr = capfd.readouterr().err
    assert "the gateway failed: ZeroDivisionError" in stderr
    assert "Traceback" not in stderr
