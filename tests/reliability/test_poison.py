"""Whatever a job does to its process, its neighbours succeed and it ends `failed` with its reason."""

from tests.reliability.poison import EXPECTED, UNDECODABLE, survive


async def test_poison_ends_with_its_reason_and_its_neighbours_succeed() -> None:
    survived = await survive()
    assert survived.ended == EXPECTED
    assert survived.dead_letter >= len(UNDECODABLE)
