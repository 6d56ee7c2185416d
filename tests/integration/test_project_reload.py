"""What a running stack does when `headrace.toml` changes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.test_reload import RELOAD_SECONDS, Reloaded, returned


@pytest.fixture
async def of_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reloaded]:
    """In a folder with a `headrace.toml`, which the stack has been started with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JOB_TYPES", raising=False)
    (tmp_path / "headrace.toml").write_text(PROJECT)
    reloaded = Reloaded(tmp_path)
    reloaded.write("import os\n\ndef handler(event, context):\n    return os.environ.get('SHOP_KEY')\n")
    watching = await reloaded.start()
    await asyncio.sleep(0.2)
    yield reloaded
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await reloaded.pool.stop()


FOR_AWS = (
    "headrace.toml changed: rights, parameters and values without a default count on AWS alone; nothing restarts here"
)
PROJECT = """job_types = "shop"

[environment]
SHOP_KEY = "first"
"""


async def test_a_changed_variable_of_the_project_is_used_from_the_next_invocation_on(of_project: Reloaded) -> None:
    (of_project.file.parent / "headrace.toml").write_text(PROJECT.replace("first", "second"))
    async with asyncio.timeout(RELOAD_SECONDS):
        assert (await of_project.told.lines.get()).startswith("reloaded: headrace.toml (")
        assert returned(await of_project.pool.invoke({})) == "second"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PROJECT.replace('"shop"', '"store"'),
         "headrace.toml: the job types are those of store now: restart `headrace dev` to run them"),
        (PROJECT + '[[rights]]\nactions = ["s3:GetObject"]\nresources = ["*"]\n',
         FOR_AWS),
        ("# A note\n" + PROJECT, "headrace.toml changed, but no setting in it"),
    ],
    ids=["job types", "rights", "a comment"],
)  # fmt: skip
async def test_a_change_that_the_running_stack_cannot_take_over_says_so(
    of_project: Reloaded, text: str, told: str
) -> None:
    (of_project.file.parent / "headrace.toml").write_text(text)
    async with asyncio.timeout(RELOAD_SECONDS):
        assert await of_project.told.lines.get() == told


async def test_a_broken_file_of_the_project_is_told_and_the_one_before_stays_in_use(of_project: Reloaded) -> None:
    file = of_project.file.parent / "headrace.toml"
    file.write_text("job_types = ")
    async with asyncio.timeout(RELOAD_SECONDS):
        told = await of_project.told.problems.get()
        assert told.startswith(f"{file} is not TOML: ")
        assert told.endswith("; what it said before stays in use")
        file.write_text(PROJECT.replace("first", "mended"))
        await of_project.told.lines.get()
        assert returned(await of_project.pool.invoke({})) == "mended"


async def test_job_types_that_are_named_again_need_no_restart(of_project: Reloaded) -> None:
    file = of_project.file.parent / "headrace.toml"
    file.write_text(PROJECT.replace('"shop"', '"store"'))
    async with asyncio.timeout(RELOAD_SECONDS):
        await of_project.told.lines.get()
        file.write_text(PROJECT)
        assert await of_project.told.lines.get() == "headrace.toml: the job types are again those that run"
