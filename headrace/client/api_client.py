"""The HTTP client of the command line. Whatever answers, it takes for Headrace only what looks like it."""

import time
from typing import Final
from urllib.parse import quote

import httpx
from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import from_json

from headrace.authoring.frozen import Frozen

FINAL: Final = frozenset({"succeeded", "failed", "cancelled"})
WAIT_SECONDS = 15
TIMEOUT_SECONDS = 35.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Lambda answers at most 6 MB."""

Json = dict[str, JsonValue]


class Refusal(Frozen):
    """The API answered with a problem."""

    status: int
    code: str
    detail: str
    errors: tuple[str, ...] = ()


class Unreachable(Frozen):
    """Nothing answered."""

    url: str
    reason: str


class Foreign(Frozen):
    """Something answered, and not as Headrace does."""

    url: str
    reason: str


Failure = Refusal | Unreachable | Foreign


class Progress(BaseModel):
    """How far a running job has come."""

    fraction: float
    message: str


class JobError(BaseModel):
    """Why an attempt failed."""

    code: str
    message: str


class Job(BaseModel):
    """What the command line needs of a job; there is more in the answer."""

    id: str
    type: str
    status: str
    attempt: int
    max_attempts: int
    progress: Progress | None = None
    error: JobError | None = None
    result: JsonValue = None


class ApiClient:
    """Calls the API of one stack with one token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}
        # Reading the certificates of all authorities takes longer than most commands; without TLS none is needed.
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, verify=not url.lower().startswith("http:"))

    def call(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> Json | Failure:
        """One request with a JSON text as its body; the answer's JSON, or why there is none."""
        media_type = {} if body is None else {"content-type": "application/json"}
        try:
            with self._http.stream(
                method,
                f"{self._url}{path}",
                content=None if body is None else body.encode(),
                params=params,
                headers={**self._headers, **media_type, **(headers or {})},
            ) as response:
                return _answer(self._url, response)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            # A UnicodeError is what the resolver makes of a name that cannot be one.
            return Unreachable(url=self._url, reason=str(error) or type(error).__name__)

    def job(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> Json | Failure:
        """One request whose answer is a job."""
        answer = self.call(method, path, body, headers)
        if not isinstance(answer, dict):
            return answer
        try:
            Job.model_validate(answer)
        except ValidationError as error:
            place = ".".join(str(step) for step in error.errors()[0]["loc"])
            return Foreign(url=self._url, reason=f"a job without a valid {place}")
        return answer

    def wait(self, job_id: str, timeout_seconds: float) -> Json | Failure:
        """The job when it is final, or as it is after `timeout_seconds`; by long polling."""
        ends = time.monotonic() + timeout_seconds
        while True:
            left = max(0, int(min(WAIT_SECONDS, ends - time.monotonic())))
            job = self.job("GET", job_path(job_id), headers={"prefer": f"wait={left}"})
            if not isinstance(job, dict) or job["status"] in FINAL or time.monotonic() >= ends:
                return job
            time.sleep(min(0.2, max(0.0, ends - time.monotonic())))


def job_path(job_id: str) -> str:
    """The path of a job, whatever its id holds; dots alone would name another place."""
    return f"/v1/jobs/{quote(job_id, safe='').replace('.', '%2E')}"


def _answer(url: str, response: httpx.Response) -> Json | Failure:
    if response.is_redirect:
        return Foreign(url=url, reason=f"it redirects to {response.headers.get('location', 'another place')}")
    body = _read(response)
    if body is None:
        return Foreign(url=url, reason=f"more than {MAX_ANSWER_BYTES} bytes, or too slow")
    try:
        answer: JsonValue = from_json(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return Foreign(url=url, reason=f"status {response.status_code} without a JSON object")
    if response.is_success:
        return answer
    if "code" not in answer and "message" not in answer:
        return Foreign(url=url, reason=f"status {response.status_code} without a problem document")
    return _refusal(response.status_code, answer)


def _read(response: httpx.Response) -> bytes | None:
    """The body; None when it is too large, or not complete in time."""
    ends = time.monotonic() + TIMEOUT_SECONDS
    body = bytearray()
    for part in response.iter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES or time.monotonic() > ends:
            return None
    return bytes(body)


def _refusal(status: int, answer: Json) -> Refusal:
    errors = answer.get("errors")
    return Refusal(
        status=status,
        code=str(answer.get("code", status)),
        detail=str(answer.get("detail") or answer.get("message") or "no explanation"),
        errors=tuple(
            f"{error.get('pointer')}: {error.get('detail')}"
            for error in (errors if isinstance(errors, list) else [])
            if isinstance(error, dict)
        ),
    )
