"""What a handler sees of an attempt that runs in this process."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

import click
from pydantic import JsonValue

from domain.jobs.attempt import Attempt
from domain.jobs.attempt_ports import FilesSource
from domain.jobs.change import Change
from domain.jobs.checking import keyed_id
from domain.jobs.job import Job
from domain.jobs.repository import JobNotFound, VersionConflict
from domain.jobs.threaded_attempt import ThreadedAttempt
from domain.ports import Clock
from domain.secrets.hidden import Hidden
from domain.secrets.store import SecretSource
from headrace.authoring.files import File, FileUnavailable
from headrace.cli.local.durable import LocalDurable

T = TypeVar("T")


class Given(NamedTuple):
    """What the job remembers."""

    steps: Mapping[str, JsonValue]
    signals: Mapping[str, JsonValue]


NOTHING_GIVEN = Given({}, {})
ShowProgress = Callable[[float, str], None]


class OneJob:
    """Stores the job of an attempt that no deployment knows."""

    def __init__(self, job: Job) -> None:
        self._job = job

    async def get(self, job_id: str, now: datetime) -> Job | JobNotFound:  # noqa: ARG002 - it never expires
        """The job."""
        return self._job if job_id == self._job.id else JobNotFound(job_id=job_id)

    async def replace(self, change: Change, expected_version: int) -> Job | VersionConflict:
        """Keep the job's next version."""
        if expected_version != self._job.version:
            return VersionConflict(job_id=change.job.id, current=self._job)
        self._job = change.job
        return self._job


class LocalAttempt(Attempt):
    """The `JobContext` of the attempt. Each report is shown; nothing leaves the process."""

    def __init__(
        self,
        job: Job,
        clock: Clock,
        deadline: datetime,
        settings: Mapping[str, str],
        show: ShowProgress,
        files: FilesSource | None = None,
        secrets: SecretSource | None = None,
        hidden: Hidden | None = None,
        given: Given = NOTHING_GIVEN,
    ) -> None:
        local = LocalDurable(given.steps, given.signals, _show_step)
        super().__init__(
            OneJob(job), clock, job, deadline, settings, files, secrets, lambda _job, _ended, _hidden: local
        )
        self.hidden = hidden or self.hidden
        self._show = show

    def submit(
        self,
        type: str,
        payload: object,
        *,
        name: str,
        delay: timedelta | None = None,  # noqa: ARG002 - nothing is submitted here
        tags: Mapping[str, str] | None = None,  # noqa: ARG002 - as above
    ) -> str:
        _show_step(f"submit {name}: a job of {type}, not submitted here: {payload!r:.200}")
        return keyed_id(self.job_id, f"submit:{name}")

    async def report_progress(self, fraction: float, message: str = "") -> None:
        self._show(fraction, self.hidden.text(message))
        await super().report_progress(fraction, message)


class LocalPlainAttempt(ThreadedAttempt):
    """The `SyncJobContext` of the attempt, for a handler on the main thread, where no loop runs that could answer.

    As in a worker, what a plain function returns to be awaited gets something to await.
    """

    def save(
        self, name: str, content: bytes | Iterable[bytes], content_type: str = "application/octet-stream"
    ) -> Coroutine[None, None, File] | File:
        work = self._attempt.save(name, content, content_type)
        return work if self._on_loop() else self._wait_for(work)

    def _on_loop(self) -> bool:
        return _running_loop() is self._loop

    def _wait_for(self, work: Coroutine[None, None, T]) -> T:
        try:
            work.send(None)
        except StopIteration as done:
            result: T = done.value
            return result
        work.close()
        raise FileUnavailable("files cannot be waited for here")

    def _call(self, work: Coroutine[None, None, T], after_the_end: T) -> Coroutine[None, None, T] | T:
        return work if _running_loop() is self._loop else _result_of(work, after_the_end)


def _show_step(text: str) -> None:
    click.echo(text, err=True)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _result_of(work: Coroutine[None, None, T], otherwise: T) -> T:
    """The result of a coroutine that has nothing to wait for, since `OneJob` responds at once."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    return otherwise
