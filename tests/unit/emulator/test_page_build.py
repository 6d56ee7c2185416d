"""An open page of the local stack learns that it was built anew."""

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from headrace.emulator.page_build import PATH, build_routes


async def asked(folder: Path, *, watched: bool = True) -> tuple[int, str]:
    application = web.Application()
    application.add_routes(build_routes(watched=watched, sources=folder, document=folder / "index.html.gz"))
    async with TestClient(TestServer(application)) as client, client.get(PATH) as answer:
        return answer.status, await answer.text()


async def test_another_build_has_another_digest_and_a_missing_one_none(tmp_path: Path) -> None:
    assert await asked(tmp_path) == (200, "")
    (tmp_path / "index.html.gz").write_bytes(b"one")
    _, one = await asked(tmp_path)
    assert await asked(tmp_path) == (200, one)
    (tmp_path / "index.html.gz").write_bytes(b"other")
    assert await asked(tmp_path) != (200, one)


@pytest.mark.parametrize("watched", [True, False])
async def test_where_nobody_changes_the_page_there_is_nothing_to_ask_for(tmp_path: Path, *, watched: bool) -> None:
    folder = tmp_path / "no sources" if watched else tmp_path
    assert await asked(folder, watched=watched) == (204, "")
