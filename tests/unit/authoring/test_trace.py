"""Which values of `traceparent` are taken, and what is sent on."""

import re

import pytest

from headrace.authoring.trace import read_traceparent, span_id, trace_headers, trace_id, traceparent_of_xray
from tests.fakes.context import FakeContext

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize(
    ("field", "read"),
    [
        (GIVEN, GIVEN),
        (f"00-{TRACE}-{PARENT}-00", f"00-{TRACE}-{PARENT}-00"),
        (f"00-{TRACE}-{PARENT}-03", f"00-{TRACE}-{PARENT}-03"),
        (f"00-{TRACE}-{PARENT}-ff", f"00-{TRACE}-{PARENT}-03"),
        (f"01-{TRACE}-{PARENT}-01", GIVEN),
        (f"cc-{TRACE}-{PARENT}-09-what-the-future-will-be", GIVEN),
        (f"cc-{TRACE}-{PARENT}-01-", GIVEN),
    ],
)
def test_a_valid_value_is_taken_without_what_has_no_meaning_yet(field: str, read: str) -> None:
    assert read_traceparent(field) == read


@pytest.mark.parametrize(
    "field",
    [
        None, "", "x", f"ff-{TRACE}-{PARENT}-01", f"0-{TRACE}-{PARENT}-01", f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01", f"00-{TRACE}-{PARENT}-1", f"00-{TRACE}-{PARENT}-0g", f"00-{TRACE}-{PARENT}-01-x",
        f"00-{TRACE}-{PARENT}-01-", f"cc-{TRACE}-{PARENT}-01.x", f"{GIVEN},{GIVEN}", f"01-{TRACE}-{PARENT}-01,{GIVEN}",
        f" {GIVEN}", f"{GIVEN}\n", GIVEN.replace("-", "_"), GIVEN.replace("4", "\u0664"), "0" * 10_000,
    ],
)  # fmt: skip
def test_an_invalid_value_is_ignored(field: str | None) -> None:
    assert read_traceparent(field) is None


def test_an_attempt_sends_the_trace_on_with_itself_as_the_parent() -> None:
    context = FakeContext()
    assert trace_headers(context) == ()
    context.traceparent = GIVEN
    ((name, first),) = trace_headers(context)
    assert (name, first) == ("traceparent", f"00-{TRACE}-{span_id('job-1', 1)}-01")
    assert read_traceparent(first) == first
    assert trace_id(first) == TRACE
    context.attempt = 2
    assert trace_headers(context) != ((name, first),), "another attempt is another span"
    assert re.fullmatch("[0-9a-f]{16}", span_id("job-1", 2))


def test_a_trace_that_xray_records_is_taken_and_no_other() -> None:
    root = "Root=1-5759e988-bd862e3fe1be46a994272793"
    taken = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01"
    for lineage in ("", ";Lineage=25:a87bd80c:1"):
        assert traceparent_of_xray(f"{root};Parent=53995c3f42cd8ad8;Sampled=1{lineage}") == taken
    for other in (None, "", root, f"{root};Parent=53995c3f42cd8ad8;Sampled=0", f"{root};Sampled=1", "Self=1"):
        assert traceparent_of_xray(other) is None
