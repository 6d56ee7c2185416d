"""Branches, child contexts, and a graph (by its means that are not experimental)."""

from collections.abc import Callable

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import CompletionConfig, Duration, ParallelConfig, StepConfig
from aws_durable_execution_sdk_python.exceptions import StepError
from aws_durable_execution_sdk_python.retries import RetryPresets

from tests.acceptance.durable.effects import note
from tests.acceptance.durable.sdk.example import Event, Handler, Json

SECOND = Duration.from_seconds(1)
ONCE = StepConfig(retry_strategy=RetryPresets.none())
Branch = Callable[[DurableContext], object]


def _square(number: int) -> Callable[[object], int]:
    def square(_: object) -> int:
        note("square")
        return number * number

    return square


def parallel(_event: Event, context: DurableContext) -> Json:
    def branch(number: int) -> Branch:
        return lambda own: own.step(_square(number), name=f"square-{number}")

    return {"values": context.parallel([branch(number) for number in range(3)], name="squares").get_results()}


def parallel_waits(_event: Event, context: DurableContext) -> Json:
    def branch(name: str, seconds: int) -> Branch:
        def run(own: DurableContext) -> str:
            own.wait(Duration.from_seconds(seconds), name="pause")
            own.step(lambda _: note("end"), name="end")
            return name

        return run

    branches = [branch("slow", 3), branch("quick", 1), branch("usual", 2)]
    return {"texts": context.parallel(branches, name="branches").get_results()}


def parallel_limited(_event: Event, context: DurableContext) -> Json:
    def branch(number: int) -> Branch:
        def run(own: DurableContext) -> object:
            own.wait(SECOND, name="pause")
            return own.step(_square(number), name="square")

        return run

    config = ParallelConfig(max_concurrency=2)
    return {"values": context.parallel([branch(number) for number in range(5)], config=config).get_results()}


def first_successful(_event: Event, context: DurableContext) -> Json:
    def branch(name: str, seconds: int) -> Branch:
        def run(own: DurableContext) -> str:
            own.wait(Duration.from_seconds(seconds), name="pause")
            return name

        return run

    config = ParallelConfig(completion_config=CompletionConfig.first_successful())
    first = context.parallel([branch("slow", 3600), branch("quick", 1)], config=config).get_results()
    context.wait(Duration.from_seconds(2), name="pause")
    return {"text": first[0]}


def failures_tolerated(_event: Event, context: DurableContext) -> Json:
    def branch(number: int) -> Branch:
        def halve(_: object) -> int:
            note("halve")
            if number % 2:
                raise ValueError("odd")
            return number // 2

        return lambda own: own.step(halve, name=f"halve-{number}", config=ONCE)

    config = ParallelConfig(completion_config=CompletionConfig(tolerated_failure_count=2))
    ended = context.parallel([branch(number) for number in range(5)], config=config)
    return {"succeeded": ended.success_count, "failed": ended.failure_count}


def child_context(_event: Event, context: DurableContext) -> Json:
    def block(number: int) -> Branch:
        def run(own: DurableContext) -> object:
            squared = own.step(_square(number), name="square")
            own.wait(SECOND, name="pause")
            return own.run_in_child_context(lambda inner: inner.step(_square(squared), name="square"), name="inner")

        return run

    return {"values": [context.run_in_child_context(block(n), name=name) for name, n in (("one", 2), ("other", 3))]}


def diamond(_event: Event, context: DurableContext) -> Json:
    def number(name: str, value: int) -> Callable[[object], int]:
        def made(_: object) -> int:
            note(name)
            return value

        return made

    source = context.step(number("source", 3), name="source")
    sides = context.parallel(
        [
            lambda own: own.step(number("left", source + 1), name="left"),
            lambda own: own.step(number("right", source * 2), name="right"),
        ]
    ).get_results()
    return {"value": context.step(number("joined", sum(sides)), name="joined")}


def run_if(event: Event, context: DurableContext) -> Json:
    names = ["checked", *(["approved"] if event["large"] else []), "shipped"]
    for name in names:
        context.step(lambda _, name=name: note(name), name=name)
    return {"texts": names}


def compensation(_event: Event, context: DurableContext) -> Json:
    def book(name: str) -> Callable[[object], str]:
        def made(_: object) -> str:
            note(f"book {name}")
            if name == "car":
                raise ConnectionError("no cars")
            return name

        return made

    booked: list[str] = []
    try:
        for name in ("flight", "hotel", "car"):
            booked.append(context.step(book(name), name=f"book-{name}", config=ONCE))  # noqa: PERF401
    except StepError:
        for name in reversed(booked):
            context.step(lambda _, name=name: note(f"cancel {name}"), name=f"cancel-{name}")
        raise
    return {"texts": booked}


HANDLERS: dict[str, Handler] = {
    "parallel": parallel, "parallel_waits": parallel_waits, "parallel_limited": parallel_limited,
    "first_successful": first_successful, "failures_tolerated": failures_tolerated, "child_context": child_context,
    "diamond": diamond, "run_if": run_if, "run_if_not": run_if, "compensation": compensation,
}  # fmt: skip
