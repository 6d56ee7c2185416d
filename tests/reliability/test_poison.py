"""Whatever a job does to its process, other jobs succeed and it ends `failed` with a reason."""

from tests.reliability.__main__ import POISON
from tests.reliability.poison import EXPECTED, UNDECODABLE, survive


async def test_poison_jobs_fail_with_their_reasons_and_other_jobs_succeed() -> None:
    survived = await survive()
    assert survived.ended == EXPECTED
    assert set(POISON) == set(EXPECTED), "the report describes each"
    assert survived.dead_letter >= len(UNDECODABLE)
