"""Where the values of secrets are."""

from collections.abc import Callable
from typing import Final, Protocol

from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen

SHARED: Final = "shared/"
"""How the names of secrets begin that every user's jobs may have. No owner has this for an id."""


class SecretMissing(Frozen):
    """There is no such secret, or it holds no text."""


class SecretForbidden(Frozen):
    """The function may not read it."""


class SecretsOff(Frozen):
    """The deployment keeps no secrets."""


NoSecret = SecretMissing | SecretForbidden | SecretsOff | StorageUnavailable
SecretFound = str | NoSecret


class SecretStore(Protocol):
    """Reads secrets. What it gives may be as old as some seconds."""

    async def get(self, place: str, /) -> SecretFound:
        """The value of the secret at a place, as `place_of` gives it."""


SecretSource = Callable[[], SecretStore]
"""Gives the store when a payload first names a secret; most never do."""


def place_of(owner_id: str, name: str) -> str:
    """Where the secret of this name is for the jobs of an owner: among the owner's own, unless its name is shared."""
    return name if name.startswith(SHARED) else f"{owner_id}/{name}"
