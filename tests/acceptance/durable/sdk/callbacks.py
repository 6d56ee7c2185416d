"""Callbacks."""

import json
from collections.abc import Callable
from datetime import date, timedelta

from aws_durable_execution_sdk_python import DurableContext
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration, WaitForCallbackConfig
from aws_durable_execution_sdk_python.exceptions import CallbackError, CallbackSubmitterError
from aws_durable_execution_sdk_python.retries import RetryPresets, WithRetryConfig, with_retry
from aws_durable_execution_sdk_python.serdes import SerDes, SerDesContext

from tests.acceptance.durable.effects import note
from tests.acceptance.durable.sdk.example import Answer, Event, Handler, Json

A_WHILE = Duration.from_seconds(1)
"""The local runner skips waits, but for those for a callback."""


class Day(SerDes):  # type: ignore[misc]  # the SDK is not in mypy's environment
    """A member `day`, as a date."""

    def serialize(self, value: date, _context: SerDesContext) -> str:
        return json.dumps({"day": value.isoformat()})

    def deserialize(self, data: str, _context: SerDesContext) -> date:
        return date.fromisoformat(json.loads(data)["day"])


def _text(result: object) -> object:
    """A callback's result is what was sent, as it was sent, unless it has a SerDes."""
    return json.loads(str(result))["text"]


def callback(_event: Event, context: DurableContext) -> Json:
    answer = context.wait_for_callback(lambda _id, _context: note("ask"), name="answer")
    return {"text": _text(answer)}


def callback_none(_event: Event, context: DurableContext) -> Json:
    context.create_callback(name="answer").result()
    return {"text": "told"}


def callback_failure(_event: Event, context: DurableContext) -> Json:
    return {"text": _text(context.create_callback(name="answer").result())}


def callback_timeout(_event: Event, context: DurableContext) -> Json:
    try:
        return {"text": context.create_callback(name="answer", config=CallbackConfig(timeout=A_WHILE)).result()}
    except CallbackError:
        return {"text": "nobody answered"}


def heartbeat(_event: Event, context: DurableContext) -> Json:
    config = CallbackConfig(timeout=Duration.from_days(1), heartbeat_timeout=Duration.from_hours(1))
    return {"text": _text(context.create_callback(name="answer", config=config).result())}


def callbacks_at_once(_event: Event, context: DurableContext) -> Json:
    def waits_for(name: str) -> Callable[[DurableContext], object]:
        return lambda own: own.create_callback(name=name).result()

    answers = context.parallel([waits_for(name) for name in ("one", "two", "three")], name="answers")
    return {"texts": [_text(answer) for answer in answers.get_results()]}


def callback_mixed(_event: Event, context: DurableContext) -> Json:
    context.step(lambda _: note("fetch"), name="fetch")
    context.wait(Duration.from_seconds(3), name="pause")
    answer = context.create_callback(name="answer").result()
    context.step(lambda _: note("store"), name="store")
    return {"texts": ["fetched", _text(answer), "stored"]}


def callback_date(_event: Event, context: DurableContext) -> Json:
    chosen: date = context.create_callback(name="answer", config=CallbackConfig(serdes=Day())).result()
    return {"day": (chosen + timedelta(days=1)).isoformat()}


def submitter_fails(_event: Event, context: DurableContext) -> Json:
    def ask(_id: str, _context: object) -> None:
        note("ask")
        raise ConnectionError("nobody is there")

    config = WaitForCallbackConfig(retry_strategy=RetryPresets.none())
    try:
        return {"text": context.wait_for_callback(ask, name="answer", config=config)}
    except CallbackSubmitterError as error:
        return {"text": f"not asked: {error}"}


def callbacks_nested(_event: Event, context: DurableContext) -> Json:
    def inner(own: DurableContext) -> object:
        return _text(own.create_callback(name="outer:inner:answer").result())

    def outer(own: DurableContext) -> list[object]:
        first = _text(own.create_callback(name="outer:answer").result())
        return [first, own.run_in_child_context(inner, name="inner")]

    return {"texts": context.run_in_child_context(outer, name="outer")}


def callbacks_one_by_one(_event: Event, context: DurableContext) -> Json:
    for name in ("one", "two"):
        context.wait(Duration.from_seconds(5), name=f"before-{name}")
        context.wait_for_callback(lambda _id, _context: note("ask"), name=name)
    return {"value": 2}


def callback_retried(_event: Event, context: DurableContext) -> Json:
    def ask(own: DurableContext, attempt: int) -> str:
        config = WaitForCallbackConfig(timeout=A_WHILE if attempt == 1 else Duration.from_hours(1))
        answer = own.wait_for_callback(lambda _id, _context: note("ask"), name=f"answer-{attempt}", config=config)
        return f"{_text(answer)} at attempt {attempt}"

    return {"text": with_retry(context, ask, WithRetryConfig(retry_strategy=RetryPresets.linear()), name="asked")}


HANDLERS: dict[str, Handler] = {
    "callback": callback, "callback_none": callback_none, "callback_failure": callback_failure,
    "callback_timeout": callback_timeout, "heartbeat": heartbeat, "callbacks_at_once": callbacks_at_once,
    "callback_mixed": callback_mixed, "callback_date": callback_date, "submitter_fails": submitter_fails,
    "callbacks_nested": callbacks_nested, "callbacks_one_by_one": callbacks_one_by_one,
    "callback_retried": callback_retried,
}  # fmt: skip
SENT: dict[str, tuple[Answer, ...]] = {
    "callback": (Answer("answer", {"text": "done"}, waited_for=True),),
    "callback_none": (Answer("answer"),),
    "callback_failure": (Answer("answer", failure="it could not"),),
    "heartbeat": (Answer("answer", {"text": "done"}, heartbeats=2),),
    "callbacks_at_once": (Answer("three", {"text": "3"}), Answer("one", {"text": "1"}), Answer("two", {"text": "2"})),
    "callback_mixed": (Answer("answer", {"text": "answered"}),),
    "callback_date": (Answer("answer", {"day": "2026-12-24"}),),
    "callbacks_nested": (Answer("outer:answer", {"text": "outer"}), Answer("outer:inner:answer", {"text": "inner"})),
    "callbacks_one_by_one": (Answer("one", {}, waited_for=True), Answer("two", {}, waited_for=True)),
    "callback_retried": (Answer("answer-2", {"text": "done"}, waited_for=True),),
}
