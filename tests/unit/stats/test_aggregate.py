"""Aggregates: adding up, and their bounds."""

from datetime import timedelta

from domain.stats.aggregate import (
    OTHERS,
    OUTCOMES,
    STORED,
    Aggregate,
    FailureGroup,
    Outcome,
    Series,
    summed,
)
from domain.stats.histogram import histogram_of
from tests.factories import NOW


def a_series(type: str, outcome: Outcome = "succeeded", count: int = 1) -> Series:
    return Series(type=type, outcome=outcome, count=count, running=histogram_of([10.0] * count))


def a_failure(type: str, code: str, count: int = 1, seconds: int = 0) -> FailureGroup:
    return FailureGroup(
        type=type,
        code=code,
        count=count,
        last_job_id=f"{type}-{code}-{seconds}",
        last_at=NOW + timedelta(seconds=seconds),
    )


def test_parts_add_up_by_type_outcome_and_error() -> None:
    one = Aggregate(series=(a_series("a"), a_series("a", "failed", 2)), failures=(a_failure("a", "boom", 2, 5),))
    other = Aggregate(series=(a_series("a", "failed"), a_series("b")), failures=(a_failure("a", "boom", 1, 1),))
    both = summed([one, other])
    assert both.series == (a_series("a", "failed", 3), a_series("a"), a_series("b"))
    assert both.failures == (
        FailureGroup(type="a", code="boom", count=3, last_job_id="a-boom-5", last_at=NOW + timedelta(seconds=5)),
    )
    assert both.counted == one.counted + other.counted == 5
    assert summed([]) == Aggregate()


def test_the_rarest_types_are_counted_together() -> None:
    many = [a_series(f"type-{number}", outcome, 1 + number) for number in range(30) for outcome in OUTCOMES]
    found = summed([Aggregate(series=tuple(many))])
    assert len(found.series) <= STORED.series
    assert found.counted == sum(each.count for each in many)
    assert {each.outcome for each in found.series if each.type == OTHERS} == set(OUTCOMES)
    assert found.series[0].type == "type-29"
    again = summed([found, Aggregate(series=(a_series("type-0"),))])
    assert again.counted == found.counted + 1
    assert len(again.series) <= STORED.series


def test_one_outcome_of_many_types_has_one_series_for_the_others() -> None:
    found = summed([Aggregate(series=tuple(a_series(f"type-{number}") for number in range(50)))])
    assert [each.outcome for each in found.series if each.type == OTHERS] == ["succeeded"]


def test_the_rarest_errors_are_counted_together() -> None:
    many = [a_failure("a", f"code-{number}", 1 + number, number) for number in range(70)]
    found = summed([Aggregate(failures=tuple(many))])
    assert len(found.failures) == STORED.failures
    assert sum(each.count for each in found.failures) == sum(each.count for each in many)
    assert found.failures[-1].code == OTHERS
    assert found.failures[-1].last_job_id == "a-code-50-50"
