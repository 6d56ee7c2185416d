"""Invokes a function at a fixed rate, as EventBridge Scheduler does."""

import asyncio
import json
import re
from datetime import UTC, datetime

from pydantic import JsonValue

from headrace.emulator.cloudformation import UnsupportedTemplate
from headrace.emulator.function_pool import FunctionPool
from headrace.emulator.template import Schedule

_RATE = re.compile(r"rate\((\d+) (second|minute|hour|day)s?\)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"
"""What EventBridge Scheduler replaces in a target's input (its User Guide, "Adding context attributes")."""


def interval_seconds(expression: str) -> int:
    """The interval of a `rate(…)` expression; the local stack does not support others."""
    found = _RATE.fullmatch(expression)
    if found is None:
        raise UnsupportedTemplate(f"the local stack supports rate(…) schedules only, not {expression}")
    return int(found.group(1)) * _SECONDS[found.group(2)]


async def run_schedule(schedule: Schedule, pool: FunctionPool, every_seconds: float | None) -> None:
    """Invoke the function at its rate, or each `every_seconds`, until cancelled; at once for the first time.

    An invocation that takes longer delays the next one: there is never more than one.
    """
    interval = interval_seconds(schedule.expression) if every_seconds is None else every_seconds
    loop = asyncio.get_running_loop()
    planned = loop.time()
    while True:
        await pool.invoke(input_at(schedule.input, datetime.now(UTC)))
        planned = max(planned + interval, loop.time())
        await asyncio.sleep(planned - loop.time())


def input_at(given: JsonValue, planned: datetime) -> JsonValue:
    """The input of the invocation that is planned for a moment."""
    text = planned.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    filled: JsonValue = json.loads(json.dumps(given).replace(_SCHEDULED_TIME, text))
    return filled
