"""Between endpoints and signers and their DynamoDB items, tolerantly: what a newer version added is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from domain.webhooks.endpoint import Endpoint
from domain.webhooks.signing import Signer
from persistence.converters.attributes import Unreadable, kept, places, restored, to_attribute, value_of

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

    from persistence.converters.attributes import Item

ALL = "endpoint"
"""The partition of the index that lists the endpoints: a deployment has a handful."""
_STORAGE_ONLY = frozenset({"listed", "write_id"})

M = TypeVar("M", Endpoint, Signer)


def endpoint_to_item(endpoint: Endpoint, write_id: str) -> dict[str, Attribute]:
    """An endpoint as an item."""
    return {**_to_item(endpoint, write_id), "listed": {"S": ALL}}


def item_to_endpoint(item: Item) -> Endpoint | Unreadable:
    """The endpoint that an item holds."""
    return _read(Endpoint, item)


def signer_to_item(signer: Signer, write_id: str) -> dict[str, Attribute]:
    """A signer as an item."""
    return _to_item(signer, write_id)


def item_to_signer(item: Item) -> Signer | Unreadable:
    """The signer that an item holds."""
    return _read(Signer, item)


def _to_item(model: Endpoint | Signer, write_id: str) -> dict[str, Attribute]:
    fields = {
        name: to_attribute(value) for name, value in model.model_dump(exclude={"unknown"}, exclude_none=True).items()
    }
    unknown = {name: restored(text) for name, text in model.unknown.items()}
    return {**unknown, **fields, "write_id": {"S": write_id}}


def _read(model: type[M], item: Item) -> M | Unreadable:
    try:
        known = {name: value_of(value) for name, value in item.items() if name in model.model_fields}
        others = {
            name: kept(value)
            for name, value in item.items()
            if name not in model.model_fields and name not in _STORAGE_ONLY
        }
        return model.model_validate({**known, "unknown": others})
    except ValidationError as error:
        return Unreadable(detail=places(error))
    except (TypeError, ValueError, AttributeError) as error:
        return Unreadable(detail=type(error).__name__)
