"""Histograms of durations: logarithmic buckets, so that a percentile has a bounded relative error.

The buckets are those of DDSketch (Masson, Rim and Lee, 2019): bucket `i` holds the durations from GAMMA^(i-1)
milliseconds, exclusive, to GAMMA^i, inclusive. Histograms add up without any loss.
"""

import math
from collections.abc import Iterable
from typing import Final

from pydantic import Field

from headrace.authoring.frozen import Frozen

RELATIVE_ERROR: Final = 0.05
"""A percentile lies within this share of the duration that has this rank; or within a millisecond, below one."""

GAMMA: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
MAX_BUCKET: Final = 260
"""Some six years: longer durations count as that."""


class Histogram(Frozen):
    """How many durations lie in each bucket, and the sum of all."""

    counts: dict[int, int] = Field(default_factory=dict)
    """By bucket; a bucket without durations is absent. Bucket 0 ends at one millisecond."""
    total_ms: int = 0

    @property
    def count(self) -> int:
        """How many durations there are."""
        return sum(self.counts.values())


def histogram_of(durations_ms: Iterable[float]) -> Histogram:
    """The histogram of some durations in milliseconds; negative ones (two clocks) count as none."""
    counts: dict[int, int] = {}
    total = 0
    for duration in durations_ms:
        bucket = _bucket(duration)
        counts[bucket] = counts.get(bucket, 0) + 1
        total += round(max(duration, 0.0))
    return Histogram(counts=counts, total_ms=total)


def added(parts: Iterable[Histogram]) -> Histogram:
    """The histogram of all durations of all parts."""
    counts: dict[int, int] = {}
    total = 0
    for part in parts:
        total += part.total_ms
        for bucket, count in part.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
    return Histogram(counts=counts, total_ms=total)


def percentile(histogram: Histogram, share: float) -> float | None:
    """The duration in milliseconds that `share` (0 to 1) of them do not pass; None when there are none."""
    rank = math.ceil(share * histogram.count)
    seen = 0
    for bucket, count in sorted(histogram.counts.items()):
        seen += count
        if seen >= rank:
            return 2 * GAMMA**bucket / (GAMMA + 1) if bucket else 0.5
    return None


def _bucket(duration_ms: float) -> int:
    if duration_ms <= 1:
        return 0
    return min(MAX_BUCKET, math.ceil(math.log(duration_ms, GAMMA)))
