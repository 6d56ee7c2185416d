"""Who sees an exception's message and frames; the API's own tests are in tests/unit/api/test_error_visibility.py."""

import pytest

from domain.jobs.catalogue import Catalogue
from domain.jobs.disclosure import Disclosure
from domain.jobs.job import Frame
from domain.jobs.listing import JobSummary, summary_of
from domain.jobs.outcomes import Outcome, Raised
from domain.users.user import User
from headrace.authoring.job_type import Policy
from headrace.authoring.outcomes import Fail
from tests.factories import UserFactory, finished, running
from tests.fakes.handlers import a_handler

MEMBER, ADMIN = UserFactory.build(role="member"), UserFactory.build(role="admin")
FRAMES = (Frame(file="job_types/orders.py", line=12, function="charge", source="cards[number]"),)
RAISED = Raised(code="KeyError", message="'card 4111'", frames=FRAMES)
HIDING = Disclosure(Catalogue([a_handler("order.charge", policy=Policy(expose_errors=False))]))
EXPOSING = Disclosure(Catalogue([a_handler("order.charge", policy=Policy(expose_errors=True))]))
UNKNOWING = Disclosure(Catalogue([]))


def summary(outcome: Outcome) -> JobSummary:
    return summary_of(finished(running(type="order.charge"), outcome))


@pytest.mark.parametrize("disclosure", [HIDING, UNKNOWING], ids=["hiding", "unknown type"])
def test_a_hidden_exception_leaves_its_type(disclosure: Disclosure) -> None:
    shown = disclosure.to(MEMBER, summary(RAISED)).error
    assert shown is not None
    assert (shown.code, shown.message, shown.frames) == ("KeyError", "the handler raised KeyError", ())


def test_a_result_that_cannot_be_serialized_hides_why() -> None:
    broken = Raised(code="invalid_result", message="the result is not JSON: secret", frames=FRAMES, permanent=True)
    shown = HIDING.to(MEMBER, summary(broken)).error
    assert shown is not None
    assert shown.message == "the result is not JSON"


def test_admins_and_callers_of_a_type_that_exposes_errors_see_everything() -> None:
    raised = summary(RAISED)
    assert HIDING.to(ADMIN, raised) == raised
    shown = EXPOSING.to(MEMBER, raised).error
    assert shown is not None
    assert (shown.message, shown.frames[0].line) == ("'card 4111'", 12)


def test_only_admins_see_what_the_code_says() -> None:
    raised = summary(RAISED)
    assert [frame.source for frame in _frames(EXPOSING, ADMIN, raised)] == ["cards[number]"]
    assert [frame.source for frame in _frames(EXPOSING, MEMBER, raised)] == [None]


def _frames(disclosure: Disclosure, caller: User, raised: JobSummary) -> tuple[Frame, ...]:
    shown = disclosure.to(caller, raised).error
    return shown.frames if shown else ()


def test_what_a_handler_says_itself_is_for_its_caller() -> None:
    said = summary(Fail(code="no_stock", reason="sold out"))
    assert HIDING.to(MEMBER, said) == said


def test_the_history_hides_what_the_error_hides() -> None:
    noted = [(None, None), (RAISED.message, 12)]
    hidden = [(None, None), ("the handler raised KeyError", None)]
    assert _noted(HIDING, ADMIN, RAISED) == noted
    assert _noted(EXPOSING, MEMBER, RAISED) == noted
    assert _noted(HIDING, MEMBER, RAISED) == _noted(UNKNOWING, MEMBER, RAISED) == hidden
    assert _noted(HIDING, MEMBER, Fail(code="no_stock", reason="sold out")) == [(None, None), ("sold out", None)]


def _noted(disclosure: Disclosure, caller: User, outcome: Outcome) -> list[tuple[str | None, int | None]]:
    """Message and line of the last two entries."""
    history = disclosure.to(caller, summary(outcome)).history[-2:]
    return [(entry.message, entry.frame.line if entry.frame else None) for entry in history]
