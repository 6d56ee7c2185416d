"""Handlers with steps, sleeps and signals, by production's own code on jobs in memory and a clock that tests move."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from pydantic import BaseModel

from headrace import Fail, JobContext, Retry, StepUnavailable, job_type
from headrace.testing import JobStack
from headrace.testing.clock import START

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


class Order(BaseModel):
    id: str = "1"


class Receipt(BaseModel):
    text: str = ""


class Charge(BaseModel):
    id: str
    cents: int


class Approval(BaseModel):
    by: str


Work = Callable[[Order, JobContext], Awaitable[Receipt | Fail | Retry]]


class World:
    """A stack with one job type, and what its handler did."""

    def __init__(self, work: Work, timeout: timedelta = timedelta(seconds=30), max_attempts: int = 5) -> None:
        @job_type("order", timeout=timeout, max_attempts=max_attempts)
        async def order(payload: Order, context: JobContext) -> Receipt | Fail | Retry:
            """Work as the test says."""
            return await work(payload, context)

        self.stack = JobStack((order,), START)


async def run(work: Work, max_attempts: int = 5) -> tuple[JobStack, str]:
    stack = World(work, max_attempts=max_attempts).stack
    job = await stack.submit("order", Order())
    await stack.drain()
    return stack, job.id


async def test_a_step_may_run_a_whole_stack_whose_jobs_have_steps_of_their_own() -> None:
    async def inner(order: Order) -> str:
        return order.id

    async def within(order: Order, context: JobContext) -> Receipt:
        return Receipt(text=await context.step("inner", inner, order))

    async def outer(order: Order) -> Receipt | None:
        stack, job_id = await run(within)
        result = stack.job(job_id).result
        return result if isinstance(result, Receipt) else None

    async def work(order: Order, context: JobContext) -> Receipt:
        return await context.step("outer", outer, order) or Receipt(text="the other job has failed")

    stack, job_id = await run(work)
    assert stack.job(job_id).result == Receipt(text="1")


async def test_a_step_is_called_once_although_the_handler_runs_again() -> None:
    charges: list[str] = []

    async def charge(order: Order) -> Charge:
        charges.append(order.id)
        return Charge(id=f"ch_{len(charges)}", cents=100)

    async def work(order: Order, context: JobContext) -> Receipt:
        charged = await context.step("charge", charge, order)
        if context.attempt < 3:
            raise ValueError("not yet")
        return Receipt(text=charged.id)

    stack, job_id = await run(work)
    await stack.travel(hours=1)
    assert stack.job(job_id).result == Receipt(text="ch_1")
    assert charges == ["1"]


async def test_a_step_that_raises_is_called_again() -> None:
    calls: list[int] = []

    def flaky() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError("busy")
        return len(calls)

    async def work(_: Order, context: JobContext) -> Receipt:
        return Receipt(text=str(await context.step("flaky", flaky)))

    stack, job_id = await run(work)
    await stack.travel(hours=1)
    assert stack.job(job_id).result == Receipt(text="3")
    assert stack.job(job_id).attempt == 3


async def test_a_sleep_ends_the_invocation_and_uses_no_attempt() -> None:
    runs: list[int] = []

    async def work(_: Order, context: JobContext) -> Receipt:
        runs.append(context.attempt)
        await context.sleep("cooling-off", 24 * HOUR)
        return Receipt(text="done")

    stack, job_id = await run(work, max_attempts=1)
    asleep = stack.job(job_id)
    assert (asleep.status, asleep.waits_for, asleep.attempt) == ("waiting", ("cooling-off",), 0)
    assert asleep.due == START + 24 * HOUR
    await stack.travel(hours=23.9)
    assert (stack.job(job_id).status, runs) == ("waiting", [1])
    await stack.travel(hours=0.2)
    assert stack.job(job_id).result == Receipt(text="done")
    assert (stack.job(job_id).attempt, runs) == (1, [1, 1])
    assert stack.job(job_id).history == ("queued", "running", "waiting", "running", "succeeded")


async def test_sleeps_follow_one_another_and_steps_between_them_are_made_once() -> None:
    made: list[str] = []

    async def work(_: Order, context: JobContext) -> Receipt:
        for day in range(5):
            await context.step(f"mail-{day}", made.append, f"mail {day}")
            await context.sleep(f"day-{day}", 24 * HOUR)
        return Receipt()

    stack, job_id = await run(work)
    await stack.travel(days=6)
    assert stack.job(job_id).status == "succeeded"
    assert made == [f"mail {day}" for day in range(5)]


async def approved(_: Order, context: JobContext) -> Receipt | Fail:
    approval = await context.signal("approved", Approval, timeout=7 * 24 * HOUR)
    return Receipt(text=approval.by) if approval else Fail(reason="nobody approved")


async def test_a_signal_goes_on_with_the_handler_that_waits_for_it() -> None:
    stack, job_id = await run(approved)
    assert stack.job(job_id).waits_for == ("approved",)
    await stack.travel(days=1)
    assert (await stack.signal(job_id, "approved", Approval(by="Ann"))).status == "queued"
    await stack.drain()
    assert stack.job(job_id).result == Receipt(text="Ann")


async def test_a_signal_may_come_before_the_job_begins() -> None:
    stack = World(approved).stack
    job = await stack.submit("order", Order(), delay=HOUR)
    await stack.signal(job.id, "approved", {"by": "Ann"})
    await stack.travel(hours=2)
    assert stack.job(job.id).result == Receipt(text="Ann")
    assert "waiting" not in stack.job(job.id).history


async def test_a_signal_that_nobody_sends_is_none_in_the_end_and_stays_so() -> None:
    answers: list[Approval | None] = []

    async def work(_: Order, context: JobContext) -> Receipt:
        answers.append(await context.signal("approved", Approval, timeout=HOUR))
        await context.sleep("then", HOUR)
        return Receipt()

    stack, job_id = await run(work)
    await stack.travel(hours=1.5)
    with pytest.raises(ValueError, match="no longer waits for the signal approved"):
        await stack.signal(job_id, "approved", {"by": "Ann"})
    await stack.travel(hours=2)
    assert (stack.job(job_id).status, answers) == ("succeeded", [None, None])


async def test_a_signal_is_idempotent_and_another_value_under_its_name_is_refused() -> None:
    stack, job_id = await run(approved)
    await stack.signal(job_id, "approved", {"by": "Ann"})
    await stack.signal(job_id, "approved", {"by": "Ann"})
    with pytest.raises(ValueError, match="another value"):
        await stack.signal(job_id, "approved", {"by": "Bob"})
    await stack.drain()
    assert (await stack.signal(job_id, "approved", {"by": "Ann"})).status == "succeeded"
    with pytest.raises(ValueError, match="another value"):
        await stack.signal(job_id, "approved", {"by": "Bob"})
    with pytest.raises(ValueError, match="IllegalTransition"):
        await stack.signal(job_id, "other", {"by": "Bob"})


async def test_a_signal_while_the_handler_runs_is_not_missed() -> None:
    stack: JobStack

    async def work(_: Order, context: JobContext) -> Receipt:
        if context.attempt == 1 and not sent:
            sent.append(1)
            await stack.signal(context.job_id, "approved", {"by": "Ann"})
        approval = await context.signal("approved", Approval)
        return Receipt(text=approval.by)

    sent: list[int] = []
    stack = World(work).stack
    job = await stack.submit("order", Order())
    await stack.drain()
    assert stack.job(job.id).result == Receipt(text="Ann")


async def test_a_signal_of_another_form_fails_the_job() -> None:
    stack, job_id = await run(approved)
    await stack.signal(job_id, "approved", {"who": "Ann"})
    await stack.drain()
    error = stack.job(job_id).error
    assert error is not None
    assert (error.code, error.message) == (
        "StepMisused", "what the signal approved has is not of the declared model: by: Field required",
    )  # fmt: skip


async def test_branches_wait_together_and_the_first_that_ends_goes_on() -> None:
    made: list[str] = []

    async def slow(name: str) -> str:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        made.append(name)
        return name

    async def work(_: Order, context: JobContext) -> Receipt:
        async def branch(name: str, hours: int) -> str:
            await context.step(f"{name}-before", slow, name)
            await context.sleep(name, hours * HOUR)
            return await context.step(f"{name}-after", slow, f"{name} later")

        texts = await asyncio.gather(branch("a", 3), branch("b", 1), context.signal("c", Approval))
        return Receipt(text=f"{texts[0]} {texts[1]} {texts[2].by}")

    stack, job_id = await run(work)
    assert made == ["a", "b"]
    assert (sorted(stack.job(job_id).waits_for), stack.job(job_id).due) == (["a", "b", "c"], START + HOUR)
    await stack.travel(hours=2)
    assert made == ["a", "b", "b later"]
    await stack.signal(job_id, "c", {"by": "Ann"})
    await stack.travel(hours=2)
    assert stack.job(job_id).result == Receipt(text="a later b later Ann")


async def test_a_pause_cannot_be_caught_as_an_exception() -> None:
    caught: list[Exception] = []

    async def work(_: Order, context: JobContext) -> Receipt:
        try:
            await context.sleep("night", HOUR)
        except Exception as error:  # noqa: BLE001 - what is tested
            caught.append(error)
        return Receipt()

    stack, job_id = await run(work)
    assert (stack.job(job_id).status, caught) == ("waiting", [])
    await stack.travel(hours=2)
    assert stack.job(job_id).status == "succeeded"


async def test_what_a_handler_cleans_up_is_done_at_each_pause() -> None:
    done: list[str] = []

    async def work(_: Order, context: JobContext) -> Receipt:
        try:
            await context.sleep("night", HOUR)
        finally:
            done.append("closed")
        return Receipt()

    stack, job_id = await run(work)
    assert stack.job(job_id).status == "waiting"
    await stack.travel(hours=2)
    assert (stack.job(job_id).status, done) == ("succeeded", ["closed", "closed"])


MISUSED = {
    "twice": "the name a is used twice, for a step and a sleep: each needs its own",
    "name": "'a b' cannot be the name of a step: a name has up to 100 letters, digits and _.:- and begins with",
    "within": "the sleep b is called within the step a, whose value holds all of it",
    "model": "the step a made a object, which is not what it says that it returns",
    "far": "a would end more than 366 days after its job was submitted",
}


@pytest.mark.parametrize("how", MISUSED)
async def test_steps_that_cannot_work_fail_the_job_with_a_sentence(how: str) -> None:
    async def work(_: Order, context: JobContext) -> Receipt:
        match how:
            case "twice":
                await context.step("a", int)
                await context.sleep("a", HOUR)
            case "name":
                await context.step("a b", int)
            case "within":
                await context.step("a", lambda: context.sleep("b", HOUR))
            case "model":
                await context.step("a", object)
            case _:
                await context.sleep("a", timedelta(days=400))
        return Receipt()

    stack, job_id = await run(work)
    error = stack.job(job_id).error
    assert error is not None
    assert (stack.job(job_id).status, error.code) == ("failed", "StepMisused")
    assert error.message.startswith(MISUSED[how])


async def test_a_misused_step_fails_the_job_although_the_handler_catches_it() -> None:
    async def work(_: Order, context: JobContext) -> Receipt:
        for _number in range(2):
            with suppress(Exception):
                await context.step("a", int)
        return Receipt()

    stack, job_id = await run(work)
    error = stack.job(job_id).error
    assert error is not None
    assert error.code == "StepMisused"


async def test_a_name_that_was_used_for_something_else_before_fails_the_job() -> None:
    async def work(_: Order, context: JobContext) -> Receipt:
        if context.attempt == 1:
            await context.step("a", int)
            raise ValueError("again")
        await context.sleep("a", HOUR)
        return Receipt()

    stack, job_id = await run(work)
    await stack.travel(hours=1)
    error = stack.job(job_id).error
    assert error is not None
    assert error.message.startswith("a was the name of a step when the job began, and is that of a sleep now")


async def test_a_step_has_an_idempotency_key_of_its_own() -> None:
    keys: list[str] = []

    async def work(_: Order, context: JobContext) -> Receipt:
        async def noted() -> None:
            await asyncio.sleep(0)
            keys.append(context.idempotency_key)

        await asyncio.gather(context.step("a", noted), context.step("b", noted))
        await noted()
        return Receipt()

    _, job_id = await run(work)
    assert keys == [f"{job_id}:a", f"{job_id}:b", job_id]


async def test_a_job_longer_than_its_function_goes_on_in_further_invocations() -> None:
    stack: JobStack
    made: list[int] = []

    async def work(_: Order, context: JobContext) -> Receipt:
        async def part(number: int) -> int:
            stack._clock.now += 4 * SECOND
            made.append(number)
            return number

        parts = [await context.step(f"part-{number}", part, number) for number in range(20)]
        return Receipt(text=str(sum(parts)))

    stack = World(work, timeout=timedelta(seconds=10), max_attempts=1).stack
    job = await stack.submit("order", Order())
    await stack.drain()
    assert stack.job(job.id).result == Receipt(text="190")
    assert (made, stack.job(job.id).attempt) == (list(range(20)), 1)
    assert stack.job(job.id).history.count("running") > 5


async def test_large_values_are_kept_among_the_blobs_and_come_back() -> None:
    async def work(_: Order, context: JobContext) -> Receipt:
        text = await context.step("large", str, "x" * 20_000)
        await context.sleep("a", SECOND)
        return Receipt(text=text)

    stack, job_id = await run(work)
    await stack.travel(seconds=2)
    assert stack.job(job_id).result == Receipt(text="x" * 20_000)
    assert any("/step-" in key for key in stack._blobs.stored)


async def test_a_waiting_job_can_be_cancelled() -> None:
    stack, job_id = await run(approved)
    assert (await stack.cancel(job_id)).status == "cancelled"
    await stack.travel(days=6)
    assert stack.job(job_id).status == "cancelled"


async def test_a_retry_by_a_person_remembers_the_steps() -> None:
    made: list[int] = []

    async def work(_: Order, context: JobContext) -> Receipt | Fail:
        await context.step("a", made.append, 1)
        return Receipt() if len(runs) else Fail(reason="first")

    runs: list[int] = []
    stack, job_id = await run(work)
    assert stack.job(job_id).status == "failed"
    runs.append(1)
    await stack.retry(job_id)
    await stack.drain()
    assert (stack.job(job_id).status, made) == ("succeeded", [1])


async def test_a_job_remembers_a_thousand_steps_and_no_more() -> None:
    async def work(_: Order, context: JobContext) -> Receipt:
        for number in range(1001):
            await context.step(f"s{number}", int)
        return Receipt()

    stack, job_id = await run(work)
    error = stack.job(job_id).error
    assert error is not None
    assert error.message.startswith("a job remembers at most 1000 steps")


async def test_a_plain_handler_has_no_steps() -> None:
    @job_type("plain")
    def plain(_: Order, context: object) -> Receipt:
        """Work in a thread."""
        context.step("a", int)  # type: ignore[attr-defined]  # what is tested
        return Receipt()

    stack = JobStack((plain,), START)
    job = await stack.submit("plain", Order())
    await stack.drain()
    error = stack.job(job.id).error
    assert error is not None
    assert (
        error.message
        == "step, sleep, signal, call, map and submit need an `async` handler: write `async def`, and await them"
    )


def test_what_is_out_of_reach_is_no_misuse() -> None:
    assert not issubclass(StepUnavailable, LookupError)
