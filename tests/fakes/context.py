"""A `JobContext` for testing handlers alone."""

import logging
from builtins import type as _type
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeVar, TypeVarTuple, overload

from pydantic import JsonValue

from headrace.authoring.children import ChildFailed
from headrace.authoring.files import Chunks, File, FileMissing, FileStream, FileUnavailable
from headrace.authoring.steps import StepUnavailable
from tests.factories import NOW

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class FakeContext:
    """The first attempt of a job; progress is discarded."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.job_id = "job-1"
        self.attempt = 1
        self.max_attempts = 3
        self.logger = logging.getLogger("test")
        self.owner_id = "owner-1"
        self.tags: Mapping[str, str] = {}
        self.deadline: datetime = NOW + timedelta(seconds=30)
        self.idempotency_key = "job-1"
        self.traceparent: str | None = None
        self.settings: Mapping[str, str] = settings or {}

    async def report_progress(self, fraction: float, message: str = "") -> None:
        """Discard the progress."""

    async def cancel_requested(self) -> bool:
        return False

    async def open(self, file: File) -> FileStream:
        raise FileMissing(file.id)

    async def save(self, name: str, content: Chunks, content_type: str = "") -> File:
        raise FileUnavailable(name)

    @overload
    async def step(self, name: str, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T: ...
    @overload
    async def step(self, name: str, function: Callable[[*Ts], T], *args: *Ts) -> T: ...
    @overload
    async def step(self, name: str, function: Callable[[*Ts], object], *args: *Ts, returns: type[T]) -> T: ...
    async def step(self, name: str, function: Callable[..., object], *args: object, returns: object = None) -> object:
        raise StepUnavailable(name)

    def submit(
        self,
        type: str,
        payload: object,
        *,
        name: str,
        delay: timedelta | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        raise StepUnavailable(name)

    @overload
    async def call(
        self, name: str, type: str, payload: object, *, tags: Mapping[str, str] | None = None
    ) -> JsonValue: ...
    @overload
    async def call(
        self, name: str, type: str, payload: object, *, returns: _type[T], tags: Mapping[str, str] | None = None
    ) -> T: ...
    async def call(
        self,
        name: str,
        type: str,
        payload: object,
        *,
        returns: object = None,
        tags: Mapping[str, str] | None = None,
    ) -> object:
        raise StepUnavailable(name)

    @overload
    async def map(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        failed: Literal["raise"] = "raise",
        max_in_flight: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[JsonValue]: ...
    @overload
    async def map(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        returns: _type[T],
        failed: Literal["raise"] = "raise",
        max_in_flight: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[T]: ...
    @overload
    async def map(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        failed: Literal["raise", "collect"] = "raise",
        max_in_flight: int | None = None,
        tolerated_failures: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> list[JsonValue | ChildFailed]: ...
    @overload
    async def map(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        returns: _type[T],
        failed: Literal["raise", "collect"] = "raise",
        max_in_flight: int | None = None,
        tolerated_failures: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> list[T | ChildFailed]: ...
    async def map(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        returns: object = None,
        failed: Literal["raise", "collect"] = "raise",
        max_in_flight: int | None = None,
        tolerated_failures: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> Sequence[object]:
        raise StepUnavailable(name)

    async def sleep(self, name: str, duration: timedelta) -> None:
        raise StepUnavailable(name)

    @overload
    async def signal(self, name: str, model: type[T]) -> T: ...
    @overload
    async def signal(self, name: str, model: type[T], *, timeout: timedelta) -> T | None: ...
    async def signal(self, name: str, model: object, *, timeout: timedelta | None = None) -> object:
        raise StepUnavailable(name)
