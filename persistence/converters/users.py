"""Between users and DynamoDB items; unknown attributes are kept as in `dynamo_to_domain.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from domain.users.principal import Principal
from domain.users.quota import DEFAULT, Quota
from domain.users.user import User
from persistence.converters.attributes import (
    Item,
    Unreadable,
    entries_of,
    kept,
    part_of,
    places,
    restored,
    to_attribute,
    value_of,
)

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

_USER_FIELDS = frozenset(User.model_fields) - {"unknown"}
_QUOTA = frozenset(Quota.model_fields)
_PRINCIPAL = frozenset(Principal.model_fields)


def user_to_item(user: User, write_id: str) -> dict[str, Attribute]:
    """A user as an item."""
    silent = {"unknown"} if user.quota != DEFAULT else {"unknown", "quota"}
    fields = {name: to_attribute(value) for name, value in user.model_dump(exclude=silent, exclude_none=True).items()}
    unknown = {name: restored(text) for name, text in user.unknown.items()}
    return {**unknown, **fields, "write_id": {"S": write_id}}


def item_to_user(item: Item) -> User | Unreadable:
    """The user that an item holds."""
    try:
        fields = {name: value_of(value) for name, value in item.items() if name in _USER_FIELDS}
        unknown = {name: kept(item[name]) for name in item if name not in _USER_FIELDS and name != "write_id"}
        if "principals" in item:
            fields["principals"] = [part_of(entry, _PRINCIPAL) for entry in entries_of(item["principals"])]
        if "quota" in item:
            fields["quota"] = part_of(item["quota"], _QUOTA)
        return User.model_validate({**fields, "unknown": unknown})
    except ValidationError as error:
        return Unreadable(detail=places(error))
    except (TypeError, ValueError, AttributeError) as error:
        return Unreadable(detail=type(error).__name__)
