"""Branches are asyncio's: `gather`, `TaskGroup`, `wait`, `Semaphore`; a child context is a function."""

import asyncio
from datetime import timedelta

from pydantic import BaseModel

from headrace import Fail, Handler, JobContext, job_type
from tests.acceptance.durable.effects import note
from tests.acceptance.durable.ours.models import Nothing, Number, Numbers, Text, Texts

SECOND = timedelta(seconds=1)


class Counted(BaseModel):
    """How many branches succeeded and failed."""

    succeeded: int
    failed: int


class Paid(BaseModel):
    """Whether an order is large."""

    large: int


def _square(number: int) -> int:
    note("square")
    return number * number


@job_type("example.parallel")
async def parallel(_event: Nothing, context: JobContext) -> Numbers:
    """Three steps at once."""
    squares = await asyncio.gather(*(context.step(f"square-{number}", _square, number) for number in range(3)))
    return Numbers(values=list(squares))


@job_type("example.parallel_waits")
async def parallel_waits(_event: Nothing, context: JobContext) -> Texts:
    """Each branch sleeps for another time, and goes on by itself."""

    async def branch(name: str, seconds: int) -> str:
        await context.sleep(f"{name}:pause", seconds * SECOND)
        await context.step(f"{name}:end", note, "end")
        return name

    return Texts(texts=list(await asyncio.gather(branch("slow", 3), branch("quick", 1), branch("usual", 2))))


@job_type("example.parallel_limited")
async def parallel_limited(_event: Nothing, context: JobContext) -> Numbers:
    """Two at once, of five that sleep."""
    places = asyncio.Semaphore(2)

    async def branch(number: int) -> int:
        async with places:
            await context.sleep(f"pause-{number}", SECOND)
            return await context.step(f"square-{number}", _square, number)

    return Numbers(values=list(await asyncio.gather(*(branch(number) for number in range(5)))))


@job_type("example.first_successful")
async def first_successful(_event: Nothing, context: JobContext) -> Text:
    """The first that ends; which one it was is remembered, for later runs find more of them ended."""

    async def branch(name: str, seconds: int) -> str:
        await context.sleep(f"{name}:pause", seconds * SECOND)
        return name

    tasks = [asyncio.create_task(branch(name, seconds)) for name, seconds in (("slow", 3600), ("quick", 1))]
    done, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()
    first = await context.step("first", str, done.pop().result())
    await context.sleep("pause", 2 * SECOND)
    return Text(text=first)


@job_type("example.failures_tolerated")
async def failures_tolerated(_event: Nothing, context: JobContext) -> Counted | Fail:
    """Two of five branches fail, and two may."""

    def halve(number: int) -> int:
        note("halve")
        if number % 2:
            raise ValueError("odd")
        return number // 2

    branches = (context.step(f"halve-{number}", halve, number) for number in range(5))
    ended = await asyncio.gather(*branches, return_exceptions=True)
    failed = sum(isinstance(each, ValueError) for each in ended)
    return Counted(succeeded=len(ended) - failed, failed=failed) if failed <= 2 else Fail(reason=f"{failed} failed")


@job_type("example.child_context")
async def child_context(_event: Nothing, context: JobContext) -> Numbers:
    """A function with steps of its own, called twice, each time under another path; the blocks nest."""

    async def block(path: str, number: int) -> int:
        squared = await context.step(f"{path}:square", _square, number)
        await context.sleep(f"{path}:pause", SECOND)
        return await inner(f"{path}:inner", squared)

    async def inner(path: str, number: int) -> int:
        return await context.step(f"{path}:square", _square, number)

    return Numbers(values=[await block("one", 2), await block("other", 3)])


@job_type("example.diamond")
async def diamond(_event: Nothing, context: JobContext) -> Number:
    """A graph: two branches stand on one result, and one result on both."""

    def number(name: str, value: int) -> int:
        note(name)
        return value

    source = await context.step("source", number, "source", 3)
    left, right = await asyncio.gather(
        context.step("left", number, "left", source + 1), context.step("right", number, "right", source * 2)
    )
    return Number(value=await context.step("joined", number, "joined", left + right))


@job_type("example.run_if")
async def run_if(order: Paid, context: JobContext) -> Texts:
    """A node that runs only for some: `if`."""
    names = ["checked", *(["approved"] if order.large else []), "shipped"]
    for name in names:
        await context.step(name, note, name)
    return Texts(texts=names)


@job_type("example.compensation", max_attempts=1)
async def compensation(_event: Nothing, context: JobContext) -> Texts | Fail:
    """What was done is undone, the last first, when a later step fails."""

    def book(name: str) -> str:
        note(f"book {name}")
        if name == "car":
            raise ConnectionError("no cars")
        return name

    booked: list[str] = []
    try:
        for name in ("flight", "hotel", "car"):
            booked.append(await context.step(f"book-{name}", book, name))  # noqa: PERF401 - so far as it came
    except ConnectionError as error:
        for name in reversed(booked):
            await context.step(f"cancel-{name}", note, f"cancel {name}")
        return Fail(reason=str(error))
    return Texts(texts=booked)


HANDLERS: tuple[Handler, ...] = (
    parallel, parallel_waits, parallel_limited, first_successful, failures_tolerated, child_context, diamond, run_if,
    compensation,
)  # fmt: skip
