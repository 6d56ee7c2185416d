"""How long to wait before the next attempt."""

from datetime import timedelta

from pydantic import Field

from headrace.authoring.frozen import Frozen

MAX_RETRY_AFTER = timedelta(hours=24)
"""The longest wait that a handler (or a server's Retry-After) can ask for."""


class Backoff(Frozen):
    """Exponential backoff: the ceiling doubles (`factor`) with each attempt, up to `cap`."""

    base: timedelta = Field(default=timedelta(seconds=2), ge=timedelta(0))
    factor: float = Field(default=2.0, ge=1, le=100)
    cap: timedelta = Field(default=timedelta(minutes=15), ge=timedelta(0))


def retry_delay(backoff: Backoff, attempt: int, random: float) -> timedelta:
    """Exponential backoff with full jitter: evenly between nothing and the attempt's ceiling.

    `attempt` counts from 1; `random` is in [0, 1). The rule is "Full Jitter" of the AWS Architecture
    Blog, "Exponential Backoff And Jitter": it spreads the retries of jobs that failed together.
    """
    exponent = min(attempt - 1, 64)
    ceiling = min(backoff.cap, timedelta(seconds=min(backoff.base.total_seconds() * backoff.factor**exponent, 1e8)))
    return ceiling * random
