"""Statistics count each change once, whatever dies, in a database; on the fake: tests/unit/stats/test_exactness.py."""

from datetime import datetime, timedelta

import pytest

from domain.stats.repository import StatsRepository
from persistence.dynamodb.repositories.stats_repository import DynamoStatsRepository
from tests.unit.stats.exactness import proven

# Times that no other test has: they share the tables.
BEGIN = datetime.fromisoformat("2035-01-01T10:57:00+00:00")


@pytest.fixture(params=["moto", "ministack"])
def stats(request: pytest.FixtureRequest) -> StatsRepository:
    return DynamoStatsRepository(request.getfixturevalue(f"{request.param}_client"), "StatsTable")


@pytest.mark.parametrize("seed", range(4))
async def test_each_change_counts_once_whatever_dies(stats: StatsRepository, seed: int) -> None:
    await proven(stats, seed, BEGIN + timedelta(days=70 * seed), size=60)
