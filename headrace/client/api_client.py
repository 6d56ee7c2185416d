"""The HTTP client of the command line. It checks that responses have Headrace's form and returns failures as values."""

import io
import re
import time
from typing import Final
from urllib.parse import quote

import httpx
from pydantic import AwareDatetime, BaseModel, JsonValue, ValidationError
from pydantic_core import from_json

from headrace.client.failures import Failure, Foreign, Refusal, Unreachable
from headrace.client.transfers import Received, receive

FINAL: Final = frozenset({"succeeded", "failed", "cancelled"})
WAIT_SECONDS = 15
TIMEOUT_SECONDS = 35.0
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
"""Above Lambda's own limit of 6 MB for a response."""

_DESCRIPTION = re.compile(r'error_description="([^"]*)"')
"""Why a token was refused (RFC 6750, section 3)."""

Json = dict[str, JsonValue]

__all__ = [
    "FINAL", "ApiClient", "DocumentRef", "Failure", "Foreign", "Frame", "Job", "JobError", "Json", "Progress",
    "Refusal", "Unreachable", "job_path", "path_segment",
]  # fmt: skip


class Progress(BaseModel):
    """The progress of a running job, as its handler reported it."""

    fraction: float
    message: str


class Frame(BaseModel):
    """A place in a handler's code that an exception passed."""

    file: str
    line: int
    function: str


class JobError(BaseModel):
    """Why an attempt failed; the frames say where, the innermost last."""

    code: str
    message: str
    frames: tuple[Frame, ...] = ()
    """The outermost first, the one that raised last."""


class DocumentRef(BaseModel):
    """Where a payload or result is that the response does not include."""

    size: int
    href: str


class Job(BaseModel):
    """The members of a job that the command line uses; the response has more."""

    id: str
    owner_id: str | None = None
    type: str
    status: str
    attempt: int
    max_attempts: int
    created_at: AwareDatetime | None = None
    progress: Progress | None = None
    error: JobError | None = None
    result: JsonValue = None
    payload_ref: DocumentRef | None = None
    result_ref: DocumentRef | None = None


class ApiClient:
    """Calls the API of one stack with one token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}
        # Loading the CA certificates takes longer than most commands, and plain HTTP needs none.
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, verify=not url.lower().startswith("http:"))

    def call(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> Json | Failure:
        """Send a request, with JSON text as its body if given; returns the response's JSON, or the failure."""
        media_type = {} if body is None else {"content-type": "application/json"}
        try:
            with self._http.stream(
                method,
                f"{self._url}{path}",
                content=None if body is None else body.encode(),
                params=params,
                headers={**self._headers, **media_type, **(headers or {})},
            ) as response:
                return _parsed(self._url, response)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            # The resolver raises UnicodeError for an impossible host name.
            return Unreachable(url=self._url, reason=str(error) or type(error).__name__)

    def link(self, path: str) -> str | Json | Failure:
        """Where the API redirects a GET to: a link to a file or a document; a small document is the response itself."""
        try:
            response = self._http.get(f"{self._url}{path}", headers=self._headers)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            return Unreachable(url=self._url, reason=str(error) or type(error).__name__)
        if response.status_code == httpx.codes.TEMPORARY_REDIRECT:
            return str(response.headers.get("location", ""))
        return _parsed(self._url, response)

    def document(self, href: str) -> JsonValue | Failure:
        """A payload or result of any size."""
        link = self.link(href)
        if not isinstance(link, str):
            return link
        content = io.BytesIO()
        received = receive(link, content)
        if not isinstance(received, Received):
            return received
        try:
            document: JsonValue = from_json(content.getvalue())
        except ValueError:
            return Foreign(url=self._url, reason="a document that is not JSON")
        return document

    def job(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> Json | Failure:
        """Send a request whose response is a job."""
        response = self.call(method, path, body, headers)
        if not isinstance(response, dict):
            return response
        try:
            Job.model_validate(response)
        except ValidationError as error:
            place = ".".join(str(step) for step in error.errors()[0]["loc"])
            return Foreign(url=self._url, reason=f"a job without a valid {place}")
        return response

    def wait(self, job_id: str, timeout_seconds: float) -> Json | Failure:
        """Long-poll until the job is final, for at most `timeout_seconds`; returns the job as last read."""
        ends = time.monotonic() + timeout_seconds
        while True:
            left = max(0, int(min(WAIT_SECONDS, ends - time.monotonic())))
            job = self.job("GET", job_path(job_id), headers={"prefer": f"wait={left}"})
            if not isinstance(job, dict) or job["status"] in FINAL or time.monotonic() >= ends:
                return job
            time.sleep(min(0.2, max(0.0, ends - time.monotonic())))


def job_path(job_id: str) -> str:
    """The path of a job with any id; dots are escaped, because `.` and `..` would name another path."""
    return f"/v1/jobs/{path_segment(job_id)}"


def path_segment(text: str) -> str:
    """Escape any text as one segment of a path."""
    return quote(text, safe="").replace(".", "%2E")


def _parsed(url: str, response: httpx.Response) -> Json | Failure:
    if response.is_redirect:
        return Foreign(url=url, reason=f"it redirects to {response.headers.get('location', 'another place')}")
    body = _read(response)
    if body is None:
        return Foreign(url=url, reason=f"more than {MAX_RESPONSE_BYTES} bytes, or too slow")
    try:
        document: JsonValue = from_json(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Foreign(url=url, reason=f"status {response.status_code} without a JSON object")
    if response.is_success:
        return document
    if "code" not in document and "message" not in document:
        return Foreign(url=url, reason=f"status {response.status_code} without a problem document")
    return _refusal(response.status_code, document, response.headers.get("www-authenticate", ""))


def _read(response: httpx.Response) -> bytes | None:
    """Read the body; None when it is too large or not complete in time."""
    ends = time.monotonic() + TIMEOUT_SECONDS
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > MAX_RESPONSE_BYTES or time.monotonic() > ends:
            return None
    return bytes(body)


def _refusal(status: int, document: Json, challenge: str) -> Refusal:
    errors = document.get("errors")
    detail = str(document.get("detail") or document.get("message") or "no explanation")
    described = _DESCRIPTION.search(challenge)
    return Refusal(
        status=status,
        code=str(document.get("code", status)),
        detail=f"{detail}: {described[1]}" if described else detail,
        errors=tuple(
            f"{error.get('pointer')}: {error.get('detail')}"
            for error in (errors if isinstance(errors, list) else [])
            if isinstance(error, dict)
        ),
    )
