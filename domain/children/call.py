"""What a handler asks for with `call` and `map`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.children.group import MAX_CHILDREN, MAX_DEPTH, MAX_WAVES
from domain.jobs.job import Job
from headrace.authoring.steps import StepMisused


@dataclass(frozen=True)
class GroupCall:
    """One `call` or `map`; a call is a map of one."""

    name: str
    type: str
    payloads: Sequence[object]
    returns: object = None
    """The model of the children's results; None for any JSON."""
    collect: bool = False
    """Whether failures are returned."""
    tolerated: int = 0
    """How many failures are returned, where more are raised."""
    in_flight: int | None = None
    tags: Mapping[str, str] | None = None
    single: bool = False
    """Whether it is a `call`."""


def refuse(call: GroupCall, job: Job) -> None:
    """Raise `StepMisused` for a group that cannot be begun."""
    size, depth = len(call.payloads), 1 + (job.parent.depth if job.parent else 0)
    if size > MAX_CHILDREN:
        raise StepMisused(f"{call.name} would have {size} children, the limit is {MAX_CHILDREN}: give them parents")
    if depth > MAX_DEPTH:
        raise StepMisused(f"{call.name} would have children {depth} deep, the limit is {MAX_DEPTH}")
    if call.in_flight is not None and call.in_flight < 1:
        raise StepMisused(f"{call.name} would run {call.in_flight} children at once: at least one runs")
    if call.in_flight is not None and (waves := -(-size // call.in_flight)) > MAX_WAVES:
        raise StepMisused(
            f"{call.name} would run {size} children in {waves} waves of {call.in_flight}, the limit is {MAX_WAVES}"
            " waves: let more of them run at once, or limit them by a lane"
        )
    if call.tolerated < 0:
        raise StepMisused(f"{call.name} tolerates {call.tolerated} failures: none is the least")
