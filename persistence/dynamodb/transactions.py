"""Writes several items with one TransactWriteItems: all of them, or none.

The reasons for a cancellation are those of the API reference, `TransactWriteItems`, "TransactionCanceledException".
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from domain.results import StorageUnavailable
from persistence.converters.attributes import string_of
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef

    from persistence.dynamodb.client import ClientSource

CONDITION_FAILED = "ConditionalCheckFailed"
NO_FAULT = "None"
"""The code of a write that had no part in the cancellation."""

MAX_CONFLICTS = 5
"""Tries against other transactions on the same items."""
PAUSE_SECONDS = 0.005
"""Half of the longest pause before the second try: some transactions' time. Each further one may be twice as long."""

_CONFLICT = "TransactionConflict"
_PASSING = frozenset({NO_FAULT, CONDITION_FAILED, _CONFLICT, "ThrottlingError", "ProvisionedThroughputExceeded"})


@dataclass(frozen=True)
class Refused:
    """A condition failed, so nothing was written."""

    codes: tuple[str, ...]
    """Of each write, in order."""
    standing: Mapping[str, object] | None
    """The item that made the first write's condition fail, if that asked for it."""


async def transact(
    client: ClientSource, writes: Sequence[TransactWriteItemTypeDef], write_id: str
) -> Refused | StorageUnavailable | None:
    """Commit `writes`; None when they are committed.

    `write_id` is the client request token, so that the SDK's own retry writes nothing twice. Where the database has
    forgotten the token, an item with this `write_id` that a condition met is this call's own write, whose
    acknowledgement was lost.
    """
    codes: tuple[str, ...] = (_CONFLICT,)
    for tried in range(MAX_CONFLICTS):
        if tried:
            # At once, it would meet the same transactions again.
            await asyncio.sleep(random.random() * PAUSE_SECONDS * 2**tried)  # noqa: S311 - chance is all that is asked for
        try:
            await (await client()).transact_write_items(TransactItems=writes, ClientRequestToken=write_id)
        except ClientError as error:
            reasons = error.response.get("CancellationReasons")
            if not reasons:
                return as_result(error)
            standing = [reason.get("Item") or None for reason in reasons]
            if any(string_of(item, "write_id") == write_id for item in standing if item is not None):
                return None
            codes = tuple(reason.get("Code", NO_FAULT) for reason in reasons)
            if CONDITION_FAILED in codes:
                return Refused(codes, standing[0])
            if _CONFLICT not in codes:
                break
        except STORAGE_ERRORS as error:
            return as_result(error)
        else:
            return None
    return unavailable(codes)


def unavailable(codes: Sequence[str]) -> StorageUnavailable:
    """What codes that are about no condition mean: load, which passes, or a write that is never accepted."""
    detail = ", ".join(sorted(set(codes) - {NO_FAULT}))
    return StorageUnavailable(reason="throttled" if _PASSING.issuperset(codes) else "rejected", detail=detail)
