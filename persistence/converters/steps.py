"""Between what jobs remember and items."""

from collections.abc import Mapping

from pydantic import ValidationError

from domain.durable.step import STEP_FIELDS, Step, name_of
from persistence.converters.attributes import Item, Unreadable, places, value_of


def item_to_step(item: Item) -> Step | Unreadable:
    """The step that an item holds."""
    try:
        return plain_to_step({name: value_of(attribute) for name, attribute in item.items()})
    except (TypeError, ValueError) as error:
        return Unreadable(detail=type(error).__name__)


def plain_to_step(values: Mapping[str, object]) -> Step | Unreadable:
    """The step of which these are the attributes; those of newer versions are left out."""
    fields = {name: value for name, value in values.items() if name in STEP_FIELDS}
    if "value_ref" in values:
        fields["value"] = values["value_ref"]
    try:
        return Step.model_validate({**fields, "name": name_of(str(values.get("name")))})
    except ValidationError as error:
        return Unreadable(detail=places(error))
