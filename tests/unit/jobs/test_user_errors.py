"""What exceptions of handlers mean for their jobs."""

from domain.jobs.user_errors import raised
from headrace.authoring.children import ChildFailed

LOST = ChildFailed("thumbs", 3, "child", "torn", "the page is torn")


def test_a_group_of_nothing_but_what_no_attempt_can_mend_is_the_first_of_it() -> None:
    """As a `TaskGroup` raises it."""
    other = ChildFailed("label", 0, "other", "no", "no")
    for group in (ExceptionGroup("", [LOST]), ExceptionGroup("", [ExceptionGroup("", [LOST]), other])):
        told = raised(group)
        assert (told.code, told.permanent) == ("child_failed", True)
        assert "the page is torn" in told.message


def test_a_group_with_anything_else_is_tried_again() -> None:
    told = raised(ExceptionGroup("both", [LOST, ValueError("perhaps later")]))
    assert (told.code, told.permanent) == ("ExceptionGroup", False)


def test_groups_within_groups_are_looked_into_a_little_way() -> None:
    nested: Exception = LOST
    for _ in range(100):
        nested = ExceptionGroup("", [nested])
    assert not raised(nested).permanent


def test_a_group_of_the_users_own_class_is_not_trusted() -> None:
    class Own(ExceptionGroup[Exception]):
        """Its members could be anything."""

    assert raised(Own("", [LOST])).code == "Own"
