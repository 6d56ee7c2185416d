"""What a handler may know of its attempt, and ask while it runs."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from logging import Logger
from typing import BinaryIO, Protocol, TypeVar, TypeVarTuple, overload

from headrace.authoring.children import CallChild, MapChildren
from headrace.authoring.files import Chunks, File, FileStream

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class AttemptInfo(Protocol):
    """What every handler may know of the attempt that it runs in."""

    @property
    def job_id(self) -> str: ...

    @property
    def attempt(self) -> int:
        """Counts from 1."""

    @property
    def max_attempts(self) -> int:
        """How many the job may have: it is the last one when `attempt` is as many."""

    @property
    def owner_id(self) -> str:
        """The id of the user whose job it is."""

    @property
    def tags(self) -> Mapping[str, str]:
        """What the job was submitted with."""

    @property
    def logger(self) -> Logger:
        """Python's logger of the job type's name. Records of every logger carry the job."""

    @property
    def deadline(self) -> datetime:
        """When the attempt is stopped."""

    @property
    def idempotency_key(self) -> str:
        """The same in every attempt: pass it to every effect that must not happen twice. Each step has its own."""

    @property
    def traceparent(self) -> str | None:
        """The trace that the job was submitted in (W3C Trace Context), if it was: send it with what you call."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that the job type declares, as far as the function's environment has them."""


class JobContext(AttemptInfo, Protocol):
    """What an `async` handler may know and ask while it runs."""

    async def report_progress(self, fraction: float, message: str = "") -> None:
        """Show the owner how far the job is (0 to 1); at most one report a second is written."""

    async def cancel_requested(self) -> bool:
        """Whether a person asked to cancel; costs one read. A handler that stops returns `Stopped()`."""

    async def open(self, file: File) -> FileStream:
        """The content of a file of the job's owner, to be read as it is needed.

        Raises `FileMissing`, with which the job fails at once, or `FileUnavailable`, after which it is retried.
        """

    async def save(self, name: str, content: Chunks, content_type: str = "application/octet-stream") -> File:
        """Write a new file, for the result, while its content comes. Raises `FileTooLarge` or `FileUnavailable`."""

    # Calls the function, and remembers what it returns: in later runs of the job that is returned, without a call.
    # It is called again only if its process died before its value was remembered, or if it raised an exception, which
    # is not remembered. The value is JSON by the function's annotation, or by `returns`. A name belongs to one call of
    # a job; docs/durable.md has the rules.
    @overload
    async def step(self, name: str, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T: ...
    @overload
    async def step(self, name: str, function: Callable[[*Ts], T], *args: *Ts) -> T: ...
    @overload
    async def step(self, name: str, function: Callable[[*Ts], object], *args: *Ts, returns: type[T]) -> T: ...

    async def sleep(self, name: str, duration: timedelta) -> None:
        """Wait, for up to a year: no function runs meanwhile, and no attempt is used up."""

    def submit(
        self,
        type: str,
        payload: object,
        *,
        name: str,
        delay: timedelta | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Submit a job that exists if and only if this one succeeds: it is written in the transaction of the result.

        Returns its id. The payload is a model or its JSON, of up to 64 KB; a name belongs to one job.
        """

    @property
    def call(self) -> CallChild:
        """Submits a job of another type, and returns its result."""

    @property
    def map(self) -> MapChildren:
        """Submits a job for each of many payloads, and returns their results."""

    # Waits for the signal of this name (POST /v1/jobs/{id}/signals/{name}), which may have come already. Returns its
    # body, or None when the time has passed without it; likewise no function runs meanwhile.
    @overload
    async def signal(self, name: str, model: type[T]) -> T: ...
    @overload
    async def signal(self, name: str, model: type[T], *, timeout: timedelta) -> T | None: ...


class SyncJobContext(AttemptInfo, Protocol):
    """What a plain handler may know and ask from its thread: the same, without `await`."""

    def report_progress(self, fraction: float, message: str = "") -> None:
        """Show the owner how far the job is (0 to 1); at most one report a second is written."""

    def cancel_requested(self) -> bool:
        """Whether a person asked to cancel, or the attempt has ended; costs one read.

        Ask now and then: a thread cannot be stopped from outside. A handler that stops returns `Stopped()`.
        """

    def open(self, file: File) -> BinaryIO:
        """A file of the job's owner as a binary file, which `csv`, `zipfile` or Pillow can read."""

    def save(self, name: str, content: bytes | Iterable[bytes], content_type: str = "application/octet-stream") -> File:
        """Write a new file, for the result: from bytes, a file that is open for reading, or a generator of bytes."""
