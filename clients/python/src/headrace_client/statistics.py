"""What `/stats` answers, as frozen data. A member that this version does not know is kept in `raw`."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from headrace_client.json_values import JsonObject, maybe, moment, nested, number, several, take

Window = Literal["1h", "24h", "7d", "30d"]


@dataclass(frozen=True)
class Durations:
    """Some durations in seconds; None where there are none."""

    count: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None

    @staticmethod
    def of(raw: JsonObject) -> "Durations":
        """Read it from JSON; raises `WrongForm`."""
        known = {name: None if raw.get(name) is None else number(raw, name) for name in ("mean", "p50", "p95", "p99")}
        return Durations(take(raw, "count", int), **known)


@dataclass(frozen=True)
class TypeStats:
    """The attempts of one type."""

    type: str
    counts: dict[str, int] = field(hash=False)
    """By outcome: `succeeded`, `failed`, `cancelled`, and `retrying` for a failed attempt that another one follows."""
    waiting: Durations | None
    running: Durations | None
    cost_usd: float

    @staticmethod
    def of(raw: JsonObject) -> "TypeStats":
        """Read it from JSON; raises `WrongForm`."""
        return TypeStats(
            take(raw, "type", str), integers(raw, "counts"), nested(raw, "waiting", Durations.of),
            nested(raw, "running", Durations.of), number(raw, "cost_usd"),
        )  # fmt: skip


@dataclass(frozen=True)
class Failures:
    """The jobs of one type that failed for good by one error."""

    type: str
    code: str
    count: int
    last_job_id: str
    last_at: datetime | None

    @staticmethod
    def of(raw: JsonObject) -> "Failures":
        """Read it from JSON; raises `WrongForm`."""
        return Failures(
            take(raw, "type", str), take(raw, "code", str), take(raw, "count", int), take(raw, "last_job_id", str),
            moment(raw, "last_at"),
        )  # fmt: skip


@dataclass(frozen=True)
class Unfinished:
    """How many jobs are unfinished now, and in which states."""

    total: int
    exact: bool
    """False when the numbers are estimated."""
    by_status: dict[str, int] = field(hash=False)

    @staticmethod
    def of(raw: JsonObject) -> "Unfinished":
        """Read it from JSON; raises `WrongForm`."""
        return Unfinished(take(raw, "total", int), take(raw, "exact", bool), integers(raw, "by_status"))


@dataclass(frozen=True)
class Stats:
    """What ended in a window, and what is unfinished now."""

    window: str
    since: datetime | None
    until: datetime | None
    counts: dict[str, int] = field(hash=False)
    types: tuple[TypeStats, ...]
    failures: tuple[Failures, ...]
    unfinished: Unfinished | None
    cost_usd: float
    raw: JsonObject = field(default_factory=dict, repr=False, compare=False)
    """The whole response, with a point for each step of the window."""

    @staticmethod
    def of(raw: JsonObject) -> "Stats":
        """Read it from JSON; raises `WrongForm`."""
        return Stats(
            window=take(raw, "window", str),
            since=moment(raw, "since"),
            until=moment(raw, "until"),
            counts=integers(raw, "counts"),
            types=several(raw, "types", TypeStats.of),
            failures=several(raw, "failures", Failures.of),
            unfinished=nested(raw, "unfinished", Unfinished.of),
            cost_usd=number(raw, "cost_usd"),
            raw=raw,
        )


def integers(raw: JsonObject, name: str) -> dict[str, int]:
    """A member that is an object of whole numbers; empty if missing."""
    found = maybe(raw, name, dict) or {}
    return {each: take(found, each, int) for each in found}
