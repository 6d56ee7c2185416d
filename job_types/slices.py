"""Lets a computation share the event loop with the other jobs of its batch, without a thread (docs/decisions/011)."""

import asyncio
from collections.abc import Generator
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""A computation that yields wherever it may be paused and returns its value; a step takes milliseconds."""

SLICE_SECONDS = 0.01
"""How long a computation keeps the event loop before others get their turn."""


async def in_slices(steps: Steps[T]) -> T:
    """The value of `steps`. Work of less than a slice never gives the loop up, so it costs no more than a call."""
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
    """The value of `steps`, computed without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            value: T = finished.value
            return value
