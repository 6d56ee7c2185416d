"""Invocations of other functions, and maps."""

from collections.abc import Callable

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import CompletionConfig, MapConfig, StepConfig
from aws_durable_execution_sdk_python.exceptions import InvokeError
from aws_durable_execution_sdk_python.retries import RetryPresets

from tests.acceptance.durable.effects import note
from tests.acceptance.durable.sdk.example import Event, Handler, Json

ONCE = StepConfig(retry_strategy=RetryPresets.none())


def _squared(number: int) -> Callable[[object], int]:
    def made(_: object) -> int:
        note("square")
        return number**2

    return made


def _halved(number: int) -> Callable[[object], int]:
    def made(_: object) -> int:
        note("halve")
        if number % 2:
            raise ValueError("odd")
        return number // 2

    return made


def _square(own: DurableContext, number: int, _index: int, _items: object) -> object:
    return own.step(_squared(number), name="squared")


def _halve(own: DurableContext, number: int, _index: int, _items: object) -> object:
    return own.step(_halved(number), name="halved", config=ONCE)


def square(event: Event, context: DurableContext) -> Json:
    return {"value": context.step(_squared(int(event["number"])), name="squared")}


def halve(event: Event, context: DurableContext) -> Json:
    return {"value": context.step(_halved(int(event["number"])), name="halved", config=ONCE)}


def invoke(_event: Event, context: DurableContext) -> Json:
    return {"value": context.invoke("square", {"number": 7}, name="square")["value"] + 1}


def invoke_fails(_event: Event, context: DurableContext) -> Json:
    try:
        return {"text": str(context.invoke("halve", {"number": 7}, name="halve")["value"])}
    except InvokeError as failed:
        return {"text": f"refused: {failed}"}


def mapped(_event: Event, context: DurableContext) -> Json:
    return {"values": context.map(list(range(5)), _square, name="squares").get_results()}


def map_limited(_event: Event, context: DurableContext) -> Json:
    squares = context.map(list(range(100)), _square, name="squares", config=MapConfig(max_concurrency=10))
    return {"value": sum(squares.get_results())}


def map_tolerates(_event: Event, context: DurableContext) -> Json:
    config = MapConfig(completion_config=CompletionConfig(tolerated_failure_count=2))
    halves = context.map(list(range(5)), _halve, name="halves", config=config)
    return {"succeeded": halves.success_count, "failed": halves.failure_count}


def map_fails(_event: Event, context: DurableContext) -> Json:
    config = MapConfig(completion_config=CompletionConfig(tolerated_failure_count=1))
    halves = context.map(list(range(5)), _halve, name="halves", config=config)
    halves.throw_if_error()
    return {"value": len(halves.all)}


def map_nested(_event: Event, context: DurableContext) -> Json:
    def summed(own: DurableContext, number: int, _index: int, _items: object) -> int:
        return sum(own.map(list(range(number + 1)), _square, name="squares").get_results())

    return {"values": context.map([2, 3], summed, name="sums").get_results()}


def map_enough(_event: Event, context: DurableContext) -> Json:
    config = MapConfig(max_concurrency=1, completion_config=CompletionConfig(min_successful=3))
    return {"value": context.map(list(range(6)), _square, name="squares", config=config).success_count}


HANDLERS: dict[str, Handler] = {
    "invoke": invoke, "invoke_fails": invoke_fails, "map": mapped, "map_limited": map_limited,
    "map_tolerates": map_tolerates, "map_fails": map_fails, "map_nested": map_nested, "map_enough": map_enough,
}  # fmt: skip
INVOKED: dict[str, Handler] = {"square": square, "halve": halve}
"""Other functions, by the names that they are invoked by."""
