"""Decides whether a job of a lane may start, must wait for its slot, or stands in line. Pure; one code path for all.

A job comes to it when it is submitted or retried by hand (`on_entry`), when it is claimed (`on_claim`), and when it is
let go from the line (`on_release`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.lanes.lane import Lane, Slot, Terms, free_numbers, next_slot

HORIZON = timedelta(seconds=90)
"""How far ahead a lane's rate is given away. Longer than from one sweep to the next, so that the sweeps alone keep a
lane at its rate; short, as priorities count only in line."""

STARTS_TRIED: Final = 3
"""Tries to take a place, or a slot of the lane's rate, before a job that others were faster than stands in line."""

TOLERANCE = timedelta(seconds=2)
"""How late a job may use its slot: the wake queue is exact to the second. A later one would make a burst with those
whose slots are now."""


@dataclass(frozen=True)
class Free:
    """Nothing is in the way: the job is queued."""

    place: int | None = None
    """The number of the place that it takes with that; None for a job that needs none."""


@dataclass(frozen=True)
class InLine:
    """The job stands in line."""

    behind: bool = False
    """Whether others stand there, whom the next freed place serves: so nobody need look for one at once."""


@dataclass(frozen=True)
class Start:
    """The job may run, in this place; in a slot of the lane's rate, unless it has one already or needs none."""

    place: int
    slot: Slot | None = None


Admission = Free | Slot | InLine


def on_entry(lane: Lane, terms: Terms, now: datetime, random: float, *, others_wait: bool) -> Admission:
    """What becomes of a job that could start now. None goes before one that waits already."""
    return InLine(behind=True) if others_wait else on_release(lane, terms, now, random)


def on_release(lane: Lane, terms: Terms, now: datetime, random: float) -> Admission:
    """What becomes of the first in line: it has a place at once, or a slot of the rate, in which its claim finds one.

    The place is a random one, so that those who let jobs in concurrently seldom want the same.
    """
    free = free_numbers(lane, terms.limit)
    if lane.settings.mode == "paused" or not free:
        return InLine()
    if terms.rate is None:
        return Free(place=free[int(random * len(free))])
    slot = next_slot(lane, terms.rate, now)
    return slot if slot.at - now <= HORIZON else InLine()


def keeps(lane: Lane, terms: Terms, number: int, token: str) -> bool:
    """Whether a job that was let in may still run in its place.

    Not in a lane that was paused, narrowed or given a rate since, nor in a place that is gone, as tables were restored.
    """
    open_still = lane.settings.mode != "paused" and terms.rate is None and number < terms.limit
    return open_still and any((place.number, place.token) == (number, token) for place in lane.places)


def on_claim(lane: Lane, terms: Terms, now: datetime, random: float, *, in_slot: bool) -> Start | InLine:
    """Which place the claim of a job takes that holds none: a random one."""
    free = free_numbers(lane, terms.limit)
    if lane.settings.mode == "paused" or not free:
        return InLine()
    place = free[int(random * len(free))]
    if terms.rate is None or in_slot:
        return Start(place=place)
    slot = next_slot(lane, terms.rate, now)
    return Start(place=place, slot=slot) if slot.at <= now else InLine()
