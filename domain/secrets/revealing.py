"""Gives the secrets of a payload their values, for one attempt."""

import asyncio
from collections.abc import Sequence

from domain.results import StorageUnavailable
from domain.secrets.hidden import Hidden
from domain.secrets.store import (
    NoSecret,
    SecretForbidden,
    SecretMissing,
    SecretsOff,
    SecretSource,
    place_of,
)
from headrace.authoring.outcomes import Fail, Retry
from headrace.authoring.secrets import MAX_SECRETS, Secret, give_value


async def reveal(
    source: SecretSource | None, owner_id: str, found: Sequence[Secret], hidden: Hidden
) -> Fail | Retry | None:
    """Give each its value, which `hidden` hides from then on; or what the attempt comes to instead."""
    names = sorted({secret.secret for secret in found})
    if len(names) > MAX_SECRETS:
        return Fail(
            code="too_many_secrets", reason=f"the payload names {len(names)} secrets, the limit is {MAX_SECRETS}"
        )
    if source is None:
        return _why_not(names[0], SecretsOff())
    store = source()
    values = await asyncio.gather(*(store.get(place_of(owner_id, name)) for name in names))
    refused = [_why_not(name, value) for name, value in zip(names, values, strict=True) if not isinstance(value, str)]
    # What no attempt can mend first.
    for outcome in sorted(refused, key=lambda outcome: isinstance(outcome, Retry)):
        return outcome
    given = {name: value for name, value in zip(names, values, strict=True) if isinstance(value, str)}
    for name, value in given.items():
        hidden.add(name, value)
    for secret in found:
        give_value(secret, given[secret.secret])
    return None


def _why_not(name: str, found: NoSecret) -> Fail | Retry:
    match found:
        case SecretForbidden():
            return Fail(code="secret_forbidden", reason=f"the function may not read the secret {name!r}")
        case SecretsOff():
            return Fail(code="secrets_off", reason=f"this deployment keeps no secrets, and {name!r} is needed")
        case StorageUnavailable():
            return Retry(code="secret_unavailable", reason=f"the secret {name!r} cannot be read now")
        case SecretMissing():
            return Fail(code="secret_missing", reason=f"the job's owner has no secret {name!r}")
