"""What one attempt knows of what its job remembers, and what it adds."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from domain.durable.repository import LeaseEnded, StepRepository, StepTaken
from domain.durable.step import OF_ROUNDS, Step
from domain.jobs.documents import DocumentLost, Documents
from domain.jobs.job import JobDocument
from domain.patience import answered
from domain.ports import Clock, NewId
from domain.results import StorageUnavailable
from domain.secrets.hidden import Hidden
from headrace.authoring.json_text import JsonText
from headrace.authoring.steps import StepMisused, StepUnavailable

T = TypeVar("T")


@dataclass(frozen=True)
class Held:
    """The lease under which an attempt remembers."""

    job_id: str
    life: str
    token: str
    attempt: int
    began_at: datetime
    deadline: datetime
    expires_at: datetime
    """Of what is remembered."""


class Memory:
    """Reads all at the first need, and nothing for a job that cannot remember anything yet."""

    def __init__(
        self,
        held: Held,
        hidden: Hidden,
        steps: StepRepository,
        documents: Documents,
        clock: Clock,
        new_id: NewId,
        *,
        empty: bool,
    ) -> None:
        self.held = held
        self._hidden = hidden
        self._steps = steps
        self._documents = documents
        self._clock = clock
        self._new_id = new_id
        self._known: dict[str, Step] | None = {} if empty else None
        self._loading = asyncio.Lock()
        self._writing = asyncio.Lock()
        self.added = 0
        """Values of steps that this attempt has remembered."""

    @property
    def size(self) -> int:
        """How many items the job has, as far as this attempt has read or written them."""
        return len(self._known or ())

    def has_more_than(self, limit: int) -> bool:
        """Whether the job has more items than this, apart from those that each round of a group's children leaves."""
        return sum(step.kind not in OF_ROUNDS for step in (self._known or {}).values()) > limit

    def is_to_leave(self) -> bool:
        """Whether another invocation is to go on: this one is beyond its half, and has added something."""
        left, whole = self.held.deadline - self._clock(), self.held.deadline - self.held.began_at
        return bool(self.added) and left < whole / 2

    async def recall(self, key: str) -> Step | None:
        """What stands under a sort key; raises `StepUnavailable`."""
        async with self._loading:
            known = self._known
            known = {step.key: step for step in await self._loaded()} if known is None else known
            self._known = known
        return known.get(key)

    async def remember(self, step: Step) -> Step | LeaseEnded:
        """The step, or what stands in its place; raises `StepUnavailable`."""
        known = self._known = {} if self._known is None else self._known
        named = step.model_copy(update={"write_id": self._new_id()})
        # One after the other: transactions on the same job at once would be in each other's way.
        async with self._writing:
            written: Step | StepTaken | LeaseEnded = await self._answered(
                lambda: self._steps.remember(named, self.held.token, self.held.expires_at)
            )
        match written:
            case LeaseEnded():
                return written
            case StepTaken(standing=standing):
                stands = standing
            case Step():
                stands = written
                self.added += 1
        known[stands.key] = stands
        return stands

    async def rewrite(self, step: Step) -> Step | LeaseEnded:
        """The step, over what stands in its place; raises `StepUnavailable`."""
        named = step.model_copy(update={"write_id": self._new_id()})
        async with self._writing:
            written: Step | LeaseEnded = await self._answered(
                lambda: self._steps.rewrite(named, self.held.token, self.held.expires_at)
            )
        if isinstance(written, Step):
            self.added += 1
            if self._known is not None:
                self._known[written.key] = written
        return written

    async def keep(self, text: JsonText) -> JobDocument:
        """A value as a step may hold it: without the values of secrets, and large ones lie among the blobs."""
        hidden = self._hidden.document(text)
        return await self._answered(lambda: self._documents.keep(self.held.job_id, "step", self._new_id, hidden))

    async def text_of(self, step: Step) -> JsonText:
        """The whole value of a step; raises `StepUnavailable`, or `StepMisused` when it is lost."""
        if step.value is None:
            return JsonText("null")
        value = step.value
        text: JsonText | DocumentLost = await self._answered(lambda: self._documents.load("step", value))
        if isinstance(text, DocumentLost):
            raise StepMisused(f"the value of {step.name} is not in the blob bucket any more, or is damaged")
        return text

    async def _loaded(self) -> tuple[Step, ...]:
        return await self._answered(lambda: self._steps.remembered(self.held.life))

    async def _answered(self, ask: Callable[[], Awaitable[T | StorageUnavailable]]) -> T:
        answer = await answered(ask, self._clock, self.held.deadline)
        if isinstance(answer, StorageUnavailable):
            raise StepUnavailable(f"what the job remembers is out of reach: {answer.reason}, {answer.detail}")
        return answer
