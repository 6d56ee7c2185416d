"""Children: what the SDK invokes, or maps over in one execution, are jobs of their own here."""

import asyncio

from pydantic import BaseModel

from headrace import ChildFailed, Fail, Handler, JobContext, job_type
from tests.acceptance.durable.effects import note
from tests.acceptance.durable.ours.models import Nothing, Number, Numbers, Text


class Item(BaseModel):
    """What a child gets."""

    number: int


class Counted(BaseModel):
    """How many children succeeded and failed."""

    succeeded: int
    failed: int


@job_type("example.square")
async def square(item: Item, context: JobContext) -> Number:
    """A child with a step."""

    def squared() -> int:
        note("square")
        return item.number**2

    return Number(value=await context.step("squared", squared))


@job_type("example.halve")
async def halve(item: Item) -> Number | Fail:
    """A child that takes even numbers alone."""
    note("halve")
    return Fail(reason="odd", code="odd") if item.number % 2 else Number(value=item.number // 2)


@job_type("example.invoke")
async def invoke(_event: Nothing, context: JobContext) -> Number:
    """Another job's result."""
    squared = await context.call("square", "example.square", Item(number=7), returns=Number)
    return Number(value=squared.value + 1)


@job_type("example.invoke_fails")
async def invoke_fails(_event: Nothing, context: JobContext) -> Text:
    """Another job's failure."""
    try:
        halved = await context.call("halve", "example.halve", Item(number=7), returns=Number)
    except ChildFailed as failed:
        return Text(text=f"refused: {failed.message}")
    return Text(text=str(halved.value))


@job_type("example.map")
async def mapped(_event: Nothing, context: JobContext) -> Numbers:
    """A child for each item; the results are in the items' order."""
    items = [Item(number=number) for number in range(5)]
    squares = await context.map("squares", "example.square", items, returns=Number)
    return Numbers(values=[each.value for each in squares])


@job_type("example.map_limited")
async def map_limited(_event: Nothing, context: JobContext) -> Number:
    """A hundred, ten at once."""
    items = [Item(number=number) for number in range(100)]
    squares = await context.map("squares", "example.square", items, returns=Number, max_in_flight=10)
    return Number(value=sum(each.value for each in squares))


@job_type("example.map_tolerates")
async def map_tolerates(_event: Nothing, context: JobContext) -> Counted:
    """Two of five may fail; their places have the failure."""
    items = [Item(number=number) for number in range(5)]
    halves = await context.map("halves", "example.halve", items, returns=Number, tolerated_failures=2)
    failed = sum(isinstance(each, ChildFailed) for each in halves)
    return Counted(succeeded=len(halves) - failed, failed=failed)


@job_type("example.map_fails")
async def map_fails(_event: Nothing, context: JobContext) -> Number:
    """More failed than may: the parent fails, once all have ended."""
    items = [Item(number=number) for number in range(5)]
    halves = await context.map("halves", "example.halve", items, returns=Number, tolerated_failures=1)
    return Number(value=len(halves))


@job_type("example.map_nested")
async def map_nested(_event: Nothing, context: JobContext) -> Numbers:
    """Children with children."""
    items = [Item(number=number) for number in (2, 3)]
    sums = await context.map("sums", "example.sum_of_squares", items, returns=Number)
    return Numbers(values=[each.value for each in sums])


@job_type("example.sum_of_squares")
async def sum_of_squares(item: Item, context: JobContext) -> Number:
    """A child with children."""
    items = [Item(number=number) for number in range(item.number + 1)]
    squares = await context.map("squares", "example.square", items, returns=Number)
    return Number(value=sum(each.value for each in squares))


@job_type("example.map_enough")
async def map_enough(_event: Nothing, context: JobContext) -> Number:
    """Goes on when three of six have succeeded: `map` always waits for all, branches with a call each do not."""
    calls = [
        asyncio.create_task(context.call(f"square-{number}", "example.square", Item(number=number), returns=Number))
        for number in range(6)
    ]
    succeeded = 0
    for call in asyncio.as_completed(calls):
        await call
        succeeded += 1
        if succeeded == 3:
            break
    for task in calls:
        task.cancel()
    return Number(value=succeeded)


HANDLERS: tuple[Handler, ...] = (
    square, halve, invoke, invoke_fails, mapped, map_limited, map_tolerates, map_fails, map_nested, sum_of_squares,
    map_enough,
)  # fmt: skip
