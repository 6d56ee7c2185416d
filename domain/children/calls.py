"""Brings the groups of one attempt on: writes their children, waits for them, collects what they came to."""

from dataclasses import dataclass
from datetime import datetime

from domain.children.call import GroupCall, refuse
from domain.children.collecting import Collector
from domain.children.group import FIRST_LOOK, Group, failed_in, new_group, next_look, next_wave, reopened
from domain.children.keeping import KEEP_EVERY, ChildKeeper
from domain.children.places import packed, unpacked
from domain.children.reading import QUICK
from domain.children.recounting import Recounter
from domain.children.results import too_many
from domain.children.stores import ChildStores
from domain.children.telling import Teller, group_of
from domain.children.writing import ChildWriter
from domain.durable.memory import Memory
from domain.durable.repository import LeaseEnded
from domain.durable.step import CHILDREN, ENDED, MAX_LIFE, Step, end_key, results_key
from domain.jobs.following import Checker
from domain.jobs.job import Job, WaitFor
from domain.ports import Clock
from headrace.authoring.children import ChildFailed
from headrace.authoring.job_type import Policy
from headrace.authoring.steps import StepMisused


@dataclass(frozen=True)
class Later:
    """The group has children that have not ended: wait for them until then."""

    wait: WaitFor
    until: datetime


@dataclass(frozen=True)
class Elsewhere:
    """There is no time left in this invocation to write more children, or to collect what many of them came to."""


Advance = list[object] | ChildFailed | Later | Elsewhere | LeaseEnded


class ChildCalls:
    """The groups of one attempt of a job."""

    def __init__(
        self, job: Job, memory: Memory, stores: ChildStores, checker: Checker, policy: Policy, clock: Clock
    ) -> None:
        self._job = job
        self._memory = memory
        self._checker = checker
        self._clock = clock
        deadline = memory.held.deadline
        self._writer = ChildWriter(stores, job, policy, checker, clock, deadline)
        self._keeper = ChildKeeper(stores, clock, deadline)
        self._recounter = Recounter(stores, clock, deadline)
        self._teller = Teller(memory, Collector(stores, checker, clock, deadline), clock)

    async def advance(self, call: GroupCall, known: Step | None) -> Advance:
        """Bring a group as far as it comes; `known` is what stands under its name. Raises `StepError`."""
        if (kept := await self._memory.recall(results_key(call.name))) is not None:
            return await self._teller.again(call, kept, known or kept)
        step = known or await self._begun(call)
        while not isinstance(step, LeaseEnded):
            group = group_of(step)
            if group.written < len(group.places):
                if (further := await self._written(call, step, group)) is None:
                    return Elsewhere()
                step = further
                continue
            if group.generation < self._job.generation:
                step = await self._reopened(call, step, group)
                continue
            if self._clock() >= (group.kept_at or step.began_at) + KEEP_EVERY:
                if (further := await self._kept(call, step, group)) is None:
                    return Elsewhere()
                step = further
                continue
            end = await self._end(call, step, group)
            if isinstance(end, Later | LeaseEnded):
                return end
            failed = failed_in(group, end)
            further_group = None if too_many(call, failed) else next_wave(group, failed)
            if further_group is None:
                if group.size > QUICK and self._memory.is_to_leave():
                    return Elsewhere()
                return await self._teller.first(call, group, failed)
            step = await self._noted(step, further_group)
        return step

    async def _begun(self, call: GroupCall) -> Step | LeaseEnded:
        refuse(call, self._job)
        self._checker.definition(call.type, call.name)
        group = new_group(call.type, len(call.payloads), call.in_flight, self._job.generation)
        step = self._new(call.name, CHILDREN).model_copy(update={"group": group})
        return await self._memory.remember(step)

    async def _written(self, call: GroupCall, step: Step, group: Group) -> Step | LeaseEnded | None:
        """The group with more of the round's children; None when another invocation has to write them."""
        if self._memory.is_to_leave():
            return None
        if not group.again and len(call.payloads) != group.size:
            raise StepMisused(
                f"{call.name} had {group.size} payloads when its children began to be written, and is given"
                f" {len(call.payloads)} now: make them in a step"
            )
        upto = await self._writer.chunk(call, group)
        # What a retry finds to have ended meanwhile is counted nowhere: its parent counts once more at once.
        look_at = self._clock() if group.again else self._clock() + FIRST_LOOK
        return await self._noted(step, group.model_copy(update={"written": upto, "look_at": look_at}))

    async def _reopened(self, call: GroupCall, step: Step, group: Group) -> Step | LeaseEnded:
        """A person has retried the parent: what has not succeeded gets another turn."""
        states = await self._recounter.states(self._memory.held.life, call.name, group.placed)
        unfinished = frozenset(place for place, state in enumerate(states) if state and state.status != "succeeded")
        lost = frozenset(place for place, state in enumerate(states) if state is None)
        return await self._noted(step, reopened(group, unfinished, lost, self._job.generation))

    async def _kept(self, call: GroupCall, step: Step, group: Group) -> Step | LeaseEnded | None:
        """The group with more children kept for the parent's life; None when another invocation has to do it."""
        if self._memory.is_to_leave():
            return None
        held = self._memory.held
        kept = await self._keeper.chunk(held.life, call.name, group, held.expires_at)
        done: dict[str, object] = {"kept": 0, "kept_at": self._clock()} if kept == group.placed else {"kept": kept}
        return await self._noted(step, group.model_copy(update=done))

    async def _end(self, call: GroupCall, step: Step, group: Group) -> frozenset[int] | Later | LeaseEnded:
        """The indexes of the round's children that failed, once all have ended."""
        if not group.places:
            return frozenset()  # Of no children, no end is remembered.
        end = await self._memory.recall(end_key(call.name))
        if end is not None and end.round == group.round:
            return unpacked(end.failed or "")
        now = self._clock()
        until = group.look_at or now
        if now >= until:
            counted = await self._counted(call, step, group)
            if not isinstance(counted, datetime):
                return counted
            until = counted
        if until > self._job.created_at + MAX_LIFE:
            raise StepMisused(
                f"the children of {call.name} did not end in the {MAX_LIFE.days} days that a job may wait"
            )
        return Later(WaitFor(kind=CHILDREN, name=call.name, round=group.round), until)

    async def _counted(self, call: GroupCall, step: Step, group: Group) -> frozenset[int] | LeaseEnded | datetime:
        """The end of the round, if its children have ended; else when to count again."""
        held = self._memory.held
        failed = await self._recounter.ended(held.life, call.name, group, held.expires_at)
        if failed is not None:
            return await self._ended(call, group, failed)
        until = next_look(step.began_at, self._clock())
        noted = await self._noted(step, group.model_copy(update={"look_at": until}))
        return noted if isinstance(noted, LeaseEnded) else until

    async def _ended(self, call: GroupCall, group: Group, failed: frozenset[int]) -> frozenset[int] | LeaseEnded:
        """Remember the end of the round, or learn how it stands already."""
        end = self._new(call.name, ENDED).model_copy(update={"round": group.round, "failed": packed(failed)})
        stands = await self._memory.remember(end)
        return stands if isinstance(stands, LeaseEnded) else unpacked(stands.failed or "")

    async def _noted(self, step: Step, group: Group) -> Step | LeaseEnded:
        return await self._memory.rewrite(step.model_copy(update={"group": group}))

    def _new(self, name: str, kind: str) -> Step:
        held, now = self._memory.held, self._clock()
        return Step(job_id=held.life, name=name, kind=kind, attempt=held.attempt, began_at=now)
