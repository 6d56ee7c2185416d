"""What the handler is told of a group that has come to its end, and is told again in each later run."""

from domain.children.call import GroupCall
from domain.children.collecting import Collector
from domain.children.group import Group
from domain.children.places import packed, unpacked
from domain.children.results import Outcome, failures_in, given, raised, read, too_many, written, written_failure
from domain.durable.memory import Memory
from domain.durable.repository import LeaseEnded
from domain.durable.step import RAISED, RESULTS, Step, raised_key
from domain.ports import Clock
from headrace.authoring.children import ChildFailed
from headrace.authoring.json_text import JsonText
from headrace.authoring.steps import StepMisused

Told = list[object] | ChildFailed


class Teller:
    """Tells one attempt, and remembers what it tells: the children may change, and do not stay for ever."""

    def __init__(self, memory: Memory, collector: Collector, clock: Clock) -> None:
        self._memory = memory
        self._collector = collector
        self._clock = clock

    async def first(self, call: GroupCall, group: Group, failed: frozenset[int]) -> Told | LeaseEnded:
        """What the group came to, with failures at these places; raises `StepError`."""
        life = self._memory.held.life
        if too_many(call, failed):
            return await self._raised(call, group.round, failed)
        outcomes = await self._collector.outcomes(life, call, group.size, failed, again=False)
        if not outcomes:
            return []
        failed = frozenset(failure.place for failure in failures_in(outcomes))
        if too_many(call, failed):  # With those that were counted and are not there any more.
            return await self._raised(call, group.round, failed)
        results = self._new(call, RESULTS)
        text = written(outcomes)
        if text is None:
            # All of it cannot be remembered: that it was told can, and how the failed ones did.
            results = results.model_copy(update={"round": group.round, "failed": packed(failed)})
            text = written(failures_in(outcomes)) if failed else None
        stands = await self._kept(results, text)
        if isinstance(stands, LeaseEnded):
            return stands
        kept = await self._outcomes_in(stands)
        return _answer(call, kept) if stands.round is None else given(call, _with_failures(outcomes, kept))

    async def again(self, call: GroupCall, results: Step, begun: Step) -> Told | LeaseEnded:
        """What was told without an exception, by the rules of this very call: the handler's code may have changed."""
        kept = await self._outcomes_in(results)
        if results.round is None:
            return _answer(call, kept)
        failed = unpacked(results.failed or "")
        if too_many(call, failed):
            return await self._raised(call, results.round, failed)
        size, life = group_of(begun).size, self._memory.held.life
        outcomes = await self._collector.outcomes(life, call, size, failed, again=True)
        return given(call, _with_failures(outcomes, kept))

    async def _raised(self, call: GroupCall, round: int, failed: frozenset[int]) -> ChildFailed | LeaseEnded:
        """The exception that was raised at the end of this round; it is made at the first time."""
        stands: Step | LeaseEnded | None = await self._memory.recall(raised_key(call.name, round))
        if stands is None:
            first = await self._collector.failure(self._memory.held.life, call, min(failed))
            step = self._new(call, RAISED).model_copy(update={"round": round})
            stands = await self._kept(step, written_failure(raised(call, failed, first)))
        if isinstance(stands, LeaseEnded):
            return stands
        return failures_in(await self._outcomes_in(stands))[0]

    async def _outcomes_in(self, step: Step) -> tuple[Outcome, ...]:
        return () if step.value is None else read(await self._memory.text_of(step))

    async def _kept(self, step: Step, text: JsonText | None) -> Step | LeaseEnded:
        value = None if text is None else await self._memory.keep(text)
        return await self._memory.remember(step.model_copy(update={"value": value}))

    def _new(self, call: GroupCall, kind: str) -> Step:
        held, now = self._memory.held, self._clock()
        return Step(job_id=held.life, name=call.name, kind=kind, attempt=held.attempt, began_at=now, ended_at=now)


def group_of(step: Step) -> Group:
    """How far the group is that the step began; raises `StepMisused`."""
    if step.group is None:
        raise StepMisused(f"{step.name} was begun by a version of Headrace that this one cannot go on for")
    return step.group


def _with_failures(outcomes: tuple[Outcome, ...], kept: tuple[Outcome, ...]) -> list[Outcome]:
    failures = {failure.place: failure for failure in failures_in(kept)}
    return [failures.get(place, outcome) for place, outcome in enumerate(outcomes)]


def _answer(call: GroupCall, outcomes: tuple[Outcome, ...]) -> Told:
    failures = failures_in(outcomes)
    failed = frozenset(place for place, outcome in enumerate(outcomes) if isinstance(outcome, ChildFailed))
    return raised(call, failed, failures[0]) if too_many(call, failed) else given(call, outcomes)
