"""The saved state of the embedded database is checked before MiniStack starts, because it would overwrite it."""

from pathlib import Path

import pytest

from headrace.emulator.database import StackError, embedded_database


@pytest.mark.parametrize("content", ["garbage", "", '{"tables": '])
async def test_a_state_that_cannot_be_loaded_is_reported_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    state = tmp_path / "database"
    state.mkdir()
    (state / "dynamodb.json").write_text(content)
    with pytest.raises(StackError, match=r"dynamodb.json is not what it saved.*--fresh"):
        async with embedded_database(state, tmp_path / "log"):
            pass
    assert (state / "dynamodb.json").read_text() == content


async def test_a_state_that_is_not_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "database").write_text("")
    with pytest.raises(StackError, match=r"The database cannot be read: .*database: Not a directory"):
        async with embedded_database(tmp_path / "database", tmp_path / "log"):
            pass
