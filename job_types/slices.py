"""Runs a computation on the event loop in short slices, between other jobs, without a thread (docs/decisions/011)."""

import asyncio
from collections.abc import Generator
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""A computation that yields wherever it may be paused, every few milliseconds, and returns its value."""

SLICE_SECONDS = 0.01
"""How long a computation may hold the event loop before other tasks run."""


async def in_slices(steps: Steps[T]) -> T:
    """Run `steps` and return its value. Work shorter than a slice never pauses, so it costs no more than a call."""
    ends = perf_counter() + SLICE_SECONDS
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            value: T = finished.value
            return value
        if perf_counter() >= ends:
            await asyncio.sleep(0)
            ends = perf_counter() + SLICE_SECONDS


def at_once(steps: Steps[T]) -> T:
    """Run `steps` without pausing and return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            value: T = finished.value
            return value
