"""Compares the effects of runs with those of the run without a fault, as text."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.jobs.job import Failed, Retrying
from headrace.testing.effects import Effect
from headrace.testing.faults import Fault
from headrace.testing.job_run import failure_text
from headrace.testing.process import Call
from headrace.testing.simulated_job import Run

NAMED = 10
"""Runs that a report names, beside those that it shows."""
MAX_CALLS = 30
"""That it lists of one run."""
_NEXT = "\n"


@dataclass(frozen=True)
class Failure:
    """A run that a handler did not survive."""

    run: Run
    again: tuple[Call, ...]
    """The calls beyond those of the run without a fault, without repetitions under one key."""
    missing: tuple[Call, ...]
    """What a job that succeeded has not done."""
    ended: bool
    """Whether the job has not succeeded, though nothing but the fault kept it from it."""


def failures(faultless: Run, runs: Sequence[Run]) -> list[Failure]:
    """The runs that the handler did not survive."""
    compared = (Failure(run, _again(faultless, run), _missing(faultless, run), _is_lost(run)) for run in runs)
    return [each for each in compared if each.again or each.missing or each.ended]


def comparison(name: str, faultless: Run, failed: Sequence[Failure], faults: int) -> str:
    """The report about a job type, whose failed runs are given: of each kind of fault one, the others by name."""
    first = {_kind(failure): failure for failure in reversed(failed)}
    shown = [failure for failure in failed if failure is first[_kind(failure)]]
    rest = [_title(failure.run.fault) for failure in failed if failure is not first[_kind(failure)]]
    likewise = [f"  {title.partition(_NEXT)[0]}" for title in rest[:NAMED]]
    more = [f"  and {len(rest) - NAMED} more"] if len(rest) > NAMED else []
    paragraphs = [
        [f"{name} does not survive {len(failed)} of {faults} faults"],
        ["without a fault", *_listed([f"    attempt {call.attempt}  {_named(call)}" for call in faultless.calls])],
        *(list(_shown(failure)) for failure in shown),
        *([["likewise", *likewise, *more]] if rest else []),
        *([f"-> {remedy}"] for remedy in _remedies(failed)),
    ]
    return "\n\n".join("\n".join(paragraph) for paragraph in paragraphs)


def distinct(calls: Sequence[Call]) -> list[Call]:
    """Without the calls that repeat an effect under its key."""
    first = {(call.effect, call.key): call for call in reversed(calls)}
    return [call for call in calls if call.key is None or first[call.effect, call.key] is call]


def _again(faultless: Run, run: Run) -> tuple[Call, ...]:
    """By number, for arguments may differ from run to run; where they do not, those are named that came again."""
    made, usual = distinct(run.calls), distinct(faultless.calls)
    left = Counter(call.text for call in usual)
    repeats: dict[Call, bool] = {}
    for call in made:
        left[call.text] -= 1
        repeats[call] = left[call.text] < 0
    return tuple(
        call
        for effect in {call.effect: None for call in made}
        for call in sorted(_of(effect, made), key=repeats.__getitem__)[len(_of(effect, usual)) :]
    )


def _missing(faultless: Run, run: Run) -> tuple[Call, ...]:
    if run.job.status != "succeeded":
        return ()
    expected = distinct(faultless.calls)
    return tuple(
        call
        for effect in {call.effect: None for call in expected}
        for call in _of(effect, expected)[len(_of(effect, distinct(run.calls))) :]
    )


def _is_lost(run: Run) -> bool:
    """An answer that was lost may fail a job, as its handler decides; so may a crash in the last attempt."""
    state = run.job.state
    last_crashed = isinstance(state, Failed) and state.error.code == "lease_expired"
    lost_answer = run.fault is not None and run.fault.kind == "lost answer"
    return run.job.status != "succeeded" and not last_crashed and not lost_answer


def _of(effect: object, calls: Sequence[Call]) -> list[Call]:
    return [call for call in calls if call.effect is effect]


def _shown(failure: Failure) -> Iterator[str]:
    yield _title(failure.run.fault)
    calls = failure.run.calls
    again, once = set(failure.again), set(distinct(calls))
    marks = ["+" if call in again else " " for call in calls]
    notes = ["" if call in once else ": counts once" for call in calls]
    lines = [
        f"  {mark} attempt {call.attempt}  {_named(call)}{note}"
        for call, mark, note in zip(calls, marks, notes, strict=True)
    ]
    yield from _listed(lines)
    yield from _listed([f"  - never      {_named(call)}" for call in failure.missing])
    if failure.ended:
        yield f"    {job_text(failure.run)}"


def job_text(run: Run) -> str:
    """What became of a job that has no result."""
    state = run.job.state
    return failure_text(run.job.status, state.error if isinstance(state, Failed | Retrying) else None)


def _named(call: Call) -> str:
    return f"{call.text}  {f'key {call.key}' if call.key else 'no key'}"


def _listed(lines: Sequence[str]) -> list[str]:
    return [*lines[:MAX_CALLS], *([f"    and {len(lines) - MAX_CALLS} more"] if len(lines) > MAX_CALLS else [])]


def _kind(failure: Failure) -> str:
    return "" if failure.run.fault is None else failure.run.fault.kind


def _title(fault: Fault | None) -> str:
    """What happened, and where; in a second line the line of source."""
    point = None if fault is None else fault.at
    if fault is None or point is None:
        return "the job is delivered again when it has ended"
    later = f" of attempt {point.attempt}" if point.attempt > 1 else ""
    where = f"{later}, {point.place}\n      {point.place.source}" if point.place is not None else later
    match fault.kind, point.kind:
        case "lost answer", _:
            return f"the answer of {point.effect} is lost{where}"
        case "second worker", _:
            return f"a second worker runs the job while the first stands still before {point.effect}{where}"
        case _, "before" | "after":
            return f"crash {point.kind} {point.effect}{where}"
        case _, "await":
            return f"crash at await {point.awaits}{where}"
        case _:
            return f"crash when the handler has returned and its outcome is not recorded{later}"


def _remedies(failed: Sequence[Failure]) -> list[str]:
    effects = {call.effect: None for each in failed for call in each.again}
    return [effect.remedy for effect in effects if isinstance(effect, Effect)]
