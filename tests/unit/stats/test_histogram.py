"""Histograms: the error of percentiles, and adding them up."""

import math
import random

import pytest

from domain.stats.histogram import MAX_BUCKET, RELATIVE_ERROR, Histogram, added, histogram_of, percentile

SHARES = (0.0, 0.01, 0.5, 0.9, 0.95, 0.99, 1.0)


@pytest.mark.parametrize("seed", range(40))
def test_percentiles_are_within_the_stated_error(seed: int) -> None:
    rng = random.Random(seed)
    durations = sorted(rng.lognormvariate(rng.uniform(-2, 12), rng.uniform(0, 4)) for _ in range(rng.randint(1, 500)))
    histogram = histogram_of(durations)
    for share in SHARES:
        true, found = durations[max(0, math.ceil(share * len(durations)) - 1)], percentile(histogram, share)
        assert found is not None
        assert abs(found - true) <= max(RELATIVE_ERROR * true * 1.000001, 1.0), (share, true, found)


def test_histograms_add_up_without_loss() -> None:
    one, other = [0.2, 5, 17.5, 90_000], [5, 5.1, 3]
    both = added([histogram_of(one), histogram_of(other)])
    assert both == histogram_of(one + other)
    assert (both.count, both.total_ms) == (7, 90_036)
    assert added([]) == Histogram()


def test_without_durations_there_is_no_percentile() -> None:
    assert percentile(Histogram(), 0.5) is None


def test_impossible_durations_stay_within_the_buckets() -> None:
    assert histogram_of([-5.0]) == Histogram(counts={0: 1}, total_ms=0)
    assert set(histogram_of([1e15]).counts) == {MAX_BUCKET}
