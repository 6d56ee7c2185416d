"""A stream's lanes, job by job: what a fluid cannot show, as a batch that is as slow as its slowest job."""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from benchmarks.scaling import costs
from benchmarks.scaling.rules import POLL_SECONDS

_RECORD, _END = 0, 1


@dataclass(frozen=True)
class Delivery:
    """How records come to invocations. Times are seconds."""

    lanes: int
    """Shards times ParallelizationFactor."""
    environments: int
    """How many invocations there may be concurrently."""
    batch: int = 10
    poll: float = POLL_SECONDS
    lag: float = costs.STREAM_SECONDS
    invoke: float = costs.INVOKE_SECONDS
    call: float = costs.CALL_SECONDS
    cpu: float = costs.JOB_CPU_SECONDS / costs.WORKER_CPU_SHARE
    """Of each job, one after the other."""


@dataclass(frozen=True)
class Arrival:
    """A job: when it was stored, and how long it takes."""

    at: float
    seconds: float


def poisson(rate: float, jobs: int, random: Random, seconds: Sequence[tuple[float, float]]) -> tuple[Arrival, ...]:
    """Jobs that come at random, `rate` a second; `seconds` are lengths and their weights."""
    lengths = random.choices([each for each, _ in seconds], [weight for _, weight in seconds], k=jobs)
    moments, now = [], 0.0
    for _ in range(jobs):
        now += random.expovariate(rate)
        moments.append(now)
    return tuple(Arrival(at=at, seconds=length) for at, length in zip(moments, lengths, strict=True))


def waits(arrivals: Sequence[Arrival], delivery: Delivery, random: Random) -> tuple[float, ...]:
    """How long each job waited for its claim, in the order of arrival.

    A lane gives all that it has, up to a batch, to one invocation, and waits for its end. Lanes that have records
    take turns where there are fewer environments than lanes.
    """
    lane_of = [random.randrange(delivery.lanes) for _ in arrivals]
    events = [(_visible(job.at, delivery), _RECORD, place) for place, job in enumerate(arrivals)]
    heapq.heapify(events)
    queues: dict[int, deque[int]] = {}
    ready: deque[int] = deque()
    busy: set[int] = set()
    started = [0.0] * len(arrivals)
    free = delivery.environments
    while events:
        now = events[0][0]
        while events and events[0][0] == now:
            _, kind, which = heapq.heappop(events)
            if kind == _RECORD:
                lane = lane_of[which]
                queue = queues.setdefault(lane, deque())
                queue.append(which)
                begins = len(queue) == 1 and lane not in busy
            else:
                lane, free = which, free + 1
                busy.discard(lane)
                begins = bool(queues[lane])
            if begins:
                ready.append(lane)
        while ready and free:
            lane, free = ready.popleft(), free - 1
            busy.add(lane)
            queue = queues[lane]
            taken = [queue.popleft() for _ in range(min(delivery.batch, len(queue)))]
            for place, job in enumerate(taken):
                started[job] = now + delivery.invoke + delivery.call + (place + 1) * delivery.cpu
            slowest = max(arrivals[job].seconds for job in taken)
            held = delivery.invoke + 2 * delivery.call + len(taken) * delivery.cpu + slowest
            heapq.heappush(events, (now + held, _END, lane))
    return tuple(start - job.at for start, job in zip(started, arrivals, strict=True))


def _visible(at: float, delivery: Delivery) -> float:
    """When the next read of the shard finds the record."""
    return math.ceil((at + delivery.lag) / delivery.poll) * delivery.poll


QUANTILES: Final = 50


def quantiles(values: Sequence[float], number: int = QUANTILES) -> tuple[float, ...]:
    """So many values that stand for the same share of all each."""
    ordered = sorted(values)
    return tuple(ordered[int((place + 0.5) / number * len(ordered))] for place in range(number))
