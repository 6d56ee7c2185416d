"""Logs that an attempt starts, and lets everything that its handler logs and prints name its job."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger

from domain.jobs.job import Job
from domain.secrets.hidden import Hidden
from functions.attempts.current_attempt import CurrentAttempt, as_current
from functions.attempts.printed_lines import LineStream


class AttemptLog:
    """An `AttemptObserver`. Whatever ends the process within an attempt, the log names its job."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    @contextmanager
    def attempt(self, job: Job, hidden: Hidden, /) -> Iterator[None]:
        """Around the handler of one attempt."""
        current = CurrentAttempt(job, hidden)
        self._logger.info("job_attempt_started", extra={**current.keys, "max_attempts": job.max_attempts})
        with as_current(current):
            try:
                yield
            finally:
                for stream in (sys.stdout, sys.stderr):
                    if isinstance(stream, LineStream):
                        stream.finish(current)
