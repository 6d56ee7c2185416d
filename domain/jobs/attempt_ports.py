"""What an attempt is given: the parts that its context calls."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.outcomes import Outcome
from domain.jobs.repository import JobNotFound, JobUnreadable, ReplaceResult
from domain.results import StorageUnavailable
from domain.secrets.hidden import Hidden

if TYPE_CHECKING:  # most workers never touch a file, or submit a job
    from domain.children.call import GroupCall
    from domain.durable.attempts import JobSteps
    from domain.files.attempts import JobFiles
    from domain.jobs.following import FollowUps

FilesSource = Callable[[], "JobFiles"]
"""Gives what works on files when a handler first asks for it; most handlers never do."""

StepsSource = Callable[[], "JobSteps"]
"""Gives what remembers for handlers, when one of them first asks for it; most never do."""


class AttemptStore(Protocol):
    """The part of `JobRepository` that an attempt uses."""

    async def get(self, job_id: str, now: datetime, /) -> Job | JobNotFound | JobUnreadable | StorageUnavailable: ...

    async def replace(self, change: Change, expected_version: int, /) -> ReplaceResult: ...


class DurableCalls(Protocol):
    """What remembers for an attempt: `domain/durable/durable.py` in a worker."""

    flaw: str | None
    """What the handler did wrong, even if it caught the exception."""

    @property
    def size(self) -> int:
        """How many items the job has, as far as the attempt knows."""

    def current_step(self) -> str | None:
        """The name of the step that the calling code belongs to."""

    async def step(
        self, name: str, function: Callable[..., object], args: tuple[object, ...], returns: object, /
    ) -> object: ...

    async def sleep(self, name: str, duration: timedelta, /) -> None: ...

    async def signal(self, name: str, model: object, timeout: timedelta | None, /) -> object: ...

    async def children(self, call: "GroupCall", /) -> list[object]: ...

    async def close(self) -> None:
        """Call no function of a step from here on; return when those that are under way are remembered."""


DurableSource = Callable[[Job, "asyncio.Future[Outcome]", Hidden], DurableCalls]
"""Gives what remembers for an attempt, by its job, what ends it, and what it hides, when a handler first asks."""


FollowUpsSource = Callable[[Job, Hidden], "FollowUps"]
"""Gives what takes the jobs that an attempt submits, by its job and what it hides, when a handler first asks."""
