"""Stores a new job: as its lane admits it, and, under a unique key, while no other job of the key is unfinished."""

from datetime import datetime
from typing import Final

from domain.jobs import transitions
from domain.jobs.change import Change, Companion
from domain.jobs.job import Job, is_final
from domain.jobs.repository import AddResult, CompanionRefused, JobExists, JobNotFound, JobRepository, JobUnreadable
from domain.jobs.transitions import NewJob
from domain.lanes.admission import STARTS_TRIED, Admission, Free, InLine
from domain.lanes.lanes import LaneClosed, Lanes
from domain.results import StorageUnavailable
from headrace.authoring.job_type import Policy

MAX_TRIES: Final = 5

_NO_LANES: Final = StorageUnavailable(reason="rejected", detail="no lanes here")


class Entrance:
    """Where jobs come in. Without `lanes` none is limited, and no key is unique."""

    def __init__(self, jobs: JobRepository, lanes: Lanes | None) -> None:
        self._jobs = jobs
        self._lanes = lanes

    @property
    def owner_limit(self) -> int:
        """Of the lanes that owners have by default; 0 for none."""
        return self._lanes.owner_limit if self._lanes else 0

    async def store(
        self, new: NewJob, policy: Policy, now: datetime, companions: tuple[Companion, ...] = ()
    ) -> AddResult | LaneClosed:
        """As `JobRepository.add`, with `companions`; `JobExists` also names the unfinished job of its unique key."""
        refused: CompanionRefused | None = None
        for tried in range(MAX_TRIES):
            admission = InLine() if tried >= STARTS_TRIED and new.lane else await self._admission(new, policy, now)
            if isinstance(admission, LaneClosed | StorageUnavailable):
                return admission
            change = transitions.submit(new, policy, now, admission)
            added = await self._jobs.add(Change(change.job, (*change.companions, *companions)), now)
            if isinstance(added, Job) and self._lanes is not None and admission != InLine(behind=True):
                await self._lanes.look_again(added)
            if not isinstance(added, CompanionRefused) or added.index >= len(change.companions):
                return added
            refused = added
            if new.unique is not None and added.index == len(change.companions) - 1:
                holder = await self.holder(new.unique, now)
                if isinstance(holder, Job) and not is_final(holder):
                    return JobExists(current=holder)
                if isinstance(holder, StorageUnavailable | JobUnreadable):
                    return holder
                new = new.model_copy(update={"unique_before": holder.id if isinstance(holder, Job) else holder})
        return refused or _NO_LANES

    async def holder(self, unique: str, now: datetime) -> Job | JobUnreadable | StorageUnavailable | str | None:
        """The job that was last given the key; only its id when it is gone; None when there was none."""
        if self._lanes is None:
            return _NO_LANES
        holder = await self._lanes.holder(unique)
        if holder is None or isinstance(holder, StorageUnavailable):
            return holder
        found = await self._jobs.get(holder, now)
        return holder if isinstance(found, JobNotFound) else found

    async def _admission(
        self, new: NewJob, policy: Policy, now: datetime
    ) -> Admission | LaneClosed | StorageUnavailable:
        later = new.run_at is not None and new.run_at > now
        if self._lanes is None or new.lane is None or later:
            return Free()
        return await self._lanes.admit(new.lane, policy)
