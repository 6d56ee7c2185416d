"""A lane as the store holds it: settings, places taken, and how far its rate is used up.

A place is an item of its own. Who lets a job in takes it (or else its claim) and the end of the attempt gives it back,
each in the job's own transaction, so that the places taken are the jobs that run or were let in, always, and nothing
counts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

from domain.jobs.change import Delete, IfAbsent, IfEqual, Key, Put
from headrace.authoring.job_type import MAX_LIMIT, Policy
from headrace.authoring.rate import Rate

TABLE: Final = "lanes"
"""The logical name of the table, as companions give it."""
SETTINGS: Final = "settings"
RATE: Final = "rate"
PLACE: Final = "place#"
"""Sort keys of a lane's items; a place's goes on with its number."""

OWNER: Final = "owner:"
"""How the lanes begin that each owner has by default."""

MAX_NAME: Final = 200
"""Characters of a lane's name; its key in the index has room for them in any script."""

RATE_KEPT = timedelta(days=1)
"""How long after the last start of a lane its rate is remembered; longer than nothing follows from it."""

Mode = Literal["open", "paused", "draining"]
"""`paused`: starts nothing. `draining`: runs what it has, and takes no new jobs."""


@dataclass(frozen=True)
class LaneSettings:
    """What an admin has decided at run time; None leaves it to the job types."""

    limit: int | None = None
    rate: Rate | None = None
    mode: Mode = "open"
    version: int = 0
    """0 for a lane that nobody has changed yet."""

    def __post_init__(self) -> None:
        if self.limit is not None and not 0 <= self.limit <= MAX_LIMIT:
            raise ValueError(f"a lane's limit is a number from 0 to {MAX_LIMIT}")
        if self.mode not in get_args(Mode):
            raise ValueError("a lane is open, paused or draining")


@dataclass(frozen=True)
class Place:
    """A place that a job has taken, to run in now or as soon as a worker claims it."""

    number: int
    holder: str
    """The job's id."""
    token: str
    """Of its lease, or of what it holds before it has one."""
    since: datetime


@dataclass(frozen=True)
class Lane:
    """A lane at one moment."""

    name: str
    settings: LaneSettings = LaneSettings()
    places: tuple[Place, ...] = ()
    """By number."""
    next_start: datetime | None = None
    """Before this its rate allows no start; None where it was not used lately."""
    spare: frozenset[int] | None = None
    """Where only places above the limit were read: the numbers of those below it that were given back just now."""


@dataclass(frozen=True)
class Terms:
    """What holds for a lane: the settings, or else the job type's policy."""

    limit: int
    rate: Rate | None = None


@dataclass(frozen=True)
class Slot:
    """One start that the lane's rate allows, and the write that makes it this job's alone."""

    at: datetime
    then: datetime
    """The earliest start after it."""
    claim: Put


def terms_of(lane: Lane, policy: Policy, owner_limit: int) -> Terms:
    """What holds in the lane for jobs of this policy; `owner_limit` is for lanes that owners have by default.

    A lane that only a submission named lets one job run at a time, until an admin decides otherwise.
    """
    if lane.name.startswith(OWNER):
        own = Terms(limit=owner_limit or MAX_LIMIT)
    elif policy.has_lane:
        own = Terms(limit=policy.limit or MAX_LIMIT, rate=policy.rate)
    else:
        own = Terms(limit=1)
    limit = lane.settings.limit
    return Terms(limit=own.limit if limit is None else limit, rate=lane.settings.rate or own.rate)


def free_numbers(lane: Lane, limit: int) -> tuple[int, ...]:
    """The numbers of the places that may be taken.

    After the limit was lowered, each place above it that is still taken makes one below it unusable. Those above only
    become fewer, so that concurrent claims, each with a number of its own, cannot pass the limit together.
    """
    taken = frozenset(place.number for place in lane.places)
    above = sum(number >= limit for number in taken)
    numbers = range(limit - above) if lane.spare is None else sorted(lane.spare & {*range(limit - above)})
    return tuple(number for number in numbers if number not in taken)


def next_slot(lane: Lane, rate: Rate, now: datetime) -> Slot:
    """The earliest start that the rate allows."""
    at = max(now, lane.next_start or now)
    following = at + rate.interval
    before = lane.next_start
    claim = Put(
        table=TABLE,
        key={"lane": lane.name, "item": RATE},
        values={"next_start": exact(following), "expires_at": int((following + RATE_KEPT).timestamp())},
        condition=IfAbsent() if before is None else IfEqual(attributes={"next_start": exact(before)}),
    )
    return Slot(at=at, then=following, claim=claim)


def place_taken(lane: str, number: int, job_id: str, token: str, now: datetime) -> Put:
    """Takes a place, if it is free."""
    held = {"holder": job_id, "token": token, "since": exact(now)}
    return Put(table=TABLE, key=place_key(lane, number), values=held, condition=IfAbsent())


def place_given_back(lane: str, number: int, token: str) -> Delete:
    """Gives a place back, if it is that lease's. If not, it never will be again, and there is nothing to give back."""
    return Delete(table=TABLE, key=place_key(lane, number), condition=IfEqual(attributes={"token": token}))


def place_key(lane: str, number: int) -> Key:
    """The primary key of a place."""
    return {"lane": lane, "item": f"{PLACE}{number:05}"}


def exact(moment: datetime) -> str:
    """A moment as the lanes' items hold it: one text for each."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
