# Generated from _async by scripts/unasync.py: change that, and run `make docs`.
"""The client: submits jobs, follows them, changes them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import httpx

from headrace_client._sync.batches import submit_batches
from headrace_client._sync.documents import Documents
from headrace_client._sync.sending import Sender
from headrace_client.auth import Bearer, Token
from headrace_client.errors import JobFailed, WaitTimeout
from headrace_client.json_values import JsonInput, JsonObject, JsonValue, RawJson, written
from headrace_client.messages import Request, object_of, path_segment, read_as
from headrace_client.models import Document, Downloaded, File, Job, Page, Step, StepPage
from headrace_client.retry import Retry
from headrace_client.seams import Seams
from headrace_client.statistics import Stats, Window
from headrace_client.submissions import Outcome, Submission, Unique
from headrace_client.tracing import trace_headers

LONGEST_HOLD = 20
"""Seconds for which the API holds a response back at most."""
LONGEST_POLL = 2.0
_NOT_MODIFIED = 304


class Client:
    """Calls the API of one deployment. It may be shared, and is closed by `with` or `close()`.

    Args:
        url: The deployment's address, such as `http://127.0.0.1:8080`.
        token: A bearer token, or a callable that returns the present one; it is called before each request.
        auth: Instead of a token, what else authenticates requests, such as `headrace_client.aws.SigV4()`.
        prefix: What comes before each path; `/iam/v1` for the routes that take signatures.
        timeout: Seconds without a byte, and for a whole response, after which a request counts as broken.
        retry: For how long reads, and whatever has an idempotency key, are repeated after a passing failure.
        transport: httpx's transport, where proxies and certificates of your own are configured.
        seams: Sleeping, randomness, time and keys, for tests.

    Every method raises `Refused` (with the problem), `Unreachable` or `NotHeadrace`, which are `HeadraceError`s.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token | None = None,
        auth: httpx.Auth | None = None,
        prefix: str = "/v1",
        timeout: float = 30.0,
        retry: Retry = Retry(),  # noqa: B008 - frozen
        transport: httpx.BaseTransport | None = None,
        seams: Seams = Seams(),  # noqa: B008 - frozen
    ) -> None:
        if token is not None and auth is not None:
            raise ValueError("give a token or auth, not both")
        base = url.rstrip("/") + prefix.rstrip("/")
        self._sender = Sender(base, Bearer(token) if token is not None else auth, timeout, retry, transport, seams)
        self._documents = Documents(self._sender)
        self._seams = seams

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._sender.close()

    def submit(
        self,
        type: str,
        payload: JsonInput | RawJson,
        *,
        key: str | None = None,
        run_at: datetime | str | None = None,
        delay: timedelta | float | None = None,
        max_attempts: int | None = None,
        tags: Mapping[str, str] | None = None,
        lane: str | None = None,
        priority: int | None = None,
        unique: Unique | None = None,
        notify: Mapping[str, JsonInput] | None = None,
        traceparent: str | None = None,
    ) -> Job:
        """Submit a job, and return it as it was stored.

        Without a `key` one is made for this call, so that repeating a broken request makes no second job; give your
        own (such as an order's number) to have one job however often your program submits it. The job is part of the
        trace `traceparent`, by default OpenTelemetry's current span if your program has one; an empty text is none.
        """
        body = Submission(type, payload, run_at, delay, max_attempts, tags, lane, priority, unique, notify).text()
        key = self._seams.new_key() if key is None else key
        request = Request("POST", "/jobs", body=body, key=key, headers=trace_headers(traceparent))
        return read_as("job", Job.of, self._sender.send(request))

    def submit_many(
        self, submissions: Iterable[Submission], *, key: str | None = None, traceparent: str | None = None
    ) -> list[Outcome]:
        """Submit jobs in batches of 25; returns an outcome for each, in their order.

        An entry that is refused stops no other, and what cannot be JSON raises before anything is sent. When a batch
        fails for a reason that would stop the next ones too, such as a broken connection or an invalid token, it and
        the rest have that error as their outcome. With a `key`, the same submissions are the same jobs. `traceparent`
        is as for `submit`.
        """
        base = self._seams.new_key() if key is None else key
        return submit_batches(self._sender, submissions, base, trace_headers(traceparent))

    def get(self, job: Job | str) -> Job:
        """Read a job."""
        return self._read(job)

    def wait(self, job: Job | str, *, timeout: float = 300.0) -> Job:
        """Wait until a job has ended, however it ended, for at most so many seconds; raises `WaitTimeout`.

        The API holds each request back for up to 20 seconds, so that the end is seen at once and with few requests.
        """
        ends, polls = self._seams.clock() + timeout, 0
        while True:
            began = self._seams.clock()
            hold = int(min(LONGEST_HOLD, max(0.0, ends - began)))
            seen = self._read(job, hold)
            now = self._seams.clock()
            if seen.is_final:
                return seen
            if now >= ends:
                raise WaitTimeout(seen)
            if now - began < hold / 2 or hold == 0:  # A deployment may not hold requests back.
                self._seams.sleep(min(LONGEST_POLL, 0.2 * 2 ** min(polls, 8), ends - now))
                polls += 1

    def result(self, job: Job | str, *, timeout: float = 300.0) -> JsonValue:
        """Wait for a job's result, of any size; raises `JobFailed` if it failed or was cancelled, or `WaitTimeout`."""
        ended = self.wait(job, timeout=timeout)
        if ended.status != "succeeded":
            raise JobFailed(ended)
        return ended.result if ended.result_ref is None else self.document(ended, "result")

    def stream(self, job: Job | str, *, timeout: float = 300.0, every: float = 1.0) -> Iterator[Job]:
        """Yield a job now and after each change that is seen, until it has ended; raises `WaitTimeout`.

        It is read every so many seconds. The progress that its handler reports counts as a change, and so do the counts
        of its children.
        """
        ends = self._seams.clock() + timeout
        seen = self._read(job)
        yield seen
        while not seen.is_final:
            if self._seams.clock() >= ends:
                raise WaitTimeout(seen)
            self._seams.sleep(max(0.0, min(every, ends - self._seams.clock())))
            request = Request("GET", _path(job), headers={"if-none-match": f'"{seen.version}"'})
            reply = self._sender.send(request)
            if reply.status == _NOT_MODIFIED:
                continue
            before, seen = seen, read_as("job", Job.of, reply)
            if seen != before:
                yield seen

    def jobs(
        self,
        *,
        status: str | None = None,
        type: str | None = None,
        owner: str | None = None,
        include: Iterable[Document] = (),
        page_size: int = 100,
    ) -> Iterator[Job]:
        """Iterate over your jobs, newest first, page after page; for admins, over those of another `owner` (an id).

        They come without payload and result, unless `include` names them.
        """
        query = {"status": status, "type": type, "owner": owner, "include": ",".join(include) or None}
        params = {"limit": str(page_size), **{name: value for name, value in query.items() if value is not None}}
        cursor: str | None = ""
        while cursor is not None:
            request = Request("GET", "/jobs", params=params | ({"cursor": cursor} if cursor else {}))
            page = read_as("page", Page.of, self._sender.send(request))
            for job in page.items:
                yield job
            cursor = page.next

    def cancel(self, job: Job | str) -> Job:
        """Cancel a job; a running one is asked to stop, and still runs when this returns. It is never repeated."""
        return read_as("job", Job.of, self._sender.send(Request("POST", f"{_path(job)}/cancel")))

    def retry(self, job: Job | str) -> Job:
        """Queue a failed or cancelled job again, with its full number of attempts. It is never repeated."""
        return read_as("job", Job.of, self._sender.send(Request("POST", f"{_path(job)}/retry")))

    def signal(self, job: Job | str, name: str, value: JsonInput | RawJson = None) -> Job:
        """Send a job a signal, which its handler waits for or will wait for. The same again is accepted again."""
        path = f"{_path(job)}/signals/{path_segment(name)}"
        request = Request("POST", path, body=written(value), idempotent=True)
        return read_as("job", Job.of, self._sender.send(request))

    def steps(self, job: Job | str, *, page_size: int = 100) -> Iterator[Step]:
        """Iterate over what a job remembers: steps with their values, waits, signals."""
        cursor: str | None = ""
        while cursor is not None:
            params = {"limit": str(page_size), **({"cursor": cursor} if cursor else {})}
            request = Request("GET", f"{_path(job)}/steps", params=params)
            page = read_as("page", StepPage.of, self._sender.send(request))
            for step in page.items:
                yield step
            cursor = page.next

    def children(
        self, job: Job | str, *, group: str | None = None, status: str | None = None, page_size: int = 100
    ) -> Iterator[Job]:
        """Iterate over a job's children, by group and place: of one `group`, in one `status`, or all.

        They come without payload and result; `parent` has the place of each.
        """
        query = {"limit": str(page_size), "group": group, "status": status}
        params = {name: value for name, value in query.items() if value is not None}
        cursor: str | None = ""
        while cursor is not None:
            request = Request("GET", f"{_path(job)}/children", params=params | ({"cursor": cursor} if cursor else {}))
            page = read_as("page", Page.of, self._sender.send(request))
            for child in page.items:
                yield child
            cursor = page.next

    def document(self, job: Job | str, name: Document) -> JsonValue:
        """Read a job's payload or result, of any size."""
        return self._documents.document(f"{_path(job)}/{name}")

    def upload(self, source: Path | BinaryIO, *, name: str | None = None, content_type: str | None = None) -> File:
        """Upload a file, streamed from where it stands; a payload names it as `file.ref`.

        Name and media type are by default those of the path. An open file must be seekable.
        """
        return self._documents.upload(source, name, content_type)

    def download(self, file: File | str, into: Path | BinaryIO) -> Downloaded:
        """Download a file, streamed into an open one, or to a path, where it appears when it is complete."""
        return self._documents.download(file.id if isinstance(file, File) else file, into)

    def link(self, file: File | str) -> str:
        """An address that a file is downloaded from, without a token, until it expires."""
        return self._documents.link(file.id if isinstance(file, File) else file)

    def stats(self, window: Window = "1h", *, type: str | None = None) -> Stats:
        """What ended in a window, of all owners or of one job type, and what is unfinished now; for admins."""
        params = {"window": window, **({} if type is None else {"type": type})}
        return read_as("report", Stats.of, self._sender.send(Request("GET", "/stats", params)))

    def call(
        self,
        method: str,
        path: str,
        *,
        body: JsonInput | RawJson = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> JsonObject:
        """Send a request for which there is no method here, and return the response's JSON object; empty for 204.

        `path` is below the prefix, such as `/job-types`. What is not a read is repeated only with an idempotency `key`.
        """
        text = None if body is None else written(body)
        return object_of(self._sender.send(Request(method, path, params or {}, text, headers or {}, key)))

    def _read(self, job: Job | str, hold: int = 0) -> Job:
        headers = {"prefer": f"wait={hold}"} if hold else {}
        return read_as("job", Job.of, self._sender.send(Request("GET", _path(job), headers=headers, held=hold)))


def _path(job: Job | str) -> str:
    return f"/jobs/{path_segment(job.id if isinstance(job, Job) else job)}"
