"""Job types and their catalogue."""

import pytest
from pydantic import BaseModel, ValidationError

from domain.jobs.catalogue import Catalogue, DuplicateJobType
from headrace.authoring.job_type import JobType, Policy
from tests.fakes.handlers import a_handler


class Empty(BaseModel):
    pass


def test_two_job_types_of_one_name_fail_at_start() -> None:
    with pytest.raises(DuplicateJobType, match="twice"):
        Catalogue([a_handler("twice"), a_handler("once"), a_handler("twice")])


def test_a_job_type_is_found_by_its_name() -> None:
    handler = a_handler("here")
    catalogue = Catalogue([handler])
    assert catalogue.names() == ("here",)
    assert catalogue.handler("here") is handler
    assert catalogue.definition("here") is handler.definition
    assert catalogue.handler("elsewhere") is None
    assert catalogue.definition("elsewhere") is None


def test_a_type_that_is_not_known_has_the_default_policy() -> None:
    catalogue = Catalogue([a_handler("here", policy=Policy(max_attempts=9))])
    assert catalogue.policy("here").max_attempts == 9
    assert catalogue.policy("elsewhere") == Policy()


@pytest.mark.parametrize("name", ["", "CSV", "a..b", ".a", "a b", "1a", "a" * 65])
def test_a_name_is_dotted_lower_case(name: str) -> None:
    with pytest.raises(ValidationError):
        JobType(name=name, summary="", payload=Empty, result=Empty)
