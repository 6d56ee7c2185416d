"""Steps that are under way when their handler ends: what they have done is remembered, and none begins afterwards."""

import asyncio
from datetime import timedelta

import pytest

from headrace import JobContext, Retry
from headrace.testing import JobStack
from tests.unit.durable.test_durable_handlers import SECOND, Approval, Order, Receipt, Work, World, run


class Charges:
    """An effect, made as often as `made` says."""

    def __init__(self, seconds: float = 0) -> None:
        self.made = 0
        self._seconds = seconds

    async def charge(self) -> int:
        await asyncio.sleep(self._seconds)
        self.made += 1
        return self.made


def slow_to_remember(work: Work, monkeypatch: pytest.MonkeyPatch, timeout: timedelta) -> JobStack:
    """A stack whose store of steps takes 0.3 s for the first write."""
    stack = World(work, timeout=timeout).stack
    remember, delays = stack._steps.remember, [0.3]

    async def slowly(*given: object) -> object:
        await asyncio.sleep(delays.pop() if delays else 0)
        return await remember(*given)  # type: ignore[arg-type]  # given on

    monkeypatch.setattr(stack._steps, "remember", slowly)
    return stack


async def test_a_step_beside_one_that_raises_is_remembered() -> None:
    charges = Charges(seconds=0.05)

    def other(attempt: int) -> int:
        if attempt == 1:
            raise ConnectionError("not now")
        return 0

    async def work(_: Order, context: JobContext) -> Receipt:
        await asyncio.gather(context.step("charge", charges.charge), context.step("other", other, context.attempt))
        return Receipt()

    stack, job_id = await run(work)
    await stack.travel(hours=1)
    assert (stack.job(job_id).status, charges.made) == ("succeeded", 1)


async def test_a_task_that_outlives_its_attempt_begins_no_step() -> None:
    charges, tasks = Charges(), list[asyncio.Task[int]]()

    async def branch(context: JobContext) -> int:
        await asyncio.sleep(0.05)
        return await context.step("charge", charges.charge)

    async def work(_: Order, context: JobContext) -> Receipt:
        tasks.append(asyncio.create_task(branch(context)))
        await context.signal("go", Approval)
        await tasks[-1]
        return Receipt()

    stack, job_id = await run(work)
    await asyncio.wait(tasks)
    assert (stack.job(job_id).status, charges.made, tasks[0].cancelled()) == ("waiting", 0, True)
    await stack.signal(job_id, "go", {"by": "Ann"})
    await stack.drain()
    assert (stack.job(job_id).status, charges.made) == ("succeeded", 1)


async def test_a_step_whose_handler_gave_up_before_it_was_remembered_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charges = Charges()

    async def work(_: Order, context: JobContext) -> Receipt | Retry:
        try:
            async with asyncio.timeout(0.1):
                await context.step("charge", charges.charge)
        except TimeoutError:
            return Retry(reason="slow", after=SECOND)
        return Receipt()

    stack = slow_to_remember(work, monkeypatch, 30 * SECOND)
    job = await stack.submit("order", Order())
    await stack.travel(minutes=5)
    assert (stack.job(job.id).history.count("retrying"), stack.job(job.id).status) == (1, "succeeded")
    assert charges.made == 1


async def test_a_step_that_is_being_remembered_when_the_attempt_times_out_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charges = Charges()

    async def work(_: Order, context: JobContext) -> Receipt:
        await context.step("charge", charges.charge)
        return Receipt()

    stack = slow_to_remember(work, monkeypatch, timedelta(seconds=0.1))
    job = await stack.submit("order", Order())
    await stack.travel(minutes=5)
    assert (stack.job(job.id).history.count("retrying"), stack.job(job.id).status) == (1, "succeeded")
    assert charges.made == 1


async def test_a_step_that_does_not_end_holds_up_no_outcome_beyond_the_attempt() -> None:
    tasks: list[asyncio.Task[None]] = []

    async def work(_: Order, context: JobContext) -> Receipt:
        tasks.append(asyncio.create_task(context.step("hang", asyncio.sleep, 60)))
        await asyncio.sleep(0.01)
        return Receipt()

    stack = World(work, timeout=timedelta(seconds=0.1)).stack
    job = await stack.submit("order", Order())
    async with asyncio.timeout(4):
        await stack.drain()
    assert stack.job(job.id).status == "succeeded"
    tasks[0].cancel()
    await asyncio.wait(tasks)
