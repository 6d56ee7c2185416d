"""Pages of what jobs remember, with sealed cursors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.paging import Page
from domain.results import BadCursor, StorageUnavailable

if TYPE_CHECKING:
    from datetime import datetime

    from domain.durable.repository import StepRepository
    from domain.durable.step import Step
    from domain.paging import PageRequest
    from persistence.cursors import CursorCodec


class SealedStepListing:
    """The `StepListing` on a repository of steps."""

    def __init__(self, steps: StepRepository, cursors: CursorCodec) -> None:
        self._steps = steps
        self._cursors = cursors

    async def list_steps(
        self, life: str, page: PageRequest, now: datetime
    ) -> Page[Step] | BadCursor | StorageUnavailable:
        scope, after = ("steps", life), None
        if page.cursor is not None:
            position = self._cursors.open(scope, page.cursor, now)
            if isinstance(position, BadCursor):
                return position
            after = position["after"]
        found = await self._steps.page(life, page.limit, after)
        if isinstance(found, StorageUnavailable):
            return found
        following = None if found.next is None else self._cursors.seal(scope, {"after": found.next}, now)
        return Page(items=found.steps, next=following)
