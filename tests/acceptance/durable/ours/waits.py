"""Waits: for a time, and for a condition that is looked at now and then."""

from datetime import timedelta
from itertools import count

from pydantic import BaseModel

from headrace import Fail, Handler, JobContext, job_type
from tests.acceptance.durable.effects import note
from tests.acceptance.durable.ours.models import Nothing, Number, Text


class Limit(BaseModel):
    """How often is looked at most."""

    most: int


@job_type("example.wait")
async def wait(_event: Nothing, context: JobContext) -> Text:
    """Sleeps for ten days."""
    await context.sleep("ten-days", timedelta(days=10))
    return Text(text="awake")


@job_type("example.waits")
async def waits(_event: Nothing, context: JobContext) -> Number:
    """Sleeps several times, with an effect between."""
    for number in range(3):
        await context.sleep(f"pause-{number}", timedelta(minutes=5))
        last = await context.step(f"look-{number}", note, "look")
    return Number(value=last)


@job_type("example.condition")
async def condition(limit: Limit, context: JobContext) -> Number | Fail:
    """Looks until it is enough: a loop, a step and a sleep, with names that count."""
    for number in count():
        state = await context.step(f"look-{number}", note, "look")
        if state >= 4:
            return Number(value=state)
        if number + 1 >= limit.most:
            return Fail(reason=f"not enough after {limit.most} looks")
        await context.sleep(f"pause-{number}", timedelta(seconds=2**number))
    raise AssertionError  # count() has no end


HANDLERS: tuple[Handler, ...] = (wait, waits, condition)
