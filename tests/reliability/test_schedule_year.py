"""I13: a schedule's tick makes one job, or none where its policy says so."""

from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import pytest
from typing_extensions import Unpack

from domain.jobs.change import Put
from domain.schedules import ticking
from domain.schedules.planning import IN_TIME
from domain.schedules.schedule import Missed, Schedule, due_at, new_schedule
from domain.schedules.timing import Timing
from tests.conftest import new_id
from tests.fakes.brute_force_cron import ticks_by_brute_force
from tests.fakes.schedule_repository import FakeScheduleRepository
from tests.reliability.schedule_year import OWNER_ID, Outage, Year, lives_of, ticks_of
from tests.schedules import Spec, a_spec

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
SIX_HOURS = timedelta(hours=6)
CASES: list[tuple[str, str, Missed]] = [
    ("30 2 * * *", "America/New_York", "latest"),
    ("*/30 1-2 * * *", "America/New_York", "all"),
    ("15,45 1 * * *", "Australia/Lord_Howe", "latest"),
    ("*/20 2 * * *", "Australia/Lord_Howe", "all"),
    ("0 */8 * * *", "UTC", "none"),
]
OUTAGES = {
    # Over the night in which the clocks go back.
    "America/New_York": datetime(2026, 11, 1, 3, tzinfo=UTC),
    "Australia/Lord_Howe": datetime(2026, 4, 4, 12, tzinfo=UTC),
    "UTC": datetime(2026, 6, 1, 7, tzinfo=UTC),
}


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--seed")
    return 7 if given is None else int(given)


def a_schedule(**fields: Unpack[Spec]) -> Schedule:
    return new_schedule(new_id(), OWNER_ID, a_spec(**fields), START)


@pytest.mark.parametrize("zone", OUTAGES)
def test_a_year_of_ticks_is_that_of_the_policy_and_none_is_doubled(zone: str, seed: int) -> None:
    outage = Outage(OUTAGES[zone], OUTAGES[zone] + SIX_HOURS)
    year = Year(START, END, outage, seed)
    cases = [case for case in CASES if case[1] == zone]
    schedules = [a_schedule(timing=Timing(cron=cron, timezone=zone), missed=missed) for cron, _, missed in cases]
    year.run(schedules)
    assert year.crashes > 5
    for (cron, _, missed), schedule in zip(cases, schedules, strict=True):
        expected = ticks_by_brute_force(cron, zone, START, END - timedelta(hours=1))
        made = [tick for tick in ticks_of(year.jobs.stored, schedule) if tick < END - timedelta(hours=1)]
        assert len(made) == len(set(made)), "none is doubled"
        assert set(made) <= set(expected)
        during = [tick for tick in expected if outage.covers(tick)]
        left_out = set(expected) - set(made)
        assert during, "the outage costs some"
        match missed:
            case "all":
                assert left_out == set()
            case "latest":
                assert left_out == set(during[:-1])
            case "none":
                # Those of the outage, and those that lost messages made later than in time.
                assert set(during) <= left_out
                assert len(left_out) < len(during) + 0.02 * len(expected)
    assert all(due_at(schedule) is not None for schedule in year.schedules.stored)
    assert timedelta(minutes=2) == IN_TIME


def test_with_skip_no_two_jobs_of_a_schedule_live_at_once(seed: int) -> None:
    end = START + timedelta(days=40)
    outage = Outage(START + timedelta(days=20), START + timedelta(days=20) + SIX_HOURS)
    year = Year(START, end, outage, seed, longest_job=timedelta(minutes=100))
    schedule = a_schedule(timing=Timing(every_seconds=3600), overlap="skip", missed="all")
    year.run([schedule])
    lives = lives_of(year.jobs.stored, schedule)
    assert len(lives) > 300
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(lives))
    made = ticks_of(year.jobs.stored, schedule)
    assert len(made) == len(set(made))


def test_the_year_detects_ticks_that_are_made_twice(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the schedule's condition and without ids from ticks; either alone is enough to make one job a tick."""
    inner, numbers = FakeScheduleRepository.companion, count()

    def unconditional(self: FakeScheduleRepository, schedule: Schedule, expected_version: int) -> Put:
        return inner(self, schedule, expected_version).model_copy(update={"condition": None})

    monkeypatch.setattr(FakeScheduleRepository, "companion", unconditional)
    monkeypatch.setattr(ticking, "tick_key", lambda _id, _at: str(next(numbers)))
    with pytest.raises(AssertionError, match="none is doubled"):
        test_a_year_of_ticks_is_that_of_the_policy_and_none_is_doubled("UTC", seed)
