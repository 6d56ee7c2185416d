"""The moments of a run at which faults can happen, and the one fault that does."""

from dataclasses import dataclass
from typing import Literal

from headrace.testing.places import Place

Kind = Literal["await", "before", "after", "end"]
FaultKind = Literal["crash", "second worker", "lost answer", "delivered again"]

MAX_POINTS = 5000
"""Of one run; at later ones nothing is tried."""


@dataclass(frozen=True)
class Point:
    """A moment of an attempt at which a fault can happen."""

    kind: Kind
    effect: str
    """Before or after which effect."""
    attempt: int
    awaits: int
    """How many awaits the attempt has come to."""
    place: Place | None


@dataclass(frozen=True)
class Fault:
    """What happens in one run: at one of the points that a run without a fault passes, or at its end."""

    kind: FaultKind
    at: Point | None = None
    number: int = 0
    """Of the point, from 1."""


class Course:
    """The points that the workers of one run pass, until its fault has happened."""

    def __init__(self, fault: Fault | None) -> None:
        self._fault = fault
        self._passed = 0
        self._points: list[Point] = []

    @property
    def points(self) -> tuple[Point, ...]:
        """Those of a run without a fault, in order."""
        return tuple(self._points)

    @property
    def notes(self) -> bool:
        """Whether points are noted, each with its place: finding that takes a while."""
        return self._fault is None and len(self._points) < MAX_POINTS

    def passes(self, kind: Kind, effect: str, attempt: int, awaits: int, place: Place | None) -> FaultKind | None:
        """Pass a point; the fault that happens there."""
        self._passed += 1
        if self.notes:
            self._points.append(Point(kind, effect, attempt, awaits, place))
        return self._fault.kind if self._fault is not None and self._fault.number == self._passed else None
