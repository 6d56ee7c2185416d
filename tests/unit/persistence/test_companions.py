"""The limits of a transaction, to the byte; what its writes do is in `tests/contract/test_companions.py`."""

import pytest

from domain.jobs.change import Companion, Delete, Put
from domain.results import StorageUnavailable
from persistence.converters.attributes import MAX_ITEM_BYTES, item_size
from persistence.converters.companions import MAX_TRANSACTION_BYTES, companion_writes, item_of
from tests.companions import COMPANION_TABLES, TABLE, place


def of_size(number: int, size: int) -> Put:
    """A put of an item of exactly so many bytes."""
    empty = Put(table=TABLE, key=place("lane", number), values={"text": ""})
    return Put(table=TABLE, key=empty.key, values={"text": "x" * (size - item_size(item_of(empty)))})


def is_accepted(*companions: Companion, job_bytes: int = 0) -> bool:
    writes = companion_writes(companions, COMPANION_TABLES, job_bytes)
    assert isinstance(writes, list) or writes.reason == "rejected"
    return not isinstance(writes, StorageUnavailable)


def test_an_item_has_at_most_400_kb() -> None:
    assert is_accepted(of_size(0, MAX_ITEM_BYTES))
    assert not is_accepted(of_size(0, MAX_ITEM_BYTES + 1))


@pytest.mark.parametrize("job_bytes", [0, 1000])
def test_a_transaction_has_at_most_4_mb_with_its_job(job_bytes: int) -> None:
    last = MAX_TRANSACTION_BYTES - 10 * MAX_ITEM_BYTES - job_bytes
    ten = tuple(of_size(number, MAX_ITEM_BYTES) for number in range(10))
    assert is_accepted(*ten, of_size(10, last), job_bytes=job_bytes)
    assert not is_accepted(*ten, of_size(10, last + 1), job_bytes=job_bytes)


def test_what_is_deleted_has_no_size() -> None:
    assert is_accepted(*(Delete(table=TABLE, key=place("lane", number)) for number in range(90)))


def test_keys_that_differ_in_their_type_alone_are_two_items() -> None:
    assert is_accepted(Delete(table=TABLE, key={"id": "1"}), Delete(table=TABLE, key={"id": 1}))
    assert not is_accepted(Delete(table=TABLE, key={"a": 1, "b": 2}), Delete(table=TABLE, key={"b": 2, "a": 1}))
