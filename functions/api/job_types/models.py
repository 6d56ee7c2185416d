"""What goes over the wire of job types."""

from typing import Literal

from pydantic import BaseModel, JsonValue

from functions.api.http.problems import encodable
from headrace.authoring.job_type import AnyJobType
from headrace.authoring.json_text import from_json_text, to_json_text


class JobTypeView(BaseModel):
    """A registered job type, with JSON Schema of what it takes and gives."""

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
    """A job type for those who submit jobs."""
    return JobTypeView(
        name=definition.name,
        summary=encodable(definition.summary),
        max_attempts=definition.policy.max_attempts,
        timeout_seconds=definition.policy.timeout.total_seconds(),
        payload_schema=_schema(definition.payload, "validation"),
        result_schema=_schema(definition.result, "serialization"),
    )


def _schema(model: type[BaseModel], mode: Literal["validation", "serialization"]) -> dict[str, JsonValue]:
    """The model's JSON Schema; for one that has none, a schema that admits anything and says so.

    The model is a user's: writing its schema may raise anything, and may yield what is not JSON.
    """
    try:
        schema = from_json_text(to_json_text(model.model_json_schema(mode=mode)))
    except BaseException as raised:  # noqa: BLE001 - nothing is awaited here, so this comes from the model
        return {"description": f"No JSON Schema can be written for {model.__name__}: {type(raised).__name__}."}
    return schema if isinstance(schema, dict) else {}
