"""Statistics count each change once, whatever dies; on databases: tests/contract/test_statistics_are_exact.py."""

from datetime import datetime, timedelta

import pytest

from tests.fakes.stats_repository import FakeStatsRepository
from tests.unit.stats.exactness import proven

MIDNIGHT = datetime.fromisoformat("2026-11-28T00:00:00+00:00")


@pytest.mark.parametrize("seed", range(25))
async def test_each_change_counts_once_whatever_dies(seed: int) -> None:
    await proven(FakeStatsRepository(), seed, MIDNIGHT - (60 + 7 * seed) * timedelta(minutes=1))
