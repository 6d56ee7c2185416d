"""Jobs as a fluid, in steps of time, through what they share: gateway, table, index, lanes, queue, concurrency.

A fluid, because a hundred thousand jobs a second for an hour are 3.6e8 events, and the limits that they share (units a
second, environments a second) act on rates, not on single jobs. Waits follow from the curves of jobs stored and jobs
started. What happens within a lane does not average out: `lanes.py` adds it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final

from benchmarks.scaling import costs, rules
from benchmarks.scaling.lanes import Delivery, poisson, quantiles, waits
from benchmarks.scaling.model import WORKER, Deployment, Load, service_seconds

HOUR: Final = 3600.0
LAST: Final = 600.0
"""Seconds at the end over which the throughput is taken."""
SHORT: Final = 0.5
"""Below this an invocation is a rate; above, its end is followed."""
GROUPS: Final = 200
SAMPLED_LANES, SAMPLED_JOBS = 40, 6000
BUSIEST: Final = 0.9
"""Of what a lane can do, in the sample; what is beyond shows as a backlog of the fluid."""


@dataclass(frozen=True)
class Outcome:
    """What became of a load in an hour."""

    accepted: float
    """Jobs a second stored at the end; the others were refused (429, 503)."""
    ended: float
    """Jobs a second that ended, at the end."""
    p50: float
    """Seconds from stored to started."""
    p99: float
    grows: bool
    """Whether jobs wait longer the later they come: p50 and p99 are then those of this hour's jobs."""


@dataclass
class _Flow:
    """What is where; jobs."""

    stream: float = 0.0
    queue: float = 0.0
    running: float = 0.0
    ending: float = 0.0
    """Whose outcome is not yet written: they hold their places."""
    queue_since: float | None = None


@dataclass(frozen=True)
class Step:
    """Jobs in one step."""

    stored: float
    started: float
    ended: float


def simulate(load: Load, deployment: Deployment, horizon: float = HOUR) -> Outcome:
    """Turn the load on at once, on a table as young as `warm` says, and keep it on."""
    took = service_seconds(load, deployment)
    step = 1.0 if took <= SHORT else min(1.0, took / 10)
    steps = _run(load, deployment, step, round(horizon / step))
    last = steps[-max(1, round(LAST / step)) :]
    seconds = len(last) * step
    accepted, started, ended = (
        sum(getattr(each, name) for each in last) / seconds for name in ("stored", "started", "ended")
    )
    stages = 1 if deployment.runner == WORKER else 2
    backlog = delays([each.stored for each in steps], [each.started for each in steps], step, stages)
    sample = lane_sample(load.seconds, min(accepted, started), deployment)
    p50, p99 = percentiles(backlog, sample)
    return Outcome(accepted=accepted, ended=ended, p50=p50, p99=p99, grows=started < 0.98 * accepted)


def _run(load: Load, deployment: Deployment, step: float, number: int) -> Sequence[Step]:
    flow, steps = _Flow(), list[Step]()
    took = service_seconds(load, deployment)
    worker = deployment.runner == WORKER
    batch = deployment.batch if worker else deployment.runner_batch
    ends: deque[float] = deque([0.0] * (round(took / step) if took > SHORT else 0))
    table, wake = _Peak(step), _Peak(step)
    offered = min(load.rate, deployment.requests() * deployment.jobs_a_request) * step
    requests = offered / step / deployment.jobs_a_request
    left = max(0.0, deployment.account - requests * costs.request_seconds(deployment.jobs_a_request))
    for place in range(number):
        now = place * step
        writes, wakes = deployment.table.at(table.old) * step, deployment.wake_index.at(wake.old) * step
        lanes = min(deployment.lanes(writes / step), rules.environments(now, left))
        if worker:
            slots, waiting = lanes * batch, flow.stream
        else:
            flow.queue_since = flow.queue_since if flow.queue_since is not None else (now if flow.queue else None)
            invocations = min(rules.environments(now, left - min(left, lanes * 0.1)), _pollers(flow, now, deployment))
            slots, waiting = min(invocations * batch, rules.IN_FLIGHT * deployment.queues), flow.queue
        free = max(0.0, slots - flow.running - flow.ending)
        may_start = min(waiting, free if ends else free * step / took)
        ended = ends.popleft() if ends else 0.0
        wanted_ends = flow.ending + ended
        creates = min(offered, load.owners * rules.PARTITION_WRITES * step)
        share = min(
            1.0,
            writes / max(1e-9, creates + may_start + wanted_ends + (0.0 if ends else may_start)),
            wakes / max(1e-9, creates + wanted_ends + (0.0 if ends else may_start)),
        )
        stored, started = creates * share, may_start * share
        finished = (wanted_ends if ends else flow.ending + started) * share
        flow.ending = (wanted_ends if ends else flow.ending + started) - finished
        if ends or took > SHORT:
            ends.append(started)
            flow.running += started - ended
        if worker:
            flow.stream += stored - started
        else:
            sent = min(flow.stream, lanes * deployment.batch * step / costs.dispatch_seconds(deployment.batch))
            flow.stream += stored - sent
            flow.queue += sent - started
        table.add(stored + started + finished)
        wake.add(stored + finished)
        steps.append(Step(stored=stored, started=started, ended=finished))
    return steps


def _pollers(flow: _Flow, now: float, deployment: Deployment) -> float:
    since = 0.0 if flow.queue_since is None else now - flow.queue_since
    of_each = rules.queue_invocations(since, deployment.runner_concurrency, deployment.pollers)
    return deployment.queues * of_each


class _Peak:
    """The most that was consumed in a second, and what it had been half an hour ago."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._peak = 0.0
        self._kept = deque([0.0] * round(rules.DOUBLING_SECONDS / step))

    @property
    def old(self) -> float:
        return self._kept[0]

    def add(self, units: float) -> None:
        self._peak = max(self._peak, units / self._step)
        self._kept.popleft()
        self._kept.append(self._peak)


def delays(
    stored: Sequence[float], started: Sequence[float], step: float, stages: int = 1
) -> tuple[tuple[float, float], ...]:
    """How long the jobs of each step waited for those before them, and how many they are.

    Jobs that have not started at the end do so at the last pace.
    """
    begun = list(accumulate(started))
    last = started[-max(1, round(LAST / step)) :]
    pace = sum(last) / len(last)
    found, place, before = [], 0, 0.0
    for now, jobs in enumerate(stored):
        # What a step brings goes on to the next stage in the next step: that is the step's coarseness, not a wait.
        middle = before + jobs / 2
        before += jobs
        while place < len(begun) and begun[place] < middle:
            place += 1
        at = float(place) if place < len(begun) else len(begun) + (middle - begun[-1]) / max(pace, 1e-9)
        found.append((max(0.0, at - now - stages) * step, jobs))
    return tuple(found)


def lane_sample(seconds: float, rate: float, deployment: Deployment) -> tuple[float, ...]:
    """Waits in a lane, for jobs of this length that start at this rate."""
    lanes = deployment.lanes(max(deployment.warm, min(deployment.table_quota, rate * costs.TABLE_UNITS)))
    length = seconds if deployment.runner == WORKER else 0.0
    most = deployment.batch / costs.batch_seconds(deployment.batch, length)
    a_lane = min(rate / lanes, BUSIEST * most)
    delivery = Delivery(lanes=SAMPLED_LANES, environments=SAMPLED_LANES, batch=deployment.batch)
    random = Random(1)  # noqa: S311 - the same document each time
    arrivals = poisson(a_lane * SAMPLED_LANES, SAMPLED_JOBS, random, ((length, 1.0),))
    found = quantiles(waits(arrivals, delivery, random))
    further = 0.0 if deployment.runner == WORKER else costs.QUEUE_SECONDS + costs.CALL_SECONDS
    return tuple(each + further for each in found)


def percentiles(backlog: Sequence[tuple[float, float]], sample: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile of the sum of both, as if neither knew of the other."""
    size = max(1, len(backlog) // GROUPS)
    groups = [backlog[start : start + size] for start in range(0, len(backlog), size)]
    weighted = sorted(
        (sum(delay for delay, _ in group) / len(group) + wait, sum(jobs for _, jobs in group) / len(sample))
        for group in groups
        for wait in sample
    )
    total = sum(jobs for _, jobs in weighted)
    return _at(weighted, 0.5 * total), _at(weighted, 0.99 * total)


def _at(weighted: Sequence[tuple[float, float]], jobs: float) -> float:
    passed = 0.0
    for value, weight in weighted:
        passed += weight
        if passed >= jobs:
            return value
    return weighted[-1][0]
