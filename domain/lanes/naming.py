"""Decides which lane a job is in, if any: its type's own, the one that its submission names, or its owner's."""

from collections.abc import Callable
from typing import Final, cast

from pydantic import BaseModel

from domain.flaws import Flaw
from domain.jobs.job import InLane
from domain.jobs.submission import Submission
from domain.jobs.user_errors import raised
from domain.lanes.lane import MAX_NAME, OWNER
from domain.users.user import User
from headrace.authoring.job_type import AnyJobType

_OWN: Final = "jobs of this type run in lanes of the type's own"
_LIMITED: Final = "this deployment limits the jobs of each owner, so that only admins may choose lanes"


def lane_of(
    submission: Submission, definition: AnyJobType, payload: BaseModel, owner: User, owner_limit: int
) -> InLane | Flaw | None:
    """The lane of a new job; a flaw for one that cannot be.

    A limit that a type's author or the operator has set is for their protection, so that no submission escapes it by
    naming another lane. What submissions name is the owner's alone: no tenant stands in another's way.
    """
    policy = definition.policy
    if submission.lane is not None and not is_name(f"{owner.id}/{submission.lane}"):
        return Flaw(path=("lane",), message="must be printable, and short")
    if submission.lane is not None and (policy.has_lane or (owner_limit and owner.role != "admin")):
        return Flaw(path=("lane",), message=_OWN if policy.has_lane else _LIMITED)
    name = _by_type(definition, payload, owner.id) if policy.has_lane else None
    if isinstance(name, Flaw):
        return name
    if submission.lane is not None:
        name = f"{owner.id}/{submission.lane}"
    elif name is None and owner_limit:
        name = f"{OWNER}{owner.id}"
    priority = policy.priority if submission.priority is None else submission.priority
    return None if name is None else InLane(name=name, priority=priority)


def _by_type(definition: AnyJobType, payload: BaseModel, owner_id: str) -> str | Flaw | None:
    key = definition.policy.lane
    if key is None or isinstance(key, str):
        return definition.name if key is None else _checked(key)
    try:
        # Of which model the payload is, only the type's author knows.
        given: object = cast("Callable[[BaseModel, str], object]", key)(payload, owner_id)
    except Exception as error:  # noqa: BLE001 - user code, which must not end the request
        return Flaw(path=("payload",), message=f"the type's lane could not be found: it raised {raised(error).code}")
    return None if given is None else _checked(given)


def _checked(name: object) -> str | Flaw:
    if isinstance(name, str) and is_name(name) and not name.startswith(OWNER):
        return name
    what = f"1 to {MAX_NAME} printable characters, which do not begin with {OWNER!r}"
    return Flaw(path=("payload",), message=f"the type's lane must be {what}")


def is_name(name: str) -> bool:
    """Whether a lane may have this name."""
    return 0 < len(name) <= MAX_NAME and name.isprintable()
