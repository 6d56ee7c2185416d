"""Response models of the job type routes."""

from pydantic import BaseModel, Field, JsonValue

from domain.jobs.schemas import payload_schema, result_schema
from functions.api.http.problems import encodable
from headrace.authoring.job_type import AnyJobType


class JobTypeView(BaseModel):
    """A registered job type, with the JSON Schemas of its payload and result."""

    name: str
    aliases: list[str] = Field(description="Former names, under which jobs are accepted too")
    summary: str
    payload_version: int = Field(
        description="The version that payloads are validated as; jobs of older ones are upcast"
    )
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
        aliases=list(definition.aliases),
        summary=encodable(definition.summary),
        payload_version=definition.payload_version,
        max_attempts=definition.policy.max_attempts,
        timeout_seconds=definition.policy.timeout.total_seconds(),
        payload_schema=payload_schema(definition),
        result_schema=result_schema(definition),
    )
