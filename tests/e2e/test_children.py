"""Parents and children on the stack as a person starts it, with a recorder and workers that are killed."""

import json
import os
import random
import signal
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Stack

CODE = '''
    import asyncio
    from datetime import timedelta

    from pydantic import BaseModel

    from headrace import Backoff, Fail, JobContext, job_type


    class Page(BaseModel):
        n: int
        torn: int = -1
        seconds: float = 0


    class Thumb(BaseModel):
        n: int


    class Book(BaseModel):
        pages: int
        torn: int = -1
        seconds: float = 0


    class Made(BaseModel):
        total: int


    @job_type("image.thumb", timeout=timedelta(seconds=4), max_attempts=20, backoff=Backoff(cap=timedelta(seconds=1)))
    async def thumb(page: Page, context: JobContext) -> Thumb | Fail:
        """Make a thumb."""
        if page.seconds:
            await context.sleep("long", timedelta(seconds=page.seconds))
        if page.n == page.torn and not context.settings.get("MENDED"):
            return Fail(reason="torn", code="torn")
        return Thumb(n=page.n)


    @job_type("book.make", timeout=timedelta(seconds=8), max_attempts=20, backoff=Backoff(cap=timedelta(seconds=1)))
    async def make(book: Book, context: JobContext) -> Made:
        """Make all thumbs."""
        pages = [Page(n=n, torn=book.torn, seconds=book.seconds) for n in range(book.pages)]
        made = await context.map("thumbs", "image.thumb", pages, returns=Thumb)
        return Made(total=sum(each.n for each in made))


    JOB_TYPES = (thumb, make)
'''
CHILDREN = int(os.environ.get("CHILDREN", "60"))
"""At full size ten thousand: `CHILDREN=10000 CHILDREN_KILLS=60 pytest -s tests/e2e/test_children.py`, which prints how
many end a second, and the memory of worker and API before and after."""
KILLS = int(os.environ.get("CHILDREN_KILLS", "6"))
PATIENCE = 120 + CHILDREN / 10


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("press")
    (folder / "press").mkdir()
    (folder / "press" / "__init__.py").write_text(textwrap.dedent(CODE))
    stack = Stack(folder, "--no-reload", environment={"JOB_TYPES": "press"})
    yield stack
    assert stack.stop() == 0


def submitted(client: httpx.Client, **payload: object) -> str:
    answer = client.post("/v1/jobs", json={"type": "book.make", "payload": payload}).raise_for_status()
    return str(answer.json()["id"])


def ended(client: httpx.Client, job_id: str) -> dict[str, object]:
    ends = time.monotonic() + PATIENCE
    while True:
        with suppress(httpx.TransportError):
            job: dict[str, object] = client.get(f"/v1/jobs/{job_id}").raise_for_status().json()
            if job["status"] in {"succeeded", "failed", "cancelled"}:
                return job
        assert time.monotonic() < ends, job
        time.sleep(0.2)


def statuses(client: httpx.Client, type: str) -> Counter[str]:
    found: Counter[str] = Counter()
    query = {"type": type, "limit": "100"}
    while True:
        page = client.get("/v1/jobs", params=query).raise_for_status().json()
        found.update(job["status"] for job in page["items"])
        if page["next"] is None:
            return found
        query["cursor"] = page["next"]


def test_all_children_end_once_and_the_parent_wakes_although_functions_are_killed(press: Stack) -> None:
    killer = threading.Thread(target=kill_functions, args=(press, random.Random(7)))
    with press.client() as client:
        ended(client, submitted(client, pages=1))
        before, began = peaks(press), time.monotonic()
        job_id = submitted(client, pages=CHILDREN)
        killer.start()
        job = ended(client, job_id)
        seconds = time.monotonic() - began
        killer.join()
        print(f"{CHILDREN} children, {CHILDREN / seconds:.0f} a second; peak MB {before}, then {peaks(press)}")  # noqa: T201
        assert (job["status"], job["result"]) == ("succeeded", {"total": CHILDREN * (CHILDREN - 1) // 2})
        assert statuses(client, "image.thumb") == {"succeeded": CHILDREN + 1}
        history = job["history"]
        assert isinstance(history, list)
        # Not at all where its first attempt was killed before it slept and the second found all children ended.
        assert [entry["status"] for entry in history].count("waiting") <= 1, "it was woken once"


def peaks(press: Stack) -> dict[str, int]:
    """Of each function, the most megabytes that one of its present processes has held."""
    return {
        name: max((peak_of(pid) for pid in press.environments(name)), default=0)
        for name in ("WorkerFunction", "ApiFunction")
    }


def peak_of(pid: int) -> int:
    """VmHWM in megabytes; 0 for a process that has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)
    return 0


def kill_functions(press: Stack, chance: random.Random) -> None:
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.2, 1.0))
        for function in ("WorkerFunction", "RecorderFunction"):
            with suppress(ProcessLookupError):  # One may end while its environment is read.
                for pid in press.environments(function)[chance.randrange(2) :: 2]:
                    os.kill(pid, signal.SIGKILL)


def test_a_failed_child_fails_its_parent_and_a_cancel_reaches_the_children(press: Stack) -> None:
    with press.client() as client:
        before = statuses(client, "image.thumb")
        torn = ended(client, submitted(client, pages=3, torn=1))
        assert torn["status"] == "failed"
        assert isinstance(torn["error"], dict)
        assert torn["error"]["code"] == "child_failed"
        assert torn["attempt"] == 1
        job_id = submitted(client, pages=5, seconds=600)
        ends = time.monotonic() + 60
        while statuses(client, "image.thumb")["waiting"] < 5:
            assert time.monotonic() < ends
            time.sleep(0.2)
        press.cli.ok("cancel", job_id)
        ends = time.monotonic() + 60
        while (found := statuses(client, "image.thumb") - before)["cancelled"] < 5:
            assert time.monotonic() < ends, found
            time.sleep(0.2)
        assert json.loads(press.cli.ok("get", job_id, "--json"))["status"] == "cancelled"
