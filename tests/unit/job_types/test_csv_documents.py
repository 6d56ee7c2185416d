"""csv.profile on difficult documents: time, the event loop, the size of the result, shared state."""

import asyncio
import csv
import random
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise

import pytest

from domain.jobs.guard import MAX_RESULT_BYTES
from headrace.authoring.json_text import byte_length, to_json_text
from headrace.authoring.outcomes import Fail
from job_types.csv_profile import MAX_COLUMNS, MAX_PROFILE_BYTES, CsvDocument, CsvProfile, ProfileCsv, profile
from tests.fakes.context import FakeContext

LARGE = 256 * 1024
RANDOM = random.Random(1)
SECONDS = 3.0
"""At most about 0.4 s on an idle machine; superlinear time would take minutes."""


def column_of(cell: Callable[[int], str]) -> str:
    """Return one column, filled to the size of the largest document."""
    parts, size = ["a\n"], 2
    for number in count():
        line = f"{cell(number)}\n"
        size += len(line.encode())
        if size > LARGE:
            return "".join(parts)
        parts.append(line)
    return ""


def digits(places: int) -> str:
    return str(RANDOM.randrange(10 ** (places - 1), 10**places))


def table(columns: int, rows: int, name: Callable[[int], str], cell: str) -> str:
    header = ",".join(name(number) for number in range(columns))
    return "\n".join([header, *[",".join([cell] * columns)] * rows, ""])


HARD = {
    "one digit a cell": column_of(lambda number: str(number % 10)),
    "one cell of digits": "a\n" + "1" * (LARGE - 10) + "\n",
    "digits and a letter": "a\n" + "1" * (LARGE - 10) + "x\n",
    "16,000 digits and a letter": "a\n" + "1" * 16_000 + "x\n",
    "zeros and a one": "a\n" + "0" * 5000 + "1\n",
    "numbers of 300 digits": column_of(lambda _: digits(300)),
    "numbers of one hash": column_of(lambda number: str((number + 1) * (2**61 - 1))),
    "fractions of one hash": column_of(lambda number: f"{(number + 1) * (2**61 - 1)}.0"),
    "distinct integers in disorder": column_of(lambda _: str(RANDOM.randrange(10**5))),
    "integers and fractions": column_of(lambda number: f"{RANDOM.randrange(10**4)}{'.5' * (number % 2)}"),
    "exponents of every size": column_of(lambda number: f"{number % 10}e{RANDOM.randrange(-300, 300)}"),
    "exponents of 300 digits": column_of(lambda number: f"1e{'-' * (number % 2)}{'9' * 300}"),
    "distinct text": column_of(lambda number: f"z{number:x}"),
    "text with one beginning": column_of(lambda number: "z" * 250 + str(number)),
    "dates": column_of(lambda _: f"20{digits(2)}-1{RANDOM.randrange(3)}-{RANDOM.randrange(10, 28)}"),
    "times with offsets": column_of(lambda _: f"2012-01-2{digits(1)}T10:00:00.{digits(5)}+0{digits(1)}:30"),
    "times with long fractions": column_of(lambda number: f"2012-01-01T00:00:00.{'0' * 250}{number}"),
    "booleans": column_of(lambda number: "true" if number % 2 else "TRUE"),
    "white space": "a\n" + " " * (LARGE - 10) + "\n",
    "odd white space": column_of(lambda _: "\x1c1\x85"),
    "NUL": column_of(lambda number: "\0" * (number % 7 + 1)),
    "other digits": column_of(lambda _: "\u0661\u0662"),
    "byte order marks": "\ufeff" * (LARGE // 3),
    "lone carriage returns": "a\r" + "1\r" * (LARGE // 2 - 10),
    "blank lines": "a\n" + "\n" * (LARGE - 10),
    "quotes": 'a\n"' + '""' * (LARGE // 2 - 10) + '"\n',
    "quoted cells": column_of(lambda _: '""""'),
    "one quoted cell of many lines": 'a\n"' + "x\n" * (LARGE // 2 - 10) + '"\n',
    "a quote that does not end": 'a\n"' + "x" * (LARGE - 10),
    "40,000 columns": table(40_000, 0, str, ""),
    "5,000 columns": table(5000, 22, str, "1"),
    "500 columns of long names": table(500, 2, lambda number: f"{number}" + "\x01" * 200, "\x02" * 100),
    "500 columns of large numbers": table(500, 1, str, "9" * 300),
    "500 columns of emoji": table(500, 1, lambda number: f"{number}\U0001f600", "\U0001f600" * 100),
    "100 columns of long text": table(100, 5, str, "y" * 200),
    "a name of 140 KB": "n" * 140_000 + "\n1\n",
    "a name of control characters": "\x01" * 140_000 + "\n1\n",
}  # fmt: skip
MALFORMED = {"a quote that does not end"}


@pytest.mark.parametrize("kind", HARD)
async def test_a_hard_document_takes_little_time_and_its_profile_fits(kind: str) -> None:
    document = CsvDocument(csv=HARD[kind])
    started = time.process_time()
    result = await ProfileCsv().run(document, FakeContext())
    assert time.process_time() - started < SECONDS
    if kind in MALFORMED:
        assert isinstance(result, Fail)
        assert len(result.reason) < 200
        return
    assert isinstance(result, CsvProfile)
    assert byte_length(to_json_text(result.model_dump(mode="json"))) <= MAX_PROFILE_BYTES + 200 < MAX_RESULT_BYTES


@pytest.mark.parametrize(
    "kind", ["one digit a cell", "distinct integers in disorder", "distinct text", "5,000 columns"]
)
async def test_other_tasks_run_on_the_event_loop_meanwhile(kind: str) -> None:
    turns: list[float] = []
    done = asyncio.Event()

    async def neighbour() -> None:
        while not done.is_set():
            turns.append(time.process_time())
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(neighbour())
        await asyncio.sleep(0)
        await ProfileCsv().run(CsvDocument(csv=HARD[kind]), FakeContext())
        turns.append(time.process_time())
        done.set()
    assert max(later - earlier for earlier, later in pairwise(turns)) < 0.25


async def test_a_small_document_is_profiled_without_yielding() -> None:
    async def is_done_at_once() -> bool:
        task = asyncio.create_task(ProfileCsv().run(CsvDocument(csv="a,b\n1,x\n"), FakeContext()))
        await asyncio.sleep(0)
        at_once = task.done()
        await task
        return at_once

    # Now and then the machine itself pauses for longer than a slice.
    assert any([await is_done_at_once() for _ in range(20)])


def profiled(text: str) -> CsvProfile:
    result = profile(CsvDocument(csv=text))
    assert isinstance(result, CsvProfile)
    return result


def test_a_profile_reports_that_texts_were_cut() -> None:
    assert not profiled("a\n" + "x" * 200 + "\n").truncated
    assert profiled("a\n" + "x" * 201 + "\n").truncated
    assert profiled("x" * 201 + "\n1\n").truncated
    crowded = profiled(HARD["100 columns of long text"].replace("y", "é"))
    assert (len(crowded.columns), crowded.columns_omitted, crowded.truncated) == (100, 0, True)
    assert crowded.columns[0].max == "é" * 60


def test_a_profile_reports_how_many_columns_were_omitted() -> None:
    wide = profiled(table(MAX_COLUMNS + 7, 1, str, "1"))
    assert (len(wide.columns), wide.columns_omitted, wide.truncated) == (MAX_COLUMNS, 7, False)
    large = profiled(HARD["500 columns of large numbers"])
    assert 0 < len(large.columns) == 500 - large.columns_omitted < 500


@pytest.fixture
def limit() -> Iterator[int]:
    before = csv.field_size_limit()
    yield before
    csv.field_size_limit(before)


async def test_the_field_limit_of_other_readers_stays_as_it_is(limit: int) -> None:
    seen: set[int] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(csv.field_size_limit())
            time.sleep(0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert isinstance(await ProfileCsv().run(CsvDocument(csv=HARD["quotes"]), FakeContext()), CsvProfile)
        assert isinstance(await ProfileCsv().run(CsvDocument(csv=HARD["quoted cells"]), FakeContext()), CsvProfile)
    finally:
        done.set()
        watcher.join()
    assert seen == {limit}
    with pytest.raises(csv.Error, match="field larger"):
        list(csv.reader(["x" * (limit + 1)]))


def test_a_field_limit_that_another_sets_changes_no_profile(limit: int) -> None:
    csv.field_size_limit(2)
    assert profiled("a\n" + "x" * 1000 + "\n").rows == 1
    assert csv.field_size_limit() == 2 != limit
