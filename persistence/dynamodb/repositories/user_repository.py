"""Users in DynamoDB, and the claims that make each address unique."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.results import StorageUnavailable
from domain.users.repository import EmailTaken, UserNotFound, UserVersionConflict
from domain.users.user import User
from persistence.converters.dynamo_to_domain import (
    Unreadable,
    item_to_user,
    user_to_item,
)
from persistence.dynamodb.client import STORAGE_ERRORS, as_result
from persistence.dynamodb.transactions import CONDITION_FAILED, Refused, transact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef

    from domain.ports import NewId
    from domain.users.user import Email
    from persistence.dynamodb.client import ClientSource


class DynamoUserRepository:
    """The `UserRepository` on the tables of users and of claimed addresses."""

    def __init__(self, client: ClientSource, users: str, emails: str, new_id: NewId) -> None:
        self._client = client
        self._users = users
        self._emails = emails
        self._new_id = new_id

    async def add(self, user: User) -> User | EmailTaken | StorageUnavailable:
        write_id = self._new_id()
        written = await self._transact(
            user,
            write_id,
            [
                self._put_user(user, write_id, None),
                self._claim(user.email, user.id, write_id),
            ],
        )
        if isinstance(written, UserVersionConflict):
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

    async def replace(self, user: User, previous: User) -> User | EmailTaken | UserVersionConflict | StorageUnavailable:
        write_id = self._new_id()
        put = self._put_user(user, write_id, previous)
        if user.email == previous.email:
            return await self._transact(user, write_id, [put])
        claim = self._claim(user.email, user.id, write_id)
        return await self._transact(user, write_id, [put, claim, self._free(previous)])

    async def _transact(
        self, user: User, write_id: str, writes: list[TransactWriteItemTypeDef]
    ) -> User | EmailTaken | UserVersionConflict | StorageUnavailable:
        """All of `writes` or none: the user first, then the claim of its address."""
        refused = await transact(self._client, writes, write_id)
        match refused:
            case None:
                return user
            case Refused(codes=[code, *_]) if code == CONDITION_FAILED:
                return UserVersionConflict(user_id=user.id)
            case Refused():
                return EmailTaken(email=user.email)
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

    def _claim(self, email: str, user_id: str, write_id: str) -> TransactWriteItemTypeDef:
        return {
            "Put": {
                "TableName": self._emails,
                "Item": {
                    "email": {"S": email},
                    "user_id": {"S": user_id},
                    "write_id": {"S": write_id},
                },
                "ConditionExpression": "attribute_not_exists(email)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _free(self, previous: User) -> TransactWriteItemTypeDef:
        return {
            "Delete": {
                "TableName": self._emails,
                "Key": {"email": {"S": previous.email}},
                "ConditionExpression": "user_id = :user",
                "ExpressionAttributeValues": {":user": {"S": previous.id}},
            }
        }


def _user(item: Mapping[str, object] | None) -> User | UserNotFound | StorageUnavailable:
    if item is None:
        return UserNotFound()
    user = item_to_user(item)
    if isinstance(user, Unreadable):
        return StorageUnavailable(reason="rejected", detail=f"unreadable user: {user.detail}")
    return user
