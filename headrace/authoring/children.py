"""Children as a handler has them: `context.call`, `context.map`, and what is said of one that has not succeeded."""

from builtins import type as _type
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeVar, overload

from pydantic import JsonValue

T = TypeVar("T")


class ChildFailed(Exception):
    """A child job failed or was cancelled. Uncaught, it fails the parent at once, with the code `child_failed`."""

    def __init__(self, name: str, place: int, job_id: str, code: str, message: str) -> None:
        self.name = name
        """Of the `call` or `map`."""
        self.place = place
        """Of its payload, from 0."""
        self.job_id = job_id
        self.code = code
        """Of the child's error; `cancelled`, or `child_missing` for one that is not there any more."""
        self.message = message
        super().__init__(name, place, job_id, code, message)

    def __str__(self) -> str:
        return f"child {self.place} of {self.name} ({self.job_id}): {self.code}: {self.message}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChildFailed) and self.args == other.args

    def __hash__(self) -> int:
        return hash(self.args)


class CallChild(Protocol):
    """`context.call`: submits a job of another type, and returns its result when it has succeeded.

    The result is JSON, or the model `returns`. No function runs meanwhile. Raises `ChildFailed` when the job failed or
    was cancelled.
    """

    @overload
    async def __call__(
        self, name: str, type: str, payload: object, *, tags: Mapping[str, str] | None = None
    ) -> JsonValue: ...
    @overload
    async def __call__(
        self, name: str, type: str, payload: object, *, returns: _type[T], tags: Mapping[str, str] | None = None
    ) -> T: ...


class MapChildren(Protocol):
    """`context.map`: as `context.call`, of many payloads, up to 100,000: one job each, at most `max_in_flight` at once.

    Returns their results in order when all have ended. If more than `tolerated_failures` failed, it raises
    `ChildFailed`; the places of those that are tolerated, and with failed="collect" of all that failed, have a
    `ChildFailed` instead of a result.
    """

    @overload
    async def __call__(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        failed: Literal["raise"] = "raise",
        max_in_flight: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[JsonValue]: ...
    @overload
    async def __call__(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        returns: _type[T],
        failed: Literal["raise"] = "raise",
        max_in_flight: int | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> list[T]: ...
    @overload
    async def __call__(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        failed: Literal["raise", "collect"] = "raise",
        max_in_flight: int | None = None,
        tolerated_failures: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> list[JsonValue | ChildFailed]: ...
    @overload
    async def __call__(
        self,
        name: str,
        type: str,
        payloads: Sequence[object],
        *,
        returns: _type[T],
        failed: Literal["raise", "collect"] = "raise",
        max_in_flight: int | None = None,
        tolerated_failures: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> list[T | ChildFailed]: ...
