"""Each change is delivered under one id, although the receiver fails and functions are killed: the small size."""

from tests.reliability.webhooks import is_sound, measure


async def test_each_change_is_delivered_under_one_id_and_signed() -> None:
    result = await measure(12)
    assert is_sound(result, 12), result
