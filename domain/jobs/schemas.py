"""The JSON Schemas of a job type's payload and result."""

from typing import Literal

from pydantic import BaseModel, JsonValue

from headrace.authoring.job_type import AnyJobType
from headrace.authoring.json_text import from_json_text, to_json_text

Schema = dict[str, JsonValue]


def payload_schema(definition: AnyJobType) -> Schema:
    """What a payload may be."""
    return _schema(definition.payload, "validation")


def result_schema(definition: AnyJobType) -> Schema:
    """What a result is."""
    return _schema(definition.result, "serialization")


def _schema(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> Schema:
    """The model's JSON Schema; if none can be made, a schema that accepts anything and says so.

    The model is user code: generating its schema may raise any exception, or yield something that is not JSON.
    """
    try:
        schema = from_json_text(to_json_text(model.model_json_schema(mode=mode)))
    except BaseException as raised:  # noqa: BLE001 - nothing is awaited here, so this comes from the model
        return {"description": f"No JSON Schema can be written for {model.__name__}: {type(raised).__name__}."}
    return schema if isinstance(schema, dict) else {}
