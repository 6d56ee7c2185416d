"""HTTP calls through the emulator's API Gateway; every response is counted."""

import asyncio
import time
from collections import Counter

import httpx
from pydantic import JsonValue

from headrace.authoring.frozen import Frozen

FINAL = {"succeeded", "failed", "cancelled"}
SERVER_ERROR = 500

Json = dict[str, JsonValue]


class Answer(Frozen):
    """The response of a call."""

    status: int
    body: Json
    headers: dict[str, str]


class Api:
    """One stack's HTTP API."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url
        self._client = client
        self.statuses: Counter[int] = Counter()

    async def call(
        self, method: str, path: str, token: str | None = None, json: JsonValue = None, **headers: str
    ) -> Answer:
        """Send one request; underscores in header names stand for hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        response = await self._client.request(method, self._url + path, json=json, headers=sent, timeout=60)
        self.statuses[response.status_code] += 1
        body = response.json() if response.content else {}
        return Answer(status=response.status_code, body=body, headers=dict(response.headers))

    async def wait(self, job_id: str, token: str, seconds: float) -> Json:
        """Wait until the job is final and return it; raise `TimeoutError` with its last state otherwise."""
        ends = time.monotonic() + seconds
        while True:
            job = (await self.call("GET", f"/v1/jobs/{job_id}", token)).body
            if job.get("status") in FINAL:
                return job
            if time.monotonic() > ends:
                raise TimeoutError(f"job {job_id} is {job.get('status')} after {seconds:.0f} s")
            await asyncio.sleep(0.25)

    @property
    def server_errors(self) -> int:
        """Responses of 500 and above."""
        return sum(count for status, count in self.statuses.items() if status >= SERVER_ERROR)
