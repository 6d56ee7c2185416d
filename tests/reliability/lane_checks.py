"""The checker of lanes: after every commit, the places taken are the jobs that hold one, and no more than the limit."""

from collections import Counter
from datetime import datetime

from domain.jobs import transitions
from domain.jobs.job import Blocked, Job, Running
from domain.lanes.lane import PLACE, TABLE
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.lane_repository import FakeLaneRepository
from tests.reliability.history import Violation


class LaneChecks:
    """Knows the limit of each lane, which the simulation sets."""

    def __init__(self, jobs: FakeJobRepository, lanes: FakeLaneRepository) -> None:
        self._jobs = jobs
        self._lanes = lanes
        self.limit = 0
        """Of every lane, by their policy; 0 while there are none."""
        self.highest: Counter[str] = Counter()
        """Of each lane, the most jobs that ran at once."""
        self.claims_in_vain: Counter[str] = Counter()
        """By job, how often it came from a worker back into the line."""
        self.violation: Violation | None = None

    def committed(self, after: Job, now: datetime) -> None:
        """Check the lane of a job that was just written."""
        if after.lane is None:
            return
        name = after.lane.name
        in_lane = [job for job in self._jobs.stored if job.lane and job.lane.name == name]
        held = {(job.id, token, number) for job in in_lane for number, token in _place(job)}
        without = [job.id for job in in_lane if isinstance(job.state, Running) and not _place(job)]
        if without:
            self._fail(f"L1: at {now} these run in the lane {name} without a place: {without}")
        items = [item for item in self._jobs.items_of(TABLE) if item["lane"] == name]
        taken = {
            (str(item["holder"]), str(item["token"]), int(str(item["item"]).removeprefix(PLACE)))
            for item in items
            if str(item["item"]).startswith(PLACE)
        }
        self.highest[name] = max(self.highest[name], len(taken))
        if isinstance(after.state, Blocked) and len(after.history) > 1 and after.history[-2].status == "queued":
            self.claims_in_vain[after.id] += 1
        if held != taken:
            self._fail(f"L1: at {now} the lane {name} has the places {taken}, and these hold one: {held}")
        if len(taken) > self.limit:
            self._fail(f"L2: at {now} {len(taken)} jobs run in {name}, whose limit is {self.limit}")

    def settled(self) -> None:
        """Check the end: when all jobs have ended, no place is taken."""
        left = [item for item in self._jobs.items_of(TABLE) if str(item["item"]).startswith(PLACE)]
        if left:
            self._fail(f"L3: places are taken for ever: {left}")
        if self.violation is not None:
            raise self.violation

    def _fail(self, problem: str) -> None:
        """Note the first; it is raised at the end, so that no process dies of it in the middle."""
        self.violation = self.violation or Violation(problem)


def _place(job: Job) -> tuple[tuple[int, str], ...]:
    place = transitions.place_of(job.state)
    return () if place is None else (place,)
