"""Steps: what is remembered, tried again, or not made again."""

from datetime import date, timedelta
from uuid import uuid4

from pydantic import BaseModel

from headrace import Backoff, Fail, Handler, JobContext, job_type
from tests.acceptance.durable.effects import note
from tests.acceptance.durable.ours.models import Nothing, Number, Text

SOON = Backoff(base=timedelta(seconds=2))


class Person(BaseModel):
    """Who is greeted."""

    name: str


class Pair(BaseModel):
    """Two numbers."""

    one: int
    other: int


class Maybe(BaseModel):
    """Something, or nothing."""

    value: str | None


class Due(BaseModel):
    """A day."""

    day: date


class Total(BaseModel):
    """How much many steps gave."""

    steps: int
    total: int


class OutOfStock(Exception):
    """Nothing is left."""


@job_type("example.hello")
async def hello(person: Person) -> Text:
    """Has no steps."""
    return Text(text=f"Hello, {person.name}!")


@job_type("example.two_steps")
async def two_steps(pair: Pair, context: JobContext) -> Number:
    """The second step gets what the first one returned."""

    def add(one: int, other: int) -> int:
        note("add")
        return one + other

    def double(number: int) -> int:
        note("double")
        return 2 * number

    return Number(value=await context.step("double", double, await context.step("add", add, pair.one, pair.other)))


def _flaky() -> str:
    if note("flaky") < 3:
        raise ConnectionError("not yet")
    return "the third time"


@job_type("example.retried", max_attempts=3, backoff=SOON)
async def retried(_event: Nothing, context: JobContext) -> Text:
    """The job is tried again; what it has done is remembered."""
    await context.step("before", note, "before")
    return Text(text=await context.step("flaky", _flaky))


def _broken() -> str:
    note("broken")
    raise ConnectionError("never")


@job_type("example.exhausted", max_attempts=3, backoff=SOON)
async def exhausted(_event: Nothing, context: JobContext) -> Text:
    """Fails when its attempts are used up."""
    return Text(text=await context.step("broken", _broken))


@job_type("example.none")
async def none(_event: Nothing, context: JobContext) -> Maybe:
    """None is a value: it is remembered."""

    def find() -> str | None:
        note("find")
        return None

    found = await context.step("find", find)
    await context.sleep("pause", timedelta(seconds=5))
    return Maybe(value=found)


def _reserve() -> str:
    note("reserve")
    raise OutOfStock("no chairs are left")


@job_type("example.caught")
async def caught(_event: Nothing, context: JobContext) -> Text:
    """An exception of a step is the handler's own."""
    try:
        return Text(text=await context.step("reserve", _reserve))
    except OutOfStock as error:
        return Text(text=f"refused: {error}")


@job_type("example.failure_remembered")
async def failure_remembered(_event: Nothing, context: JobContext) -> Text:
    """An exception is not remembered: a failure that is to outlast a pause is a value."""

    def tried() -> str:
        try:
            return _reserve()
        except OutOfStock as error:
            return f"refused: {error}"

    told = await context.step("reserve", tried)
    await context.sleep("pause", timedelta(seconds=5))
    return Text(text=told)


@job_type("example.handler_error", max_attempts=1)
async def handler_error(_event: Nothing) -> Text:
    """Fails by what it raises."""
    raise ValueError("the handler itself")


@job_type("example.at_most_once")
async def at_most_once(_event: Nothing, context: JobContext) -> Text | Fail:
    """Does not begin the effect again where a worker died within it: the first run alone may make it."""
    this_run = str(uuid4())
    began_in = await context.step("began", str, this_run)

    def charge() -> bool:
        if began_in == this_run:
            note("charge")
        return began_in == this_run

    charged = await context.step("charge", charge)
    return Text(text="charged") if charged else Fail(reason="perhaps it was charged: a person has to look")


@job_type("example.date")
async def a_date(_event: Nothing, context: JobContext) -> Due:
    """Values are JSON by their annotations, which pydantic reads back."""

    def due() -> date:
        note("due")
        return date(2026, 12, 24)

    day = await context.step("due", due)
    await context.sleep("pause", timedelta(seconds=5))
    return Due(day=day + timedelta(days=1))


@job_type("example.large")
async def large(_event: Nothing, context: JobContext) -> Number:
    """A value of 300 KB."""

    def read() -> str:
        note("read")
        return "x" * 300_000

    text = await context.step("read", read)
    await context.sleep("pause", timedelta(seconds=5))
    return Number(value=len(text))


@job_type("example.many")
async def many(_event: Nothing, context: JobContext) -> Total:
    """Two hundred steps, and a pause behind them."""
    values = [await context.step(f"number-{number}", int, number) for number in range(200)]
    await context.sleep("pause", timedelta(seconds=5))
    return Total(steps=len(values), total=sum(values))


HANDLERS: tuple[Handler, ...] = (
    hello, two_steps, retried, exhausted, none, caught, failure_remembered, handler_error, at_most_once, a_date, large,
    many,
)  # fmt: skip
