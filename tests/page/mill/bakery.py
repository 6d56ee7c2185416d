"""A durable job with children, of which some wait for their oven."""

from datetime import timedelta

from pydantic import BaseModel

from headrace import ChildFailed, Fail, JobContext, job_type


class Batch(BaseModel):
    """How many loaves are baked, and which of them are burnt."""

    loaves: int = 5
    burnt: list[int] = []


class Loaf(BaseModel):
    """One of them."""

    number: int
    burnt: bool = False


class Baked(BaseModel):
    """What came out of the oven."""

    good: int


class Word(BaseModel):
    """What the baker says."""

    by: str


@job_type("mill.loaf", max_attempts=1)
async def loaf(one: Loaf, context: JobContext) -> Baked | Fail:
    """Bake a loaf; the last one waits until the baker has looked at it."""
    if one.number < 0:
        await context.signal("looked", Word, timeout=timedelta(hours=1))
    return Fail(reason=f"loaf {one.number} is burnt", code="burnt") if one.burnt else Baked(good=1)


@job_type("mill.bake")
async def bake(batch: Batch, context: JobContext) -> Baked:
    """Bake a batch, a job for each loaf, and then the last one."""
    loaves = [Loaf(number=number, burnt=number in batch.burnt) for number in range(batch.loaves)]
    baked = await context.map("loaves", "mill.loaf", loaves, returns=Baked, failed="collect")
    last = await context.call("the-last-one", "mill.loaf", Loaf(number=-1), returns=Baked)
    return Baked(good=last.good + sum(each.good for each in baked if not isinstance(each, ChildFailed)))
