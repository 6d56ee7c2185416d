"""Users in DynamoDB, and the claims that make each address, and each subject of a principal, unique."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.results import StorageUnavailable
from domain.users.repository import EmailTaken, PrincipalTaken, UserNotFound, UserVersionConflict
from domain.users.user import User
from persistence.converters.attributes import Unreadable, string_of
from persistence.converters.users import item_to_user, user_to_item
from persistence.dynamodb.client import STORAGE_ERRORS, as_result
from persistence.dynamodb.transactions import CONDITION_FAILED, Refused, transact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef

    from domain.ports import NewId
    from domain.users.user import Email
    from persistence.dynamodb.client import ClientSource


class DynamoUserRepository:
    """The `UserRepository` on the tables of users, of claimed addresses and of claimed subjects."""

    def __init__(self, client: ClientSource, users: str, emails: str, principals: str, new_id: NewId) -> None:
        self._client = client
        self._users = users
        self._emails = emails
        self._principals = principals
        self._new_id = new_id

    async def add(self, user: User) -> User | EmailTaken | StorageUnavailable:
        write_id = self._new_id()
        put = self._put_user(user, write_id, None)
        written = await self._transact(user, write_id, [put, self._claim_email(user, write_id)])
        if isinstance(written, UserVersionConflict | PrincipalTaken):
            return StorageUnavailable(reason="rejected", detail="the new user's id is not new")
        return written

    async def get(self, user_id: str) -> User | UserNotFound | StorageUnavailable:
        try:
            client = await self._client()
            answer = await client.get_item(TableName=self._users, Key={"id": {"S": user_id}}, ConsistentRead=True)
        except STORAGE_ERRORS as error:
            return as_result(error)
        return _user(answer.get("Item"))

    async def get_by_email(self, email: Email) -> User | UserNotFound | StorageUnavailable:
        try:
            client = await self._client()
            answer = await client.query(
                TableName=self._users,
                IndexName="email-index",
                KeyConditionExpression="email = :email",
                ExpressionAttributeValues={":email": {"S": email}},
                Limit=1,
            )
        except STORAGE_ERRORS as error:
            return as_result(error)
        return _user(answer["Items"][0] if answer["Items"] else None)

    async def get_by_principal(self, subject: str) -> User | UserNotFound | StorageUnavailable:
        try:
            client = await self._client()
            key = {"subject": {"S": subject}}
            answer = await client.get_item(TableName=self._principals, Key=key, ConsistentRead=True)
        except STORAGE_ERRORS as error:
            return as_result(error)
        user_id = string_of(answer.get("Item", {}), "user_id")
        return UserNotFound() if user_id is None else await self.get(user_id)

    async def replace(
        self, user: User, previous: User
    ) -> User | EmailTaken | PrincipalTaken | UserVersionConflict | StorageUnavailable:
        write_id = self._new_id()
        before, after = _subjects(previous), _subjects(user)
        moved = user.email != previous.email
        writes = [
            self._put_user(user, write_id, previous),
            *((self._claim_email(user, write_id), self._free(self._emails, "email", previous.email, previous.id))
              if moved else ()),
            *(self._claim(self._principals, "subject", each, user.id, write_id) for each in sorted(after - before)),
            *self._freed(sorted(before - after), user),
        ]  # fmt: skip
        return await self._transact(user, write_id, writes)

    async def remove(self, user: User) -> User | UserVersionConflict | StorageUnavailable:
        write_id = self._new_id()
        delete: TransactWriteItemTypeDef = {
            "Delete": {
                "TableName": self._users,
                "Key": {"id": {"S": user.id}},
                "ConditionExpression": "version = :expected",
                "ExpressionAttributeValues": {":expected": {"N": str(user.version)}},
            }
        }
        address = self._free(self._emails, "email", user.email, user.id)
        writes = [delete, address, *self._freed(sorted(_subjects(user)), user)]
        removed = await self._transact(user, write_id, writes)
        if isinstance(removed, EmailTaken | PrincipalTaken):
            return StorageUnavailable(reason="rejected", detail="an address or subject of the user is another's")
        return removed

    async def _transact(
        self, user: User, write_id: str, writes: list[TransactWriteItemTypeDef]
    ) -> User | EmailTaken | PrincipalTaken | UserVersionConflict | StorageUnavailable:
        """All of `writes` or none: the user first, then the claims."""
        refused = await transact(self._client, writes, write_id)
        match refused:
            case None:
                return user
            case Refused(codes=[code, *_]) if code == CONDITION_FAILED:
                return UserVersionConflict(user_id=user.id)
            case Refused(codes=codes):
                failed = writes[codes.index(CONDITION_FAILED)]
                table = next(iter(failed.values()))["TableName"]  # type: ignore[index]  # one operation, on one table
                return EmailTaken(email=user.email) if table == self._emails else PrincipalTaken()
            case StorageUnavailable():
                return refused

    def _put_user(self, user: User, write_id: str, previous: User | None) -> TransactWriteItemTypeDef:
        condition = "attribute_not_exists(id)" if previous is None else "version = :expected"
        put: TransactWriteItemTypeDef = {
            "Put": {
                "TableName": self._users,
                "Item": user_to_item(user, write_id),
                "ConditionExpression": condition,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }
        if previous is not None:
            expected = {":expected": {"N": str(previous.version)}}
            put["Put"]["ExpressionAttributeValues"] = expected
        return put

    def _claim_email(self, user: User, write_id: str) -> TransactWriteItemTypeDef:
        return self._claim(self._emails, "email", user.email, user.id, write_id)

    def _claim(self, table: str, key: str, value: str, user_id: str, write_id: str) -> TransactWriteItemTypeDef:
        return {
            "Put": {
                "TableName": table,
                "Item": {key: {"S": value}, "user_id": {"S": user_id}, "write_id": {"S": write_id}},
                "ConditionExpression": f"attribute_not_exists({key})",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _freed(self, subjects: Iterable[str], user: User) -> list[TransactWriteItemTypeDef]:
        return [self._free(self._principals, "subject", each, user.id) for each in subjects]

    def _free(self, table: str, key: str, value: str, user_id: str) -> TransactWriteItemTypeDef:
        return {
            "Delete": {
                "TableName": table,
                "Key": {key: {"S": value}},
                "ConditionExpression": "user_id = :user",
                "ExpressionAttributeValues": {":user": {"S": user_id}},
            }
        }


def _subjects(user: User) -> set[str]:
    """The subjects that are claimed: a key names its user, and needs no claim."""
    return {each.subject for each in user.principals if each.kind != "key"}


def _user(item: Mapping[str, object] | None) -> User | UserNotFound | StorageUnavailable:
    if item is None:
        return UserNotFound()
    user = item_to_user(item)
    if isinstance(user, Unreadable):
        return StorageUnavailable(reason="rejected", detail=f"unreadable user: {user.detail}")
    return user
