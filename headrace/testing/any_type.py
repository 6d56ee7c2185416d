"""Job types that a test of one handler does not know."""

from pydantic import JsonValue, RootModel

from headrace.authoring.job_type import AnyJobType, JobType


class Anything(RootModel[JsonValue]):
    """Any payload."""


def any_type(name: str) -> AnyJobType:
    """A job type of this name that takes any payload."""
    return JobType(name=name, summary="Not known to this test", payload=Anything, result=Anything)
