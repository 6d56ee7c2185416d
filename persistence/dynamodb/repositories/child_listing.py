"""Pages of a job's children, with sealed cursors."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from domain.children.ids import child_id
from domain.children.repository import MAX_READ
from domain.jobs.job import is_expired
from domain.jobs.listing import JobSummary, summary_of
from domain.paging import Page
from domain.results import BadCursor, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from domain.children.listing import Begun
    from domain.children.repository import ChildReader
    from domain.jobs.job import Job, Status
    from domain.paging import PageRequest
    from persistence.cursors import CursorCodec

MAX_CALLS: Final = 10
"""Reads of a page for a filter that matches little, before it ends short and with a cursor."""

_Place = tuple[str, int]
"""A group, and a place of it."""


class SealedChildListing:
    """The `ChildListing` on a reader of children."""

    def __init__(self, reader: ChildReader, cursors: CursorCodec) -> None:
        self._reader = reader
        self._cursors = cursors

    async def list_children(
        self, life: str, groups: tuple[Begun, ...], status: Status | None, page: PageRequest, now: datetime
    ) -> Page[JobSummary] | BadCursor | StorageUnavailable:
        scope = ("children", life, status or "")
        start = self._cursors.open(scope, page.cursor, now) if page.cursor else {}
        if isinstance(start, BadCursor):
            return start
        places, found, at = tuple(_places(groups, start)), tuple[JobSummary, ...](), 0
        for _ in range(MAX_CALLS):
            wanted = page.limit - len(found)
            # Those of a filter are few among many; without one, nearly all that are read are wanted.
            some = places[at : at + (MAX_READ if status else min(MAX_READ, wanted))]
            ids = tuple(child_id(life, *place) for place in some)
            jobs = await self._reader.jobs(ids)
            if isinstance(jobs, StorageUnavailable):
                return jobs
            read = [(offset, jobs[id]) for offset, id in enumerate(ids, 1) if id in jobs]
            mine = [(offset, job) for offset, job in read if _is_wanted(job, life, status, now)][:wanted]
            found = (*found, *(summary_of(job) for _, job in mine))
            at += mine[-1][0] if len(mine) == wanted else len(some)
            if len(found) == page.limit or at == len(places):
                break
        return Page(items=found, next=self._sealed(scope, places[at], now) if at < len(places) else None)

    def _sealed(self, scope: tuple[str, ...], place: _Place, now: datetime) -> str:
        return self._cursors.seal(scope, {"group": place[0], "place": str(place[1])}, now)


def _places(groups: tuple[Begun, ...], start: dict[str, str]) -> Iterator[_Place]:
    """As many places, from the cursor's on, as a page can come to look at, and the next one."""
    first = next((n for n, each in enumerate(groups) if each.group == start.get("group")), 0)
    place = int(start.get("place", "0"))
    every = (
        (each.group, number) for n, each in enumerate(groups[first:])
        for number in range(0 if n else place, each.placed)
    )  # fmt: skip
    return islice(every, MAX_READ * MAX_CALLS + 1)


def _is_wanted(job: Job, life: str, status: Status | None, now: datetime) -> bool:
    mine = job.parent is not None and job.parent.life == life
    return mine and not is_expired(job.expires_at, now) and status in {None, job.status}
