"""What a cancelled transaction means, by the reasons that no local database gives."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError

from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused, VersionConflict
from domain.results import StorageUnavailable
from persistence.converters.dynamo_to_domain import job_to_item
from persistence.dynamodb.repositories.job_repository import DynamoJobRepository
from persistence.dynamodb.transactions import MAX_CONFLICTS
from tests.companions import COMPANION_TABLES, taken
from tests.factories import claimed, queued

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

NONE, REFUSED, CONFLICT = "None", "ConditionalCheckFailed", "TransactionConflict"
WRITE_ID = "write-1"


class Database:
    """Answers each transaction with the next codes, and the last ones for ever; `()` commits."""

    def __init__(
        self, *answers: Sequence[str], standing: Job | None = None, write_id: str = "another", refused: str = ""
    ) -> None:
        self._answers = list(answers)
        self._item = job_to_item(standing, write_id) if standing else None
        self._refused = refused
        self.calls = 0

    async def __call__(self) -> "DynamoDBClient":
        return cast("DynamoDBClient", self)

    async def transact_write_items(self, **_request: object) -> Mapping[str, object]:
        self.calls += 1
        if self._refused:
            raise ClientError({"Error": {"Code": self._refused, "Message": "no"}}, "TransactWriteItems")
        codes = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not codes:
            return {}
        reasons = [{"Code": code} for code in codes]
        if codes[0] == REFUSED and self._item is not None:
            reasons[0]["Item"] = cast("str", self._item)
        error = {"Error": {"Code": "TransactionCanceledException", "Message": "no"}, "CancellationReasons": reasons}
        raise ClientError(error, "TransactWriteItems")  # type: ignore[arg-type]  # the stub knows no reasons


JOB = queued(id="job-1")
CLAIM = claimed(JOB)


async def answer_of(database: Database) -> object:
    jobs = DynamoJobRepository(database, "jobs", lambda: WRITE_ID, COMPANION_TABLES)
    return await jobs.replace(Change(CLAIM, (taken("a", JOB), taken("b", JOB))), JOB.version)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((NONE, NONE, REFUSED), CompanionRefused(job_id="job-1", index=1)),
        ((NONE, REFUSED, REFUSED), CompanionRefused(job_id="job-1", index=0)),
        ((NONE, REFUSED, CONFLICT), CompanionRefused(job_id="job-1", index=0)),
        ((NONE, CONFLICT, REFUSED), CompanionRefused(job_id="job-1", index=1)),
        ((REFUSED, REFUSED, NONE), VersionConflict(job_id="job-1", current=None)),
        ((REFUSED, "ThrottlingError", NONE), VersionConflict(job_id="job-1", current=None)),
        (("ThrottlingError", REFUSED, NONE), "throttled"),
        (("ThrottlingError", NONE, NONE), "throttled"),
        ((NONE, "ProvisionedThroughputExceeded", NONE), "throttled"),
        ((NONE, "ItemCollectionSizeLimitExceeded", NONE), "rejected"),
        ((NONE, "ValidationError", "ThrottlingError"), "rejected"),
        (("Unheard", REFUSED, NONE), "rejected"),
    ],
    ids=repr,
)
async def test_a_cancellation_is_told_by_its_reasons_and_not_tried_again(
    codes: tuple[str, ...], expected: object
) -> None:
    database = Database(codes)
    answer = await answer_of(database)
    assert database.calls == 1
    if isinstance(answer, StorageUnavailable):
        assert answer.reason == expected
        assert NONE not in answer.detail
    else:
        assert answer == expected


@pytest.mark.parametrize(
    ("code", "reason"), [("ThrottlingException", "throttled"), ("ValidationException", "rejected")]
)
async def test_a_transaction_that_is_refused_whole_has_no_reasons(code: str, reason: str) -> None:
    answer = await answer_of(Database((), refused=code))
    assert answer == StorageUnavailable(reason=reason, detail=code)


async def test_a_conflict_with_another_transaction_is_tried_again() -> None:
    database = Database((NONE, CONFLICT, NONE), (CONFLICT, NONE, NONE), ())
    assert await answer_of(database) == CLAIM
    assert database.calls == 3


async def test_a_conflict_that_does_not_end_is_throttling() -> None:
    database = Database((NONE, CONFLICT, NONE))
    assert await answer_of(database) == StorageUnavailable(reason="throttled", detail="TransactionConflict")
    assert database.calls == MAX_CONFLICTS


async def test_the_calls_own_write_in_the_way_is_success() -> None:
    assert await answer_of(Database((REFUSED, REFUSED, NONE), standing=CLAIM, write_id=WRITE_ID)) == CLAIM


async def test_anothers_write_in_the_way_is_a_conflict() -> None:
    other = claimed(JOB).model_copy(update={"owner_id": "somebody"})
    answer = await answer_of(Database((REFUSED, REFUSED, NONE), standing=other))
    assert answer == VersionConflict(job_id="job-1", current=other)
