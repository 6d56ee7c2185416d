"""Decides whether an owner's quota allows one more job."""

import math
from datetime import timedelta
from typing import Final, Literal

from domain.ports import Clock
from domain.quotas.usage import UsageRepository
from domain.results import StorageUnavailable
from domain.users.quota import Quota
from domain.users.user import User
from headrace.authoring.frozen import Frozen

_MINUTE: Final = timedelta(minutes=1)
PATIENCE: Final = timedelta(seconds=10)
"""When to try again while too many jobs are unfinished: nobody knows when one ends."""


class QuotaExceeded(Frozen):
    """The owner has as many unfinished jobs as it may, or has submitted as many in this minute."""

    kind: Literal["unfinished", "submissions_per_minute"]
    limit: int
    retry_after: int
    """Seconds."""


class Quotas:
    """The quotas of all owners: each user's own, or else the deployment's `default`."""

    def __init__(self, usage: UsageRepository, default: Quota, clock: Clock) -> None:
        self._usage = usage
        self._default = default
        self._clock = clock

    def counts(self, owner: User) -> bool:
        """Whether the owner's unfinished jobs are limited, so that a new one must be written as one that counts."""
        return self._limit(owner, "unfinished") > 0

    async def refusal(self, owner: User) -> QuotaExceeded | StorageUnavailable | None:
        """Why the owner may not submit another job now; None counts one against its minute."""
        unfinished = self._limit(owner, "unfinished")
        if unfinished:
            found = await self._usage.unfinished(owner.id, unfinished)
            if isinstance(found, StorageUnavailable):
                return found
            if found >= unfinished:
                return QuotaExceeded(kind="unfinished", limit=unfinished, retry_after=int(PATIENCE.total_seconds()))
        a_minute = self._limit(owner, "submissions_per_minute")
        return await self._refused_this_minute(owner, a_minute) if a_minute else None

    async def _refused_this_minute(self, owner: User, limit: int) -> QuotaExceeded | StorageUnavailable | None:
        now = self._clock()
        minute = now.replace(second=0, microsecond=0)
        taken = await self._usage.take(owner.id, minute, limit)
        if isinstance(taken, StorageUnavailable):
            return taken
        left = math.ceil((minute + _MINUTE - now).total_seconds())
        return None if taken else QuotaExceeded(kind="submissions_per_minute", limit=limit, retry_after=left)

    def _limit(self, owner: User, kind: Literal["unfinished", "submissions_per_minute"]) -> int:
        own: int | None = getattr(owner.quota, kind)
        default: int | None = getattr(self._default, kind)
        return (default or 0) if own is None else own
