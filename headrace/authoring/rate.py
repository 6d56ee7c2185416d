"""How many jobs of a lane may start in a time."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

SHORTEST_INTERVAL: Final = timedelta(milliseconds=20)
"""Each start is a transaction on the lane's one item: more than fifty in a second would wait for one another."""
LONGEST_PERIOD: Final = timedelta(days=31)


@dataclass(frozen=True)
class Rate:
    """At most `count` starts in each `per`, evenly spaced: `Rate(100, per=timedelta(minutes=1))`."""

    count: int
    per: timedelta = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.count < 1 or not timedelta(0) < self.per <= LONGEST_PERIOD:
            raise ValueError(f"a rate is one start or more, in a time of up to {LONGEST_PERIOD.days} days")
        if self.interval < SHORTEST_INTERVAL:
            raise ValueError("a rate is at most 50 starts in a second; a limit needs no rate beside it")

    @property
    def interval(self) -> timedelta:
        """The time from one start to the next."""
        return self.per / self.count
