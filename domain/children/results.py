"""What a group came to: results and failures in order, remembered as one value, and given to the handler."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import cast

from pydantic import JsonValue

from domain.children.call import GroupCall
from domain.durable.step import MAX_VALUE_BYTES
from domain.durable.values import decoded, model_adapter
from domain.jobs.job import Cancelled, Failed, Job
from headrace.authoring.children import ChildFailed
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText, byte_length

Outcome = JsonText | ChildFailed
"""Of one child: its result, or how it failed."""


def raised(call: GroupCall, failed: frozenset[int], first: ChildFailed) -> ChildFailed:
    """The exception that the handler gets: the failure at the first place, and how many there are."""
    size = len(call.payloads) if len(call.payloads) > 1 else 0
    more = f" ({len(failed)} of {size} failed)" if size else ""
    return ChildFailed(first.name, first.place, first.job_id, first.code, f"{first.message}{more}")


def too_many(call: GroupCall, failed: frozenset[int]) -> bool:
    """Whether the handler is to get an exception."""
    return not call.collect and len(failed) > call.tolerated


def failure_of(name: str, place: int, id: str, job: Job | None, policy_of: Callable[[str], Policy]) -> ChildFailed:
    """How the child failed, in words that its type shows to others."""
    match job:
        case None:
            return ChildFailed(name, place, id, "child_missing", "it is not there any more, or was never written")
        case Job(state=Failed(error=error)):
            told = error.message if policy_of(job.type).expose_errors else ""
            return ChildFailed(name, place, id, error.code, told)
        case Job(state=Cancelled()):
            return ChildFailed(name, place, id, "cancelled", "it was cancelled")
        case Job():
            return ChildFailed(name, place, id, "failed", "it had failed when the last of the group ended")


def written(outcomes: Iterable[Outcome], limit: int = MAX_VALUE_BYTES) -> JsonText | None:
    """All outcomes as one JSON text: results as strings of JSON, so that each is read as it was written.

    None when it would have more than `limit` bytes; no more of it is made then.
    """
    parts, size = list[str](), 1
    for outcome in outcomes:
        parts.append(_member(outcome))
        size += 1 + byte_length(parts[-1])
        if size > limit:
            return None
    return JsonText(f"[{','.join(parts)}]")


def written_failure(failure: ChildFailed) -> JsonText:
    """One failure, for `read`."""
    return JsonText(f"[{_member(failure)}]")


def read(text: str) -> tuple[Outcome, ...]:
    """The outcomes that `written` wrote."""
    members = cast("list[str | dict[str, tuple[str, int, str, str, str]]]", json.loads(text))
    return tuple(JsonText(member) if isinstance(member, str) else ChildFailed(*member["failed"]) for member in members)


def failures_in(outcomes: Iterable[Outcome]) -> tuple[ChildFailed, ...]:
    """Those among them, in order."""
    return tuple(outcome for outcome in outcomes if isinstance(outcome, ChildFailed))


def given(call: GroupCall, outcomes: Sequence[Outcome]) -> list[object]:
    """What the handler gets; raises `StepMisused` for results that are not of its model."""
    adapter = model_adapter(call.name, JsonValue if call.returns is None else call.returns)
    return [
        outcome if isinstance(outcome, ChildFailed) else decoded(f"child {place} of {call.name}", outcome, adapter)
        for place, outcome in enumerate(outcomes)
    ]


def _member(outcome: Outcome) -> str:
    member = outcome if isinstance(outcome, str) else {"failed": list(outcome.args)}
    return json.dumps(member, ensure_ascii=False, separators=(",", ":"))
