"""What a handler may know of its attempt, and ask while it runs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol


class AttemptInfo(Protocol):
    """What every handler may know of the attempt that it runs in."""

    @property
    def job_id(self) -> str: ...

    @property
    def attempt(self) -> int:
        """Counts from 1."""

    @property
    def deadline(self) -> datetime:
        """When the attempt is stopped."""

    @property
    def idempotency_key(self) -> str:
        """The same in every attempt: pass it to every effect that must not happen twice."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that the job type declares, as far as the function's environment has them."""


class JobContext(AttemptInfo, Protocol):
    """What an `async` handler may know and ask while it runs."""

    async def report_progress(self, fraction: float, message: str = "") -> None:
        """Show the owner how far the job is (0 to 1); at most one report a second is written."""

    async def cancel_requested(self) -> bool:
        """Whether a person asked to cancel; costs one read. A handler that stops returns `Stopped()`."""


class SyncJobContext(AttemptInfo, Protocol):
    """What a plain handler may know and ask from its thread: the same, without `await`."""

    def report_progress(self, fraction: float, message: str = "") -> None:
        """Show the owner how far the job is (0 to 1); at most one report a second is written."""

    def cancel_requested(self) -> bool:
        """Whether a person asked to cancel, or the attempt has ended; costs one read.

        Ask now and then: a thread cannot be stopped from outside. A handler that stops returns `Stopped()`.
        """
