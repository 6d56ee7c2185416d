"""Invokes a function at a fixed rate, as EventBridge Scheduler does."""

import asyncio
import re

from headrace.emulator.cloudformation import UnsupportedTemplate
from headrace.emulator.function_pool import FunctionPool
from headrace.emulator.template import Schedule

_RATE = re.compile(r"rate\((\d+) (second|minute|hour|day)s?\)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def interval_seconds(expression: str) -> int:
    """The interval of a `rate(…)` expression; the local stack does not support others."""
    found = _RATE.fullmatch(expression)
    if found is None:
        raise UnsupportedTemplate(f"the local stack supports rate(…) schedules only, not {expression}")
    return int(found.group(1)) * _SECONDS[found.group(2)]


async def run_schedule(schedule: Schedule, pool: FunctionPool, at_most_seconds: float) -> None:
    """Invoke the function at its rate (or each `at_most_seconds`, if that is sooner) until cancelled."""
    interval = min(interval_seconds(schedule.expression), at_most_seconds)
    while True:
        await pool.invoke(schedule.input)
        await asyncio.sleep(interval)
