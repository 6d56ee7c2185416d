"""The context that plain handlers get, which run in threads."""

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn, TypeVar

from domain.jobs.attempt import Attempt
from headrace.authoring.files import File, FileUnavailable
from headrace.authoring.steps import StepMisused

if TYPE_CHECKING:  # most workers never touch a file
    from domain.files.streams import BlobStream

_ENDED: Final = "the attempt has ended"

T = TypeVar("T")


class ThreadedAttempt:
    """The `SyncJobContext` of one attempt: its calls are made on the event loop, which the thread waits for.

    A plain function may return something to await, which then runs on the loop itself; there a call gives something to
    await too, for the loop cannot wait for itself.
    """

    def __init__(self, attempt: Attempt, loop: asyncio.AbstractEventLoop, ended: threading.Event) -> None:
        self._attempt = attempt
        self._loop = loop
        self._ended = ended
        self._loop_thread = threading.get_ident()
        self.job_id = attempt.job_id
        self.attempt = attempt.attempt
        self.max_attempts = attempt.max_attempts
        self.owner_id = attempt.owner_id
        self.tags = attempt.tags
        self.logger = attempt.logger
        self.deadline = attempt.deadline
        self.idempotency_key = attempt.idempotency_key
        self.traceparent = attempt.traceparent
        self.settings = attempt.settings

    def step(self, *_: object, **__: object) -> NoReturn:
        """Not for a thread: nothing can end it where it waits, or begin it anew."""
        raise StepMisused(
            "step, sleep, signal, call, map and submit need an `async` handler: write `async def`, and await them"
        )

    sleep = signal = submit = call = map = step

    def report_progress(self, fraction: float, message: str = "") -> Coroutine[None, None, None] | None:
        """Best effort: a report that cannot be written, or comes after the attempt's end, is dropped."""
        return self._call(self._attempt.report_progress(fraction, message), after_the_end=None)

    def cancel_requested(self) -> Coroutine[None, None, bool] | bool:
        """Also true when the attempt has ended, or has lost its lease: its outcome would be refused."""
        return self._call(self._attempt.cancel_requested(), after_the_end=True)

    def open(self, file: File) -> "Coroutine[None, None, BlobStream] | BinaryIO":
        """A file that can be read and sought; raises `FileMissing` or `FileUnavailable`."""
        if self._on_loop():
            return self._attempt.open(file)
        return self._attempt.job_files().as_binary_file(self._wait_for(self._attempt.open(file)), self._wait_for)

    def save(
        self, name: str, content: bytes | Iterable[bytes], content_type: str = "application/octet-stream"
    ) -> Coroutine[None, None, File] | File:
        """The content is taken by this thread; raises `FileTooLarge` or `FileUnavailable`."""
        if self._on_loop():
            return self._attempt.save(name, content, content_type)
        if self._ended.is_set():
            raise FileUnavailable(_ENDED)
        files = self._attempt.job_files()
        return files.save_from_thread(
            lambda chunks: self._attempt.save(name, chunks, content_type), content, self._loop
        )

    def _on_loop(self) -> bool:
        return threading.get_ident() == self._loop_thread

    def _wait_for(self, work: Coroutine[None, None, T]) -> T:
        """Of work on files, which has no meaning after the attempt's end."""
        if self._ended.is_set():
            work.close()
            raise FileUnavailable(_ENDED)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _call(self, work: Coroutine[None, None, T], after_the_end: T) -> Coroutine[None, None, T] | T:
        if self._on_loop():
            return work
        if self._ended.is_set():
            # The loop does not run between invocations, so the thread would wait for the next one.
            work.close()
            return after_the_end
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
