"""`survives_crashes`: whether an effect is made twice when a fault makes a job run again."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from pydantic import BaseModel

from headrace.authoring.job_type import Handler
from headrace.testing.crash_report import comparison, failures, job_text
from headrace.testing.effects import Effect
from headrace.testing.faults import Fault, Point
from headrace.testing.observing import declared_settings, definition_of
from headrace.testing.own_thread import beside_the_loop
from headrace.testing.payloads import Payload
from headrace.testing.running import HandlerOf
from headrace.testing.simulated_job import Run, Subject, play

MAX_FAULTS = 200
"""Tried for one handler, each in a run of its own. Of more, some are left out, at even distances."""


def survives_crashes(
    handler: HandlerOf[BaseModel],
    payload: Payload,
    *,
    effects: Sequence[Effect[..., object]],
    settings: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    reset: Callable[[], object] | None = None,
    signals: Mapping[str, object] | None = None,
    children: Sequence[HandlerOf[BaseModel]] = (),
) -> int:
    """Run a job once without a fault, then once for each fault, and compare the effects that were made.

    The faults: the worker's process ends at a point of the handler, and the job runs again when its lease has ended;
    the worker stands still before an effect until another one has run the job, then goes on; the answer of an effect is
    lost, so that the handler gets an exception for an effect that was made; the job is delivered again when it has
    ended. The points of an `async` handler are its suspensions, those of a plain one are before and after each effect;
    the last is when it has returned, or pauses, and nothing is recorded yet. What a handler does in steps, it does by
    the same points: before, within and after each step's function, and before and after the step is remembered.

    Jobs run by production's own code on jobs in memory. Time is virtual: waiting costs none, unless for a thread or a
    socket. The handler object and the fakes are the same in all runs.

    Args:
        handler: A function with `@job_type`, or an instance of a class with `definition` and `run`.
        payload: The payload's model, or its document. The job must succeed with it.
        effects: What the handler calls in place of the functions of fakes that it would affect the world by.
        settings: What the handler may read as `context.settings`, each of which its job type must declare.
        secrets: The values of the owner's secrets, by the names that the payload has for them.
        signals: The values of the signals that the handler waits for, by name: each is sent when it waits. One that is
            not among them does not come, and the wait for it ends with its time.
        children: The job types that the handler has children of (`context.call`, `context.map`), and theirs: their jobs
            are run too, and crashed.
        reset: Called before each run: empties fakes whose answers depend on earlier calls.

    Returns:
        The number of runs: one, and one for each fault, of which at most 200 are tried.

    Raises:
        AssertionError: An effect was made more often than without a fault and not under the same key, or was not made
            though the job succeeded, or a crash or a second worker made the job fail. The message is the report.
        SubmissionRefused: The API would not accept the payload.
    """
    declared = declared_settings(definition_of(handler), settings or {})
    others = cast("tuple[Handler, ...]", tuple(children))
    subject = Subject(cast("Handler", handler), payload, tuple(effects), declared, secrets or {}, signals or {}, others)

    def played(number: int, fault: Fault | None) -> Run:
        if reset is not None:
            reset()
        return play(subject, number, fault)

    def compare() -> int | str:
        faultless = played(0, None)
        if (flaw := _flaw_of(faultless, effects)) is not None:
            return flaw
        faults = _faults(faultless.points)
        runs = [played(number, fault) for number, fault in enumerate(faults, 1)]
        failed = failures(faultless, runs)
        return comparison(handler.definition.name, faultless, failed, len(runs)) if failed else 1 + len(runs)

    __tracebackhide__ = True  # pytest then shows the test's own line.
    compared = beside_the_loop(compare)
    if isinstance(compared, str):
        raise AssertionError(compared)  # noqa: TRY004 - it is the report
    return compared


def _flaw_of(faultless: Run, effects: Sequence[Effect[..., object]]) -> str | None:
    """Why the run without a fault is none that others can be compared with."""
    if faultless.job.status != "succeeded":
        return f"without a fault, {job_text(faultless)}"
    made = {call.effect for call in faultless.calls}
    if unused := [effect.name for effect in effects if effect not in made]:
        return f"{unused[0]} was not called: give the handler the Effect in the place of the function that it wraps"
    first = {(call.effect, call.key, call.attempt): call for call in reversed(faultless.calls)}
    for call in faultless.calls:
        other = first[call.effect, call.key, call.attempt]
        if call.key is not None and other.text != call.text:
            return f"{call.text} has the key of {other.text}, so only one is made: give each a key of its own"
    return None


def _faults(points: Sequence[Point]) -> list[Fault]:
    """What is tried: crashes at awaits as far as the bound allows, for every effect has points of its own."""
    numbered = list(enumerate(points, 1))
    elsewhere = [
        *(Fault("crash", point, number) for number, point in numbered if point.kind != "await"),
        *(Fault("second worker", point, number) for number, point in numbered if point.kind == "before"),
        *(Fault("lost answer", point, number) for number, point in numbered if point.kind == "after"),
        Fault("delivered again"),
    ]
    chosen = _spread(elsewhere, MAX_FAULTS)
    at_awaits = [Fault("crash", point, number) for number, point in numbered if point.kind == "await"]
    return [*chosen, *_spread(at_awaits, MAX_FAULTS - len(chosen))]


def _spread(faults: Sequence[Fault], limit: int) -> list[Fault]:
    """At most so many, at even distances."""
    count = min(len(faults), limit)
    return [faults[index * len(faults) // count] for index in range(count)]
