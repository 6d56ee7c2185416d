"""JSON Schemas of job types, whatever their models are."""

from collections.abc import Callable

from pydantic import BaseModel

from domain.jobs.schemas import payload_schema, result_schema
from headrace.authoring.job_type import JobType
from tests.fakes.handlers import Count, Text


class Uncalled(BaseModel):
    """A model that has no JSON Schema."""

    callback: Callable[[], None]


def test_payload_and_result_have_a_schema() -> None:
    definition: JobType[Text, Count] = JobType(name="a.b", payload=Text, result=Count, summary="Count.")
    assert payload_schema(definition)["title"] == "Text"
    assert result_schema(definition)["title"] == "Count"


def test_a_model_without_a_schema_says_so() -> None:
    definition: JobType[Uncalled, Count] = JobType(name="a.b", payload=Uncalled, result=Count, summary="Count.")
    assert payload_schema(definition) == {
        "description": "No JSON Schema can be written for Uncalled: PydanticInvalidForJsonSchema."
    }
