"""Steps."""

from datetime import date, timedelta

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import Duration, JitterStrategy, StepConfig, StepSemantics
from aws_durable_execution_sdk_python.exceptions import StepError
from aws_durable_execution_sdk_python.retries import RetryPresets, RetryStrategyConfig, create_retry_strategy
from aws_durable_execution_sdk_python.serdes import SerDes, SerDesContext

from tests.acceptance.durable.effects import note
from tests.acceptance.durable.sdk.example import Event, Handler, Json

PAUSE = Duration.from_seconds(5)
ONCE = StepConfig(retry_strategy=RetryPresets.none())
THREE_TIMES = StepConfig(
    retry_strategy=create_retry_strategy(
        RetryStrategyConfig(max_attempts=3, initial_delay=Duration.from_seconds(2), jitter_strategy=JitterStrategy.NONE)
    )
)


class OutOfStock(Exception):
    """Nothing is left."""


class Dates(SerDes):  # type: ignore[misc]  # the SDK is not in mypy's environment
    """A date as text."""

    def serialize(self, value: date, _context: SerDesContext) -> str:
        return value.isoformat()

    def deserialize(self, data: str, _context: SerDesContext) -> date:
        return date.fromisoformat(data)


def hello(event: Event, _context: DurableContext) -> Json:
    return {"text": f"Hello, {event['name']}!"}


def two_steps(event: Event, context: DurableContext) -> Json:
    def add(_: object) -> object:
        note("add")
        return int(event["one"]) + int(event["other"])

    added = context.step(add, name="add")

    def double(_: object) -> object:
        note("double")
        return 2 * added

    return {"value": context.step(double, name="double")}


def retried(_event: Event, context: DurableContext) -> Json:
    def flaky(_: object) -> str:
        if note("flaky") < 3:
            raise ConnectionError("not yet")
        return "the third time"

    context.step(lambda _: note("before"), name="before")
    return {"text": context.step(flaky, name="flaky", config=THREE_TIMES)}


def exhausted(_event: Event, context: DurableContext) -> Json:
    def broken(_: object) -> str:
        note("broken")
        raise ConnectionError("never")

    return {"text": context.step(broken, name="broken", config=THREE_TIMES)}


def none(_event: Event, context: DurableContext) -> Json:
    def find(_: object) -> None:
        note("find")

    found = context.step(find, name="find")
    context.wait(PAUSE, name="pause")
    return {"value": found}


def _reserve(_: object) -> str:
    note("reserve")
    raise OutOfStock("no chairs are left")


def caught(_event: Event, context: DurableContext) -> Json:
    try:
        return {"text": context.step(_reserve, name="reserve", config=ONCE)}
    except StepError as error:
        return {"text": f"refused: {error}"}


def failure_remembered(_event: Event, context: DurableContext) -> Json:
    try:
        told = context.step(_reserve, name="reserve", config=ONCE)
    except StepError as error:
        told = f"refused: {error}"
    context.wait(PAUSE, name="pause")
    return {"text": told}


def handler_error(_event: Event, _context: DurableContext) -> Json:
    raise ValueError("the handler itself")


def at_most_once(_event: Event, context: DurableContext) -> Json:
    config = StepConfig(step_semantics=StepSemantics.AT_MOST_ONCE_PER_RETRY, retry_strategy=RetryPresets.none())
    context.step(lambda _: note("charge"), name="charge", config=config)
    return {"text": "charged"}


def a_date(_event: Event, context: DurableContext) -> Json:
    def due(_: object) -> date:
        note("due")
        return date(2026, 12, 24)

    day: date = context.step(due, name="due", config=StepConfig(serdes=Dates()))
    context.wait(PAUSE, name="pause")
    return {"day": (day + timedelta(days=1)).isoformat()}


def large(_event: Event, context: DurableContext) -> Json:
    def read(_: object) -> str:
        note("read")
        return "x" * 300_000

    text = context.step(read, name="read")
    context.wait(PAUSE, name="pause")
    return {"value": len(text)}


def many(_event: Event, context: DurableContext) -> Json:
    values = [context.step(lambda _, number=number: number, name=f"number-{number}") for number in range(200)]
    context.wait(PAUSE, name="pause")
    return {"steps": len(values), "total": sum(values)}


HANDLERS: dict[str, Handler] = {
    "hello": hello, "two_steps": two_steps, "retried": retried, "exhausted": exhausted, "none": none,
    "caught": caught, "failure_remembered": failure_remembered, "handler_error": handler_error,
    "at_most_once": at_most_once, "date": a_date, "large": large, "many": many,
}  # fmt: skip
