"""The HTTP client of the command line."""

import time
from typing import Final

import httpx
from pydantic import JsonValue

from domain.frozen import Frozen

FINAL: Final = frozenset({"succeeded", "failed", "cancelled"})
WAIT_SECONDS = 15
TIMEOUT_SECONDS = 35.0

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


class ApiClient:
    """Calls the API of one stack with one token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}

    def call(
        self,
        method: str,
        path: str,
        body: JsonValue = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> Json | Refusal | Unreachable:
        """One request; the answer's JSON, or why there is none."""
        try:
            response = httpx.request(
                method,
                f"{self._url}{path}",
                json=body,
                params=params,
                headers={**self._headers, **(headers or {})},
                timeout=TIMEOUT_SECONDS,
            )
        except httpx.HTTPError as error:
            return Unreachable(url=self._url, reason=str(error) or type(error).__name__)
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        if response.is_success and isinstance(answer, dict):
            return answer
        return _refusal(response.status_code, answer if isinstance(answer, dict) else {})

    def wait(self, job_id: str, timeout_seconds: float) -> Json | Refusal | Unreachable:
        """The job when it is final, or as it is after `timeout_seconds`; by polite long polling."""
        ends = time.monotonic() + timeout_seconds
        while True:
            left = max(0, int(min(WAIT_SECONDS, ends - time.monotonic())))
            job = self.call("GET", f"/v1/jobs/{job_id}", headers={"prefer": f"wait={left}"})
            if not isinstance(job, dict) or job["status"] in FINAL or time.monotonic() >= ends:
                return job
            time.sleep(min(0.2, max(0.0, ends - time.monotonic())))


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
