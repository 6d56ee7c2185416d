"""Results that every repository may return."""

from typing import Literal

from headrace.authoring.frozen import Frozen


class StorageUnavailable(Frozen):
    """The store did not do what was asked, and said nothing about the data.

    `throttled`, `timeout`, `connection` and `server` may succeed when tried again; `rejected` (a missing
    table, a missing permission) needs a person. After a timeout a write may or may not have happened.
    """

    reason: Literal["throttled", "timeout", "connection", "server", "rejected"]
    detail: str


class ItemTooLarge(Frozen):
    """The item would pass DynamoDB's limit of 400 KB; nothing was sent."""

    size: int
    """Bytes, as DynamoDB counts them: names and values."""
    limit: int


class BadCursor(Frozen):
    """The page cursor is forged, damaged, expired, or belongs to another tenant or query."""


class StaleVersion(Frozen):
    """The caller changed a version that is no longer the latest."""

    current_version: int | None
