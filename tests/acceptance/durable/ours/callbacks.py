"""Callbacks are signals: `POST /v1/jobs/{id}/signals/{name}`. Whoever sends one needs the job's id, and no token."""

import asyncio
from datetime import date, timedelta
from itertools import count

from pydantic import BaseModel

from headrace import Fail, Handler, JobContext, job_type
from tests.acceptance.durable.effects import note
from tests.acceptance.durable.ours.models import Nothing, Number, Text, Texts

HOUR = timedelta(hours=1)


class Answer(BaseModel):
    """What another system sends: what it has done, or why it could not."""

    text: str | None = None
    failure: str | None = None


class Beat(BaseModel):
    """A sign of life, or the answer."""

    text: str | None = None


class Day(BaseModel):
    """A day that somebody has chosen."""

    day: date


@job_type("example.callback")
async def callback(_event: Nothing, context: JobContext) -> Text:
    """Asks another system, by name, and gets its answer."""
    await context.step("ask", note, "ask")
    answer = await context.signal("answer", Answer)
    return Text(text=str(answer.text))


@job_type("example.callback_none")
async def callback_none(_event: Nothing, context: JobContext) -> Text:
    """An answer that says nothing: null, which is not the same as none in time."""
    await context.signal("answer", type(None))
    return Text(text="told")


@job_type("example.callback_failure")
async def callback_failure(_event: Nothing, context: JobContext) -> Text | Fail:
    """A failure is a value, which the answer's model has a place for."""
    answer = await context.signal("answer", Answer)
    if answer.failure is not None:
        return Fail(reason=answer.failure)
    return Text(text=str(answer.text))


@job_type("example.callback_timeout")
async def callback_timeout(_event: Nothing, context: JobContext) -> Text:
    """Nobody answers in time."""
    answer = await context.signal("answer", Answer, timeout=HOUR)
    return Text(text="nobody answered" if answer is None else str(answer.text))


@job_type("example.heartbeat")
async def heartbeat(_event: Nothing, context: JobContext) -> Text:
    """Signs of life are signals that count: each must come within an hour of the one before."""
    for number in count():
        beat = await context.signal(f"beat-{number}", Beat, timeout=HOUR)
        if beat is None:
            return Text(text=f"silent after {number} beats")
        if beat.text is not None:
            return Text(text=beat.text)
    raise AssertionError  # count() has no end


@job_type("example.callbacks_at_once")
async def callbacks_at_once(_event: Nothing, context: JobContext) -> Texts:
    """Waits for three at once, which come in another order."""
    names = ("one", "two", "three")
    answers = await asyncio.gather(*(context.signal(name, Answer) for name in names))
    return Texts(texts=[str(answer.text) for answer in answers])


@job_type("example.callback_mixed")
async def callback_mixed(_event: Nothing, context: JobContext) -> Texts:
    """A step, a sleep, a signal, a step."""
    await context.step("fetch", note, "fetch")
    await context.sleep("pause", timedelta(seconds=3))
    answer = await context.signal("answer", Answer)
    await context.step("store", note, "store")
    return Texts(texts=["fetched", str(answer.text), "stored"])


@job_type("example.callback_date")
async def callback_date(_event: Nothing, context: JobContext) -> Day:
    """The answer is of the model's types."""
    chosen = await context.signal("answer", Day)
    return Day(day=chosen.day + timedelta(days=1))


@job_type("example.submitter_fails")
async def submitter_fails(_event: Nothing, context: JobContext) -> Text:
    """The other system cannot even be asked."""

    def ask() -> None:
        note("ask")
        raise ConnectionError("nobody is there")

    try:
        await context.step("ask", ask)
    except ConnectionError as error:
        return Text(text=f"not asked: {error}")
    return Text(text=str((await context.signal("answer", Answer)).text))


@job_type("example.callbacks_nested")
async def callbacks_nested(_event: Nothing, context: JobContext) -> Texts:
    """Functions within functions; a name has its path within itself."""

    async def inner(path: str) -> str:
        answer = await context.signal(f"{path}:answer", Answer)
        return str(answer.text)

    async def outer() -> list[str]:
        first = (await context.signal("outer:answer", Answer)).text
        return [str(first), await inner("outer:inner")]

    return Texts(texts=await outer())


@job_type("example.callbacks_one_by_one")
async def callbacks_one_by_one(_event: Nothing, context: JobContext) -> Number:
    """A sleep, a signal, a sleep, a signal: four invocations and a last one."""
    for name in ("one", "two"):
        await context.sleep(f"before-{name}", timedelta(seconds=5))
        await context.step(f"ask-{name}", note, "ask")
        await context.signal(name, Answer)
    return Number(value=2)


@job_type("example.callback_retried")
async def callback_retried(_event: Nothing, context: JobContext) -> Text | Fail:
    """Asks again where nobody answers: each time under another name."""
    for attempt in range(1, 4):
        await context.step(f"ask-{attempt}", note, "ask")
        answer = await context.signal(f"answer-{attempt}", Answer, timeout=HOUR)
        if answer is not None:
            return Text(text=f"{answer.text} at attempt {attempt}")
        await context.sleep(f"backoff-{attempt}", timedelta(seconds=2**attempt))
    return Fail(reason="nobody answered three times")


HANDLERS: tuple[Handler, ...] = (
    callback, callback_none, callback_failure, callback_timeout, heartbeat, callbacks_at_once, callback_mixed,
    callback_date, submitter_fails, callbacks_nested, callbacks_one_by_one, callback_retried,
)  # fmt: skip
SENT: dict[str, tuple[tuple[str, object], ...]] = {
    "callback": (("answer", {"text": "done"}),),
    "callback_none": (("answer", None),),
    "callback_failure": (("answer", {"failure": "it could not"}),),
    "heartbeat": (("beat-0", {}), ("beat-1", {}), ("beat-2", {"text": "done"})),
    "callbacks_at_once": (("three", {"text": "3"}), ("one", {"text": "1"}), ("two", {"text": "2"})),
    "callback_mixed": (("answer", {"text": "answered"}),),
    "callback_date": (("answer", {"day": "2026-12-24"}),),
    "callbacks_nested": (("outer:answer", {"text": "outer"}), ("outer:inner:answer", {"text": "inner"})),
    "callbacks_one_by_one": (("one", {}), ("two", {})),
    "callback_retried": (("answer-2", {"text": "done"}),),
}
"""The signals that the jobs are sent, each when its job waits for it."""
