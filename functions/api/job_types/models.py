"""Response models of the job type routes."""

from typing import Literal

from pydantic import BaseModel, JsonValue

from functions.api.http.problems import encodable
from headrace.authoring.job_type import AnyJobType
from headrace.authoring.json_text import from_json_text, to_json_text


class JobTypeView(BaseModel):
    """A registered job type, with the JSON Schemas of its payload and result."""

    name: str
    summary: str
    max_attempts: int
    timeout_seconds: float
    payload_schema: dict[str, JsonValue]
    result_schema: dict[str, JsonValue]


class JobTypePage(BaseModel):
    """Registered job types in alphabetical order, and the cursor for more."""

    items: list[JobTypeView]
    next: str | None


def job_type_view(definition: AnyJobType) -> JobTypeView:
    """Convert a job type to its response model."""
    return JobTypeView(
        name=definition.name,
        summary=encodable(definition.summary),
        max_attempts=definition.policy.max_attempts,
        timeout_seconds=definition.policy.timeout.total_seconds(),
        payload_schema=_schema(definition.payload, "validation"),
        result_schema=_schema(definition.result, "serialization"),
    )


def _schema(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> dict[str, JsonValue]:
    """The model's JSON Schema; if none can be made, a schema that accepts anything and says so.

    The model is user code: generating its schema may raise any exception, or yield something that is not JSON.
    """
    try:
        schema = from_json_text(to_json_text(model.model_json_schema(mode=mode)))
    except BaseException as raised:  # noqa: BLE001 - nothing is awaited here, so this comes from the model
        return {"description": f"No JSON Schema can be written for {model.__name__}: {type(raised).__name__}."}
    return schema if isinstance(schema, dict) else {}
