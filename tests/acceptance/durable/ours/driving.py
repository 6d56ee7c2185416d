"""Runs an example on `JobStack`: API, worker and sweeper in this process, with a clock of its own."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from headrace.testing import JobStack, StackJob
from tests.acceptance.durable.effects import MADE
from tests.acceptance.durable.examples import Example
from tests.acceptance.durable.ours import branches, callbacks, children, steps, waits

HANDLERS: Final = (*steps.HANDLERS, *waits.HANDLERS, *callbacks.HANDLERS, *branches.HANDLERS, *children.HANDLERS)
FINAL: Final = {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True)
class Outcome:
    """What became of an example."""

    result: object
    effects: dict[str, int]
    job: StackJob


async def outcome(name: str, example: Example) -> Outcome:
    """Run one example to its end: send what it waits for, else let time pass until something is due."""
    MADE.clear()
    stack = JobStack(HANDLERS, datetime.now(UTC))
    try:
        job = await stack.submit(f"example.{example.of or name}", dict(example.event))
        unsent = list(callbacks.SENT.get(name, ()))
        await stack.drain()
        while (job := stack.job(job.id)).status not in FINAL:
            if unsent and unsent[0][0] in job.waits_for:
                await stack.signal(job.id, *unsent.pop(0))
                await stack.drain()
                continue
            due = min(each.due for each in stack.submitted() if each.due is not None)
            await stack.travel(seconds=max(due - stack.now, timedelta(0)).total_seconds())
        return Outcome(job.returned and job.returned.model_dump(mode="json"), dict(Counter(MADE)), job)
    finally:
        stack.close()
