"""Statistics count each change once, whatever dies: on the fake, and in a database."""

from datetime import datetime, timedelta

import pytest

from domain.stats.repository import StatsRepository
from persistence.dynamodb.repositories.stats_repository import DynamoStatsRepository
from tests.fakes.stats_repository import FakeStatsRepository
from tests.unit.stats.exactness import proven

MIDNIGHT = datetime.fromisoformat("2026-11-28T00:00:00+00:00")
# Times that no other test has: they share the tables.
BEGIN = datetime.fromisoformat("2035-01-01T10:57:00+00:00")


@pytest.fixture(params=["moto", "ministack"])
def stats(request: pytest.FixtureRequest) -> StatsRepository:
    return DynamoStatsRepository(request.getfixturevalue(f"{request.param}_client"), "StatsTable")


@pytest.mark.parametrize("seed", range(25))
async def test_each_change_counts_once_whatever_dies(seed: int) -> None:
    await proven(FakeStatsRepository(), seed, MIDNIGHT - (60 + 7 * seed) * timedelta(minutes=1))


@pytest.mark.parametrize("seed", range(4))
async def test_each_change_counts_once_in_a_database_whatever_dies(stats: StatsRepository, seed: int) -> None:
    await proven(stats, seed, BEGIN + timedelta(days=70 * seed), size=60)
