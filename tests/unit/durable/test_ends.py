"""How an attempt of a durable handler ends: at a pause, after a flaw, and with steps under way."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from headrace import JobContext, Retry
from headrace.testing import JobStack
from tests.unit.durable.test_durable_handlers import HOUR, Approval, Order, Receipt, Work, World, run


async def brief(work: Work) -> tuple[JobStack, str]:
    """Run a job whose attempts may take 0.3 s."""
    stack = World(work, timeout=timedelta(seconds=0.3)).stack
    job = await stack.submit("order", Order())
    await stack.drain()
    return stack, job.id


def ended(stack: JobStack, job_id: str) -> tuple[str, str]:
    """The job's status, and the code of its error."""
    job = stack.job(job_id)
    return job.status, job.error.code if job.error else ""


async def test_an_attempt_that_times_out_is_no_pause_though_only_a_wait_is_left_while_it_cleans_up() -> None:
    async def work(_: Order, context: JobContext) -> Receipt:
        stop = asyncio.create_task(context.signal("stop", Approval))
        try:
            await context.step("hang", asyncio.sleep, 60)
        finally:
            await asyncio.sleep(0.05)
            stop.cancel()
        return Receipt()

    stack, job_id = await brief(work)
    assert ended(stack, job_id) == ("retrying", "timeout")


async def test_a_clean_up_at_a_pause_may_take_what_is_left_of_the_attempt() -> None:
    async def work(_: Order, context: JobContext) -> Receipt:
        try:
            await context.sleep("night", HOUR)
        finally:
            await asyncio.sleep(1.2)
        return Receipt()

    stack, job_id = await run(work)
    assert ended(stack, job_id) == ("waiting", "")


@pytest.mark.asyncio(loop_scope="function")  # It abandons a task, of which other tests should see nothing.
@pytest.mark.parametrize(
    ("goes_on", "expected"),
    [("returns", ("failed", "pause_caught")), ("waits", ("retrying", "timeout")), ("sleeps", ("retrying", "timeout"))],
)
async def test_a_handler_that_catches_everything_and_returns_fails_and_one_that_goes_on_is_tried_again(
    goes_on: str, expected: tuple[str, str]
) -> None:
    async def work(_: Order, context: JobContext) -> Receipt:
        try:
            await context.sleep("night", HOUR)
        except BaseException:  # noqa: BLE001 - what is tested
            if goes_on == "waits":
                await asyncio.sleep(3600)
            if goes_on == "sleeps":
                await context.sleep("again", HOUR)
        return Receipt()

    stack, job_id = await brief(work)
    assert ended(stack, job_id) == expected


async def test_what_a_clean_up_at_a_pause_raises_counts() -> None:
    async def work(_: Order, context: JobContext) -> Receipt:
        try:
            await context.sleep("night", HOUR)
        finally:
            raise LookupError("in the clean-up")

    assert ended(*await run(work)) == ("retrying", "LookupError")


@pytest.mark.parametrize("how", ["waits", "retries", "raises", "misuses again"])
async def test_a_flaw_that_a_handler_catches_fails_its_job_however_it_goes_on(how: str) -> None:
    async def work(_: Order, context: JobContext) -> Receipt | Retry:
        with suppress(Exception):
            await context.sleep("not a name!", HOUR)
        match how:
            case "waits":
                await context.signal("approved", Approval)
            case "raises":
                raise ValueError("another")
            case "misuses again":
                await context.sleep("nor this!", HOUR)
        return Retry(reason="again")

    assert ended(*await run(work)) == ("failed", "StepMisused")
