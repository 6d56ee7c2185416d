"""http.request against a server of raw bytes: what is sent, and responses that no library would accept."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from domain.jobs.guard import MAX_RESULT_BYTES
from headrace.authoring.json_text import byte_length, to_json_text
from headrace.authoring.outcomes import Fail, Retry
from headrace.http.answer import MAX_BODY_BYTES
from job_types.http_request import ALLOWED_HOSTS, DeliverHttpRequest, HttpRequest, HttpResponse
from tests.fakes.context import FakeContext

Outcome = HttpResponse | Retry | Fail
OK = b"HTTP/1.1 200 OK\r\n"


class Server:
    """Sends `answer` to every connection, in pieces, and keeps what it receives."""

    def __init__(self, answer: tuple[bytes, ...], after: str) -> None:
        self.answer = answer
        self.after = after
        self.requests: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
        self.requests.append(head + await reader.readexactly(length))
        with suppress(ConnectionError):  # a client that has what it wants goes
            for piece in self.answer:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        match self.after:
            case "close":
                writer.close()
            case "reset":
                await asyncio.sleep(0.05)
                writer.transport.abort()
            case _:
                await reader.read()
                writer.close()


@asynccontextmanager
async def serving(*answer: bytes, after: str = "close") -> AsyncIterator[Server]:
    server = Server(answer, after)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server


async def deliver(server: Server, target: str = "/", **fields: object) -> Outcome:
    url = f"http://127.0.0.1:{server.port}{target}"
    request = HttpRequest.model_validate({"url": url, "method": "GET", **fields})
    return await DeliverHttpRequest().run(request, FakeContext({ALLOWED_HOSTS: "127.0.0.1"}))


async def answered(*answer: bytes, after: str = "close", **fields: object) -> HttpResponse:
    """Return the result of one delivery; check that the request was sent once and that the result can be stored."""
    async with serving(*answer, after=after) as server:
        result = await deliver(server, "/", **fields)
    assert isinstance(result, HttpResponse), result
    assert len(server.requests) == 1
    assert byte_length(to_json_text(result.model_dump(mode="json"))) < MAX_RESULT_BYTES
    return result


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        ("/f%28o%29.txt?u=http%3A%2F%2Fx", None),
        ("/a/../b", None),
        ("/%2e%2e/s", None),
        ("/./a//b/", None),
        ("//a//b", None),
        ("/a?", None),
        ("/?", None),
        ("/a;b=c;d", None),
        ("/%7Euser/%2f%2F?q=%20+%2B", None),
        ("/a?b=c?d=/e&&=&x", None),
        ("/[a]{b}|c^d`e<f>g\"h'i\\j", None),
        ("/%zz%", None),
        ("/a?X-Amz-Signature=%2Fabc%3D&Expires=1", None),
        ("", "/"),
        ("?a=b", "/?a=b"),
        ("#f", "/"),
        ("/a#f?b", "/a"),
        ("/a?b#c#d", "/a?b"),
    ],
)
async def test_the_url_is_sent_as_submitted(target: str, sent: str | None) -> None:
    async with serving(OK, b"\r\n") as server:
        assert isinstance(await deliver(server, target), HttpResponse)
    assert server.requests[0].split(b"\r\n")[0] == f"GET {target if sent is None else sent} HTTP/1.1".encode()


async def test_a_request_has_the_callers_headers_and_only_what_a_message_needs() -> None:
    async with serving(OK, b"\r\n") as server:
        await deliver(server, method="POST", headers={"X-b": " a,  b", "x-A": "é"}, body="é\r\n")
        await deliver(server, method="GET")
        await deliver(server, method="PUT")
        await deliver(server, method="DELETE", body="")
    host = f"Host: 127.0.0.1:{server.port}\r\n"
    ours = "Idempotency-Key: job-1\r\n"
    assert [request.decode() for request in server.requests] == [
        f"POST / HTTP/1.1\r\n{host}X-b:  a,  b\r\nx-A: é\r\n{ours}Content-Length: 4\r\nConnection: close\r\n\r\né\r\n",
        f"GET / HTTP/1.1\r\n{host}{ours}Connection: close\r\n\r\n",
        f"PUT / HTTP/1.1\r\n{host}{ours}Content-Length: 0\r\nConnection: close\r\n\r\n",
        f"DELETE / HTTP/1.1\r\n{host}{ours}Content-Length: 0\r\nConnection: close\r\n\r\n",
    ]


async def test_the_host_is_named_as_in_the_url() -> None:
    async with serving(OK, b"\r\n") as server:
        url = f"HTTP://LocalHost:{server.port}/"
        request = HttpRequest.model_validate({"url": url})
        result = await DeliverHttpRequest().run(request, FakeContext({ALLOWED_HOSTS: f"localhost:{server.port}"}))
    assert isinstance(result, HttpResponse)
    assert f"Host: LocalHost:{server.port}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize(
    ("head", "header"),
    [
        (b"X-A: caf\xe9\r\n", "caf\ufffd"),
        (b"X-A: caf\xc3\xa9\r\n", "café"),
        (b"X-A: \x00\x01\r\n", "\x00\x01"),
        (b"X-A: a\r\n folded\r\n\tmore\r\n", "a folded more"),
        (b"no header at all\r\nX-A: 1\r\n", "1"),
        (b": no name\r\nX-A: 1\r\n", "1"),
        (b"X-A : 1\r\n", "1"),
        (b"X-A: 1\n", "1"),
        (b"X B: c\r\n\xff\xfe: d\r\nX-A: 1\r\n", "1"),
        (b"Content-Type: a\r\nContent-Type: b\r\nX-A: 1\r\n", "1"),
        (b"Transfer-Encoding: gzip, nonsense\r\nX-A: 1\r\n", "1"),
        (b"Content-Type: text/plain; charset=base64\r\nX-A: 1\r\n", "1"),
        (b"Content-Type: text/plain; charset=idna\r\nX-A: 1\r\n", "1"),
        (b"Content-Encoding: gzip\r\nX-A: 1\r\n", "1"),
        (b"Content-Encoding: br\r\nX-A: 1\r\n", "1"),
        (b"Content-Encoding: deflate\r\nX-A: 1\r\n", "1"),
        (b"Content-Encoding: zstd, gzip\r\nX-A: 1\r\n", "1"),
        (b"Set-Cookie: a=\xff; Expires=Mon, 99 Foo 999999999999\r\nX-A: 1\r\n", "1"),
        (b"Upgrade: websocket\r\nX-A: 1\r\n", "1"),
        (b"X-A: 1\r\n" + b"".join(b"N%d: v\r\n" % number for number in range(2000)), "1"),
        (b"X-A: " + b"x" * 100_000 + b"\r\n", "x" * 4096),
        (b"Content-Length: nonsense\r\nX-A: 1\r\n", "1"),
        (b"Content-Length: -5\r\nX-A: 1\r\n", "1"),
        (b"Content-Length: 1\r\nContent-Length: 99\r\nX-A: 1\r\n", "1"),
        (b"Content-Length: " + b"9" * 5000 + b"\r\nX-A: 1\r\n", "1"),
        (b"Location: http://[::1/\r\nX-A: 1\r\n", "1"),
    ],
)
async def test_a_delivery_succeeds_whatever_the_headers_of_the_response_contain(head: bytes, header: str) -> None:
    result = await answered(OK, head, b"\r\n", b"hello")
    assert (result.status, result.body, result.headers["x-a"]) == (200, "hello", header)


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 200\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 caf\xe9\r\n", b"HTTP/1.1 200 OK\n",
             b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n", b"HTTP/2.0  200 \r\n"]
)  # fmt: skip
async def test_a_delivery_succeeds_whatever_the_reason_phrase_of_the_response(line: bytes) -> None:
    result = await answered(line, b"A: b\r\n\r\n", b"hello")
    assert (result.status, result.body, result.headers) == (200, "hello", {"a": "b"})


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "body", "truncated"),
    [
        (b"\r\nall", "all", False),
        (b"Content-Length: 3\r\n\r\nall", "all", False),
        (b"Content-Length: 3\r\n\r\nall and more", "all", False),
        (b"Content-Length: 10\r\n\r\npart", "part", True),
        (b"Content-Length: 0\r\n\r\n", "", False),
        (CHUNKED + b"3\r\nall\r\n0\r\n\r\n", "all", False),
        (CHUNKED + b'2;x="y"\r\nal\r\n01\nl\n0\r\nTrailer: x\r\n\r\n', "all", False),
        (CHUNKED + b"a\r\npart", "part", True),
        (CHUNKED + b"4\r\npart\r\n", "part", True),
        (CHUNKED + b"4\r\npart\r\nxyz\r\nmore", "part", True),
        (CHUNKED + b"4\r\npartmore\r\n0\r\n\r\n", "part", True),
        (CHUNKED + b"4\r\npart\r\n-1\r\nmore", "part", True),
        (CHUNKED + b"4\r\npart\r\n" + b"f" * 5000 + b"\r\nmore", "part", True),
        (CHUNKED + b"ffffffffffffffff\r\npart", "part", True),
        (CHUNKED, "", True),
        (b"Content-Length: 3\r\n" + CHUNKED + b"3\r\nall\r\n0\r\n\r\n", "all", False),
        (b"Transfer-Encoding: identity\r\n\r\nall", "all", False),
        (b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"all", mtime=0), "all", False),
        (b"Content-Encoding: X-GZIP\r\n\r\n" + gzip.compress(b"part" * 99, mtime=0)[:-4], "part" * 99, True),
        (b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"all"), "all", False),
        (b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(b"all")[2:-4], "all", False),
        (b"Content-Encoding: gzip\r\n\r\n", "", False),
        (b"Content-Encoding: gzip\r\n" + CHUNKED + b"0\r\n\r\n", "", False),
        (b"Content-Type: text/plain; charset=latin-1\r\n\r\ncaf\xe9", "café", False),
        (b"Content-Type: text/plain; charset=rot13\r\n\r\ncaf\xe9", "caf\ufffd", False),
    ],
)  # fmt: skip
async def test_a_body_is_read_as_far_as_it_was_received(answer: bytes, body: str, truncated: bool) -> None:
    whole = await answered(OK + answer)
    assert (whole.body, whole.truncated) == (body, truncated)
    by_bytes = await answered(*[bytes([byte]) for byte in (OK + answer)[:400]], (OK + answer)[400:])
    assert by_bytes == whole


@pytest.mark.parametrize("after", ["close", "reset", "wait"])
@pytest.mark.parametrize(
    "answer", [b"", b"X-A", b"X-A: 1\r\n", b"Content-Length: 9\r\n\r\npart", CHUNKED + b"9\r\npart"]
)
async def test_a_response_that_breaks_off_after_its_status_line_is_a_delivery(answer: bytes, after: str) -> None:
    result = await answered(OK + answer, after=after, timeout_seconds=0.5 if after == "wait" else 10)
    assert result.truncated
    assert result.body == ("part" if answer.endswith(b"part") else "")
    assert result.headers_truncated == (b"\r\n\r\n" not in answer)


@pytest.mark.parametrize("unit", [b"x", b"\x00", b"\xff", "\U0001f600".encode(), b'"'])
@pytest.mark.parametrize("head", [b"\r\n", b"Content-Length: 300000\r\n\r\n", CHUNKED + b"493E0\r\n"])
async def test_a_body_is_cut_in_bytes_of_the_stored_json(unit: bytes, head: bytes) -> None:
    result = await answered(OK + head, unit * (300_000 // len(unit)))
    assert result.truncated
    assert MAX_BODY_BYTES - 6 < byte_length(to_json_text(result.body)) - 2 <= MAX_BODY_BYTES


async def test_the_largest_possible_result_fits() -> None:
    headers = b"".join(b"N%d: " % number + b"\x01" * 4000 + b"\r\n" for number in range(60))
    result = await answered(OK + headers + b"\r\n", b"\x01" * 200_000)
    assert result.truncated
    assert result.headers_truncated


async def test_a_compression_bomb_is_inflated_only_up_to_the_limit() -> None:
    bomb = gzip.compress(b"\x00" * 50_000_000, mtime=0)
    result = await answered(OK, b"Content-Encoding: gzip\r\n\r\n", bomb)
    assert result.truncated


async def test_endless_headers_are_a_delivery_without_a_body() -> None:
    result = await answered(OK, *[b"N: " + b"x" * 10_000 + b"\r\n"] * 60, after="wait")
    assert result.headers_truncated
    assert result.truncated


@pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (101, "GET"), (200, "HEAD"), (206, "HEAD")])
@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n\r\n", CHUNKED, b"\r\n"])
async def test_no_body_is_read_where_there_is_none(status: int, method: str, framing: bytes) -> None:
    line = b"HTTP/1.1 %d X\r\n" % status
    result = await answered(line + framing, after="wait", method=method, expect_status=[status], timeout_seconds=20)
    assert (result.status, result.body, result.truncated) == (status, "", False)


async def test_interim_responses_are_skipped() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    result = await answered(b"HTTP/1.1 100 Continue\r\n\r\n", early, OK, b"A: b\r\n\r\nall")
    assert (result.status, result.headers, result.body) == (200, {"a": "b"}, "all")


@pytest.mark.parametrize(
    "answer", [b"", b"\r\n", b"HTTP/1.1 20", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 9,
               b"HTTP/1.1 100 Continue\r\n\r\n", b"x" * 500_000]
)  # fmt: skip
async def test_without_a_status_line_the_delivery_is_retried(answer: bytes) -> None:
    async with serving(answer) as server:
        result = await deliver(server)
    assert isinstance(result, Retry)
    assert result.code == "connection"
    assert len(server.requests) == 1, "once in one attempt"


async def test_a_server_that_never_responds_is_a_timeout() -> None:
    async with serving(after="wait") as server:
        result = await deliver(server, timeout_seconds=0.1)
    assert isinstance(result, Retry)
    assert result.code == "timeout"


@pytest.mark.parametrize("value", [b"17", b"\xff", b"Mon, 23 Nov 999999999999 03:00:30 GMT", b"9" * 9000])
async def test_a_broken_response_with_an_unexpected_status_is_judged_by_its_status(value: bytes) -> None:
    async with serving(
        b"HTTP/1.1 503 caf\xe9\r\nX: \xe9\r\nRetry-After: " + value + b"\r\nContent-Length: 9"
    ) as server:
        result = await deliver(server)
    assert isinstance(result, Retry)
    assert result.code == "http_503"


async def test_a_response_that_arrives_before_the_request_is_read_counts() -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
        request = HttpRequest.model_validate({"url": url, "body": "x" * 250_000})
        result = await DeliverHttpRequest().run(request, FakeContext({ALLOWED_HOSTS: "127.0.0.1"}))
    assert isinstance(result, Fail)
    assert result.code == "http_413"
