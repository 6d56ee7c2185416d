"""A fault a minute, in turn: processes killed, a database, queues or blobs that fail, and all of it together."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from headrace.authoring.frozen import Frozen
from tests.reliability.failing import RULES, Proxy
from tests.reliability.soak.watching import STACK, processes

Rules = Mapping[str, dict[str, object]]
_UNAVAILABLE: dict[str, object] = {"code": "ServiceUnavailable", "status": 503}
DATABASE_DOWN: Rules = {"database down": {"error": _UNAVAILABLE}}
QUEUES_DOWN: Rules = {"queues down": {"service": "sqs", "error": _UNAVAILABLE}}
BLOBS_DOWN: Rules = {"blobs down": {"service": "s3", "error": _UNAVAILABLE}}


class Fault(Frozen):
    """One fault that was injected."""

    name: str
    began: float
    """Unix time."""
    ended: float


class _Plan(Frozen):
    name: str
    rules: Mapping[str, dict[str, object]] = {}
    seconds: float = 0.0
    kills: int = 0


PLANS: Sequence[_Plan] = (
    _Plan(name="a process killed", kills=1),
    _Plan(name="calls throttled, delayed, reset, failed, their answers lost", rules=RULES, seconds=20),
    _Plan(name="database down", rules=DATABASE_DOWN, seconds=5),
    _Plan(name="several processes killed", kills=4),
    _Plan(name="queues down", rules=QUEUES_DOWN, seconds=30),
    _Plan(name="blobs down", rules=BLOBS_DOWN, seconds=20),
    _Plan(name="all of it", rules={**RULES, **QUEUES_DOWN, **BLOBS_DOWN}, seconds=15, kills=3),
)


class Disturber:
    """Injects the faults, one after the other."""

    def __init__(self, proxy: Proxy, seed: int) -> None:
        self._proxy = proxy
        self._random = random.Random(seed)
        self.faults: list[Fault] = []
        self.kills = 0

    async def run(self, every: float, seconds: float) -> None:
        """Inject one every so many seconds, for so long; return when all is sound again."""
        began = time.monotonic()
        number = 0
        while (until := (number + 1) * every) < seconds:
            await asyncio.sleep(began + until - time.monotonic())
            await self._inject(PLANS[number % len(PLANS)], every / 2)
            number += 1

    async def _inject(self, plan: _Plan, most: float) -> None:
        began = time.time()
        await self._proxy.fail(plan.rules)
        pids = [pid for name, pid in processes() if name != STACK]
        for pid in self._random.sample(pids, min(plan.kills, len(pids))):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.kills += 1
        await asyncio.sleep(min(plan.seconds, most))
        await self._proxy.fail({})
        self.faults.append(Fault(name=plan.name, began=began, ended=time.time()))
