"""A group: the children of one `call` or `map` of a job. They are written and counted in rounds.

The first round has all of the group's places, or as many as `max_in_flight` allows; each further one has the next
places, or, when a person has retried the parent, those that had not succeeded. A round is over when each of its
children has ended; nothing that ends later is counted in it.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Final

from pydantic import AwareDatetime

from domain.children.places import packed, unpacked
from headrace.authoring.frozen import Stored

MAX_CHILDREN: Final = 100_000
"""Of one group."""
MAX_DEPTH: Final = 10
"""Of children of children."""
MAX_WAVES: Final = 1000
"""That `max_in_flight` cuts a group into: the parent is woken for each, and remembers its end."""
FIRST_LOOK = timedelta(minutes=15)
LONGEST_LOOK = timedelta(hours=4)
"""How long a parent waits before it counts its children itself, for what the recorder may have lost."""


class Group(Stored):
    """How far a group is; changed by its parent's attempts alone, under their lease."""

    type: str
    """Of the children."""
    size: int
    """How many places it has."""
    wave: int
    """How many places a round has at most."""
    generation: int = 0
    """The parent's, for which the present round was begun."""
    round: int = 0
    """The number of the present round."""
    first: int = 0
    placed: int = 0
    """The present round has the places from `first` to below `placed`, unless it has `again`; later ones are to
    come."""
    again: str = ""
    """The places of a round that is a person's retry, packed."""
    written: int = 0
    """How many of the round's children are written (or, of a retry, queued again)."""
    failed: str = ""
    """The places that failed in earlier rounds, packed; those that were retried since are left out."""
    look_at: AwareDatetime | None = None
    """When its parent counts the children itself."""
    kept_at: AwareDatetime | None = None
    """When its parent last went through all children that had begun, to keep those that had ended (`keeping.py`)."""
    kept: int = 0
    """How many it has gone through since, of those that it goes through now."""

    @property
    def places(self) -> Sequence[int]:
        """Those of the present round, in order."""
        return _in_order(self.again) if self.again else range(self.first, self.placed)


def new_group(type: str, size: int, in_flight: int | None, generation: int) -> Group:
    """A group of which nothing is written."""
    wave = min(size, in_flight or size)
    return Group(type=type, size=size, wave=wave, generation=generation, placed=wave)


def failed_in(group: Group, indexes: frozenset[int]) -> frozenset[int]:
    """The group's failed places, once its present round has ended with failures at these indexes."""
    places = group.places
    return unpacked(group.failed) | {places[index] for index in indexes}


def next_wave(group: Group, failed: frozenset[int]) -> Group | None:
    """The group in its next round, after one that has ended; None when all places had their turn."""
    if group.placed >= group.size:
        return None
    placed = min(group.placed + group.wave, group.size)
    return _next_round(group, first=group.placed, placed=placed, again="", failed=packed(failed))


def reopened(group: Group, unfinished: frozenset[int], lost: frozenset[int], generation: int) -> Group:
    """The group after a person has retried its parent: the children at `unfinished` places get another turn.

    Those at `lost` ones are not there any more, and stay failed.
    """
    moved = group.model_copy(update={"generation": generation})
    return _next_round(moved, first=group.placed, placed=group.placed, again=packed(unfinished), failed=packed(lost))


def next_look(began_at: AwareDatetime, now: AwareDatetime) -> AwareDatetime:
    """When to count the children again: after as long as it has taken so far, within bounds."""
    return now + min(max(now - began_at, FIRST_LOOK), LONGEST_LOOK)


@lru_cache(maxsize=4)
def _in_order(again: str) -> tuple[int, ...]:
    """Once for all chunks of a round: 100,000 places take some 20 ms, and there are 500 chunks of them."""
    return tuple(sorted(unpacked(again)))


def _next_round(group: Group, *, first: int, placed: int, again: str, failed: str) -> Group:
    return group.model_copy(
        update={
            "round": group.round + 1, "first": first, "placed": placed, "again": again, "failed": failed,
            "written": 0, "look_at": None,
        }
    )  # fmt: skip
