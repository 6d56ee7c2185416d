"""Between files' descriptions and DynamoDB items."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from domain.files.file import StoredFile
from persistence.converters.attributes import to_attribute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute


def file_to_item(file: StoredFile) -> dict[str, Attribute]:
    """A description as an item; the TTL is a number of whole seconds."""
    item = {name: to_attribute(value) for name, value in file}
    return item | {"expires_at": {"N": str(int(file.expires_at.timestamp()))}}


def item_to_file(item: Mapping[str, object]) -> StoredFile | None:
    """The description that an item holds, without what a newer version added: it is never written again."""
    try:
        fields = {name: _value(item[name]) for name in StoredFile.model_fields}
        expires_at = datetime.fromtimestamp(int(str(fields["expires_at"])), UTC)
        return StoredFile.model_validate({**fields, "size": int(str(fields["size"])), "expires_at": expires_at})
    except (ValidationError, KeyError, ValueError, TypeError, OverflowError):
        return None


def _value(attribute: object) -> object:
    if not isinstance(attribute, dict):
        raise TypeError("no attribute")
    return attribute["S"] if "S" in attribute else attribute["N"]
