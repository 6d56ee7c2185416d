"""Event filter patterns."""

import pytest
from pydantic import JsonValue

from headrace.emulator.filtering import UnsupportedPattern, passes
from headrace.emulator.template import Stack

QUEUED: JsonValue = {
    "eventName": "INSERT",
    "dynamodb": {"NewImage": {"status": {"S": "queued"}, "version": {"N": "1"}}},
}
RUNNING: JsonValue = {"eventName": "MODIFY", "dynamodb": {"NewImage": {"status": {"S": "running"}}}}
REMOVED: JsonValue = {"eventName": "REMOVE", "dynamodb": {"OldImage": {"status": {"S": "queued"}}}}


def test_the_templates_filter_passes_only_queued_jobs(stack: Stack) -> None:
    patterns = stack.mappings[0].patterns
    assert [passes(patterns, event) for event in (QUEUED, RUNNING, REMOVED, {}, None)] == [
        True,
        False,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"eventName": ["INSERT", "MODIFY"]}, True),
        ({"eventName": ["REMOVE"]}, False),
        ({"eventName": [{"prefix": "INS"}]}, True),
        ({"eventName": [{"suffix": "ERT"}]}, True),
        ({"eventName": [{"anything-but": ["INSERT"]}]}, False),
        ({"eventName": [{"anything-but": ["REMOVE"]}]}, True),
        ({"dynamodb": {"NewImage": {"lease": [{"exists": False}]}}}, True),
        ({"dynamodb": {"NewImage": {"status": [{"exists": True}]}}}, True),
        ({"dynamodb": {"NewImage": {"version": {"N": [1]}}}}, False),
        ({"dynamodb": {"NewImage": {"version": {"N": ["1"]}}}}, True),
        ({"eventName": ["INSERT"], "dynamodb": {"NewImage": {"status": {"S": ["running"]}}}}, False),
        ({}, True),
    ],
)
def test_every_member_must_match_one_of_its_alternatives(pattern: dict[str, JsonValue], expected: bool) -> None:
    assert passes((pattern,), QUEUED) is expected


def test_a_record_needs_one_of_several_filters_and_no_filter_passes_everything() -> None:
    assert passes(({"eventName": ["REMOVE"]}, {"eventName": ["INSERT"]}), QUEUED)
    assert passes((), QUEUED)


@pytest.mark.parametrize("pattern", [{"eventName": [{"numeric": [">", 1]}]}, {"eventName": "INSERT"}])
def test_an_unsupported_property_is_reported(pattern: dict[str, JsonValue]) -> None:
    with pytest.raises(UnsupportedPattern):
        passes((pattern,), QUEUED)
