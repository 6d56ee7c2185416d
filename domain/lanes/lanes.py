"""Brings jobs into their lanes: admits new ones, finds places for claims, and lets go who stands in line."""

from dataclasses import dataclass, replace

from domain.jobs import transitions
from domain.jobs.job import Blocked, InLane, Job, Queued
from domain.lanes.admission import Admission, Free, InLine, Start, keeps, on_claim, on_entry, on_release
from domain.lanes.lane import Slot, free_numbers
from domain.lanes.releasing import Releasing, after
from domain.lanes.shared_reads import Seen
from domain.results import StorageUnavailable
from headrace.authoring.job_type import Policy


@dataclass(frozen=True)
class LaneClosed:
    """The lane takes no new jobs: an admin lets it drain."""

    lane: str


class Lanes(Releasing):
    """What functions do with lanes."""

    async def admit(self, lane: InLane, policy: Policy) -> Admission | LaneClosed | StorageUnavailable:
        """What becomes of a new job that could start now."""
        read = await self._shared.read(lane.name)
        if isinstance(read, StorageUnavailable):
            return read
        return LaneClosed(lane=lane.name) if read.lane.settings.mode == "draining" else await self._entry(read, policy)

    async def holder(self, unique: str) -> str | StorageUnavailable | None:
        """The id of the job that was last given a unique key."""
        return await self._lanes.holder(unique)

    async def admit_again(self, lane: InLane, policy: Policy) -> Free | InLine | StorageUnavailable:
        """What becomes of a job that a person retries: a lane that drains runs it."""
        read = await self._shared.read(lane.name)
        admitted = read if isinstance(read, StorageUnavailable) else await self._entry(read, policy)
        # A slot is given to whom leaves the line, so that retries in bulk keep its order.
        return InLine() if isinstance(admitted, Slot) else admitted

    async def _entry(self, seen: Seen, policy: Policy) -> Admission | StorageUnavailable:
        """Who comes to a full lane need not know its line, which may be long; else it goes before nobody in it."""
        terms, now = self._terms(seen.lane, policy), self._clock()
        if isinstance(on_release(seen.lane, terms, now, 0), InLine):
            return InLine()
        line = await seen.first_in_line()
        if isinstance(line, StorageUnavailable):
            return line
        admitted = on_entry(seen.lane, terms, now, self._random(), others_wait=bool(line))
        if not isinstance(admitted, InLine):
            seen.lane = after(seen.lane, terms, admitted, "", now)
        return admitted

    async def start(self, job: Job, lane: InLane, policy: Policy) -> Start | InLine | StorageUnavailable:
        """The place that a claim takes, or has already. One that has none lets those in line go first."""
        now = self._clock()
        held = job.state.place if isinstance(job.state, Queued) else None
        in_slot = transitions.is_in_slot(job, now)
        if not in_slot and held is None:
            line = await self._lanes.line(lane.name, 1)
            if line:
                return line if isinstance(line, StorageUnavailable) else InLine(behind=True)
        read = await self._shared.read(lane.name)
        if isinstance(read, StorageUnavailable):
            return read
        terms = self._terms(read.lane, policy)
        if held is not None:
            return Start(place=held.number) if keeps(read.lane, terms, held.number, held.token) else InLine()
        start = on_claim(read.lane, terms, now, self._random(), in_slot=in_slot)
        if isinstance(start, Start):
            lane_then = after(read.lane, terms, Free(place=start.place), job.id, now)
            read.lane = lane_then if start.slot is None else replace(lane_then, next_start=start.slot.then)
        return start

    async def look_again(self, job: Job) -> None:
        """After `job` was blocked: let as many go as there is room for by now, if nobody saw them wait.

        Only the first in line does that: all of them would contend for the one head of the line.
        """
        if job.lane is None or not isinstance(job.state, Blocked):
            return
        read = await self._shared.read(job.lane.name)
        if isinstance(read, StorageUnavailable):
            return
        terms = self._terms(read.lane, self._catalogue.policy(job.type))
        if isinstance(on_release(read.lane, terms, self._clock(), 0), InLine):
            return
        if await read.first_in_line() in {(), (job.id,)}:
            await self.release(job.lane.name, len(free_numbers(read.lane, terms.limit)), own=job.id)
