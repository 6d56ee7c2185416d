"""What owners have used of their quotas, as the store knows it."""

from datetime import datetime
from typing import Protocol

from domain.results import StorageUnavailable


class UsageRepository(Protocol):
    """Counts what is limited. A deployment without quotas never asks."""

    async def unfinished(self, owner_id: str, most: int, /) -> int | StorageUnavailable:
        """How many unfinished jobs the owner has of those that are counted; it stops counting at `most`.

        A job that was written in the last second or so may be missing.
        """

    async def take(self, owner_id: str, minute: datetime, most: int, /) -> bool | StorageUnavailable:
        """Count one submission in the minute that begins then, exactly; False when there have been `most`."""
