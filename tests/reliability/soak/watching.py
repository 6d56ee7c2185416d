"""Memory and open descriptors of the stack's processes, from /proc."""

import asyncio
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from headrace.authoring.frozen import Frozen
from tests.reliability.webhooks import function_processes

EVERY = 10.0
"""Seconds between two samples."""
STACK = "gateway, event source mappings and this program"
GROWTH, MEGABYTES, DESCRIPTORS = 1.15, 12.0, 12
"""What memory may grow by, as a factor and beyond it, and how many descriptors more are not taken for a leak."""


class Sample(Frozen):
    """The largest process of a function at one moment."""

    at: float
    """Seconds from the beginning."""
    megabytes: float
    """Resident."""
    descriptors: int


class Trend(Frozen):
    """Medians of early and late samples: of the second fifth of the time, and of the last."""

    early: Sample
    late: Sample

    @property
    def is_flat(self) -> bool:
        """Whether nothing grows beyond what chance makes."""
        memory = self.late.megabytes <= self.early.megabytes * GROWTH + MEGABYTES
        return memory and self.late.descriptors <= self.early.descriptors + DESCRIPTORS


class Watch:
    """Samples until it is cancelled."""

    def __init__(self) -> None:
        self._samples: dict[str, list[Sample]] = defaultdict(list)

    async def run(self) -> None:
        """Take a sample of each process now and then."""
        began = time.monotonic()
        while True:
            largest: dict[str, Sample] = {}
            for name, pid in processes():
                with suppress(OSError):
                    sample = _sample(pid, time.monotonic() - began)
                    largest[name] = max(sample, largest.get(name, sample), key=lambda each: each.megabytes)
            for name, sample in largest.items():
                self._samples[name].append(sample)
            await asyncio.sleep(EVERY)

    def trends(self, seconds: float) -> dict[str, Trend]:
        """How each function's largest process grew in so many seconds; none of those with too few samples."""
        trends = {}
        for name, samples in sorted(self._samples.items()):
            early = [each for each in samples if seconds / 5 <= each.at < seconds * 2 / 5]
            late = [each for each in samples if seconds * 4 / 5 <= each.at < seconds]
            if early and late:
                trends[name] = Trend(early=_median(early), late=_median(late))
        return trends


def processes() -> Iterator[tuple[str, int]]:
    """Names and ids of the processes of functions, and of this one."""
    yield STACK, os.getpid()
    for pid in function_processes():
        with suppress(OSError):
            variables = (Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0")
            names = [each.partition(b"=")[2] for each in variables if each.startswith(b"AWS_LAMBDA_FUNCTION_NAME=")]
            if names:
                yield names[0].decode(), pid


def _sample(pid: int, at: float) -> Sample:
    process = Path("/proc") / str(pid)
    pages = int((process / "statm").read_text().split()[1])
    descriptors = len(list((process / "fd").iterdir()))
    return Sample(at=at, megabytes=pages * os.sysconf("SC_PAGE_SIZE") / 2**20, descriptors=descriptors)


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        at=statistics.median(each.at for each in samples),
        megabytes=statistics.median(each.megabytes for each in samples),
        descriptors=round(statistics.median(each.descriptors for each in samples)),
    )
