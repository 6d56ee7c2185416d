"""Lists of users, through the index of roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from domain.paging import Page
from domain.results import BadCursor, StorageUnavailable
from domain.users.user import Role, User
from persistence.converters.attributes import Unreadable, string_of
from persistence.converters.users import item_to_user
from persistence.dynamodb.client import STORAGE_ERRORS, as_result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from domain.paging import PageRequest
    from persistence.cursors import CursorCodec
    from persistence.dynamodb.client import ClientSource

ROLES: tuple[Role, ...] = tuple(sorted(get_args(Role)))
"""In the order of the list: admins, then members."""


class DynamoUserListing:
    """The `UserListing` on the table of users."""

    def __init__(self, client: ClientSource, users: str, cursors: CursorCodec) -> None:
        self._client = client
        self._users = users
        self._cursors = cursors

    async def page(
        self, role: Role | None, page: PageRequest, now: datetime
    ) -> Page[User] | BadCursor | StorageUnavailable:
        roles = ROLES if role is None else (role,)
        scope = ("users", role or "")
        position = {} if page.cursor is None else self._cursors.open(scope, page.cursor, now)
        if isinstance(position, BadCursor):
            return position
        first = position.pop("role", roles[0])
        start, found = position, list[User]()
        for each in roles[roles.index(first) :]:
            queried = await self._query(each, start, page.limit - len(found))
            if isinstance(queried, StorageUnavailable):
                return queried
            users, last = queried
            found, start = [*found, *users], {}
            if last:
                return Page(items=tuple(found), next=self._cursors.seal(scope, {"role": each, **last}, now))
            if len(found) == page.limit and each != roles[-1]:
                following = roles[roles.index(each) + 1]
                return Page(items=tuple(found), next=self._cursors.seal(scope, {"role": following}, now))
        return Page(items=tuple(found))

    async def _query(
        self, role: Role, start: Mapping[str, str], limit: int
    ) -> tuple[list[User], dict[str, str]] | StorageUnavailable:
        """Up to `limit` users of a role after `start`, and the last one's key if more may follow."""
        key = {name: {"S": value} for name, value in ({"role": role, **start} if start else {}).items()}
        try:
            client = await self._client()
            answer = await client.query(
                TableName=self._users,
                IndexName="role-index",
                KeyConditionExpression="#role = :role",
                ExpressionAttributeNames={"#role": "role"},
                ExpressionAttributeValues={":role": {"S": role}},
                Limit=limit,
                **({"ExclusiveStartKey": key} if key else {}),  # type: ignore[arg-type]  # absent, not None
            )
        except STORAGE_ERRORS as error:
            return as_result(error)
        users = [item_to_user(item) for item in answer["Items"]]
        readable = [user for user in users if not isinstance(user, Unreadable)]
        if len(readable) < len(users):
            return StorageUnavailable(reason="rejected", detail="unreadable user")
        last = answer.get("LastEvaluatedKey", {})
        return readable, {name: string_of(last, name) or "" for name in last if name != "role"}
