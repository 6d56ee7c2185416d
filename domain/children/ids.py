"""Where children and their counts are stored: all of it follows from the parent's life and the group."""

from collections.abc import Sequence
from typing import Final

from domain.jobs.checking import keyed_id
from domain.jobs.job import Parent

SET: Final = 1000
"""Children that one set counts: its item has some 3 KB when it is full."""
FULL: Final = "full"
"""The sort key of the set of full sets, in a round of several."""


def child_id(life: str, group: str, place: int) -> str:
    """The id of a child: by its parent's life, so that however often it is written, there is one."""
    return keyed_id(life, f"child:{place}:{group}")


def child_ids(life: str, group: str, places: Sequence[int]) -> tuple[str, ...]:
    """The ids of the children at these places."""
    return tuple(child_id(life, group, place) for place in places)


def counted_in(parent: Parent) -> str:
    """The partition of the sets that count a child's end."""
    return partition_of(parent.life, parent.group, parent.round)


def partition_of(life: str, group: str, round: int) -> str:
    """The partition of the sets of a round: apart from what the parent remembers, which is read as a whole."""
    return f"{life}#{round}#{group}"


def set_key(number: int) -> str:
    """The sort key of a set of a round."""
    return f"{number:05}"


def sets_of(size: int) -> int:
    """How many sets a round of this size has."""
    return -(-size // SET)


def set_size(size: int, number: int) -> int:
    """How many members a set has when it is full."""
    return min(SET, size - number * SET)
