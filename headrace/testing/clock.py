"""Time, ids and randomness under a test's control."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

START = datetime(2026, 11, 23, 3, 0, 0, 123456, tzinfo=UTC)
"""When a clock begins, unless its test says otherwise."""


class FakeClock:
    """A clock that stands still until a test advances it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, by: timedelta) -> None:
        """Advance the clock."""
        self.now += by


def numbered_ids() -> Callable[[], str]:
    """Generates UUIDs in the order 1, 2, 3 and so on."""
    numbers = count(1)
    return lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"


def half() -> float:
    """Returns the middle of every jitter."""
    return 0.5
