"""Knows which attempt the running code belongs to: in a handler's task, and in its thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from domain.jobs.job import Job
from domain.secrets.hidden import Hidden
from headrace.authoring.trace import span_id, trace_id


class CurrentAttempt:
    """An attempt whose handler runs, with the unfinished lines that it has printed."""

    def __init__(self, job: Job, hidden: Hidden) -> None:
        self.keys: dict[str, str | int] = {"job_id": job.id, "job_type": job.type, "attempt": job.attempt}
        self.keys |= trace_keys(job)
        self.unfinished: dict[str, str] = {}
        """By the name of the stream. Threads of one handler share it, under `lock`."""
        self.lock = threading.Lock()
        self.hidden = hidden
        """What nothing of it may show."""


def trace_keys(job: Job) -> dict[str, str]:
    """What log lines say of the job's trace, and of this attempt within it; nothing without a trace."""
    if job.traceparent is None:
        return {}
    return {"trace_id": trace_id(job.traceparent), "span_id": span_id(job.id, job.attempt)}


_CURRENT: ContextVar[CurrentAttempt | None] = ContextVar("attempt", default=None)


def current_attempt() -> CurrentAttempt | None:
    """The attempt of the handler that calls this; None outside handlers."""
    return _CURRENT.get()


@contextmanager
def as_current(attempt: CurrentAttempt) -> Iterator[None]:
    """What runs within, and the tasks that it starts, belong to the attempt."""
    token = _CURRENT.set(attempt)
    try:
        yield
    finally:
        _CURRENT.reset(token)
