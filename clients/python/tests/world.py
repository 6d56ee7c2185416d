"""A server that answers from a script, and a clock that only sleeping moves."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from headrace_client import AsyncSeams, Seams

URL = "http://api.test"
JOB: dict[str, object] = {
    "id": "7", "type": "t", "status": "queued", "attempt": 0, "max_attempts": 5, "version": 1, "unheard": ["of"],
}  # fmt: skip
Step = httpx.Response | httpx.HTTPError | Callable[[httpx.Request], httpx.Response]


def job(**members: object) -> httpx.Response:
    return httpx.Response(200, json=JOB | members)


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    document = {"status": status, "code": code, "detail": "Told why.", "errors": [{"pointer": "/a", "detail": "bad"}]}
    return httpx.Response(status, json=document, headers=headers)


@dataclass
class World:
    """Answers with one step after another, the last for ever; every request takes `takes` seconds."""

    steps: list[Step]
    takes: float = 0.0
    random: float = 1.0
    now: float = 0.0
    seen: list[httpx.Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    keys: int = 0

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        request.read()
        self.now += self.takes
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, httpx.HTTPError):
            raise step
        if callable(step):
            return step(request)
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)

    async def async_handle(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self.handle(request)

    def body(self, number: int = 0) -> dict[str, object]:
        """The JSON of a request."""
        document: dict[str, object] = json.loads(self.seen[number].content)
        return document

    def sent(self, name: str) -> list[str | None]:
        return [request.headers.get(name) for request in self.seen]

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

    def seams(self) -> Seams:
        return Seams(self.sleep, lambda: self.random, lambda: self.now, self.key)

    def async_seams(self) -> AsyncSeams:
        return AsyncSeams(self.async_sleep, lambda: self.random, lambda: self.now, self.key)
