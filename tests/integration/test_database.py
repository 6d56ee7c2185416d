"""The embedded database."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from domain.jobs.change import Change
from domain.jobs.job import Job
from functions.runtime import LazyClient, LazyS3
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import EmbeddedDatabase, StackError, embedded_database, remove_state
from headrace.emulator.stack import _prepare_tables
from headrace.emulator.state import Folder
from headrace.emulator.tables import ensure_buckets, ensure_tables
from headrace.emulator.template import Stack
from persistence.s3.blob_store import S3BlobStore
from tests.conftest import BUCKET, job_repository_on, new_id
from tests.factories import NOW, queued

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import QueryInputTypeDef

PARENT = """
import asyncio, sys
from pathlib import Path
from headrace.emulator.database import embedded_database

async def main():
    async with embedded_database(None, Path(sys.argv[1])) as database:
        print(database.url, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_clean_stop_keeps_jobs_and_blobs_and_a_fresh_start_deletes_them(tmp_path: Path, stack: Stack) -> None:
    state, job = tmp_path / "state", queued(id=new_id())
    for expected in ("nothing", "the job", "nothing"):
        async with embedded_database(state, tmp_path / "log") as database:
            client = LazyClient(database.url)
            await ensure_tables(await client(), tuple(stack.tables.values()))
            jobs = job_repository_on(client)
            found = await jobs.get(job.id, NOW)
            assert isinstance(found, Job) is (expected == "the job")
            await jobs.add(Change(job), NOW)
            await client.close()
            s3 = LazyS3(database.url)
            await ensure_buckets(await s3(), stack.buckets)
            blobs = S3BlobStore(s3, BUCKET)
            assert isinstance(await blobs.get("jobs/one", 10), bytes) is (expected == "the job")
            await blobs.put("jobs/one", b"a document", "text/plain")
            await s3.close()
        if expected == "the job":
            remove_state(state)


@pytest.mark.parametrize(
    ("condition", "values", "holds"),
    [
        ("lane = :lane", {}, lambda text: True),
        ("lane = :lane AND #item >= :a", {":a": "place#3"}, lambda text: text >= "place#3"),
        ("lane = :lane AND #item < :a", {":a": "place#3"}, lambda text: text < "place#3"),
        ("lane = :lane AND #item = :a", {":a": "place#3"}, lambda text: text == "place#3"),
        ("lane = :lane AND #item BETWEEN :a AND :b", {":a": "a", ":b": "place#2"}, lambda text: text <= "place#2"),
        ("lane = :lane AND begins_with(#item, :a)", {":a": "s"}, lambda text: text.startswith("s")),
        ("lane = :lane AND begins_with(#item,:a)", {":a": "s"}, lambda text: text.startswith("s")),
    ],
)
async def test_key_conditions_that_are_parsed_once_select_the_same_each_time(
    ministack_client: LazyClient, condition: str, values: dict[str, str], holds: Callable[[str], bool]
) -> None:
    client, texts = await ministack_client(), ("place#1", "place#2", "place#3", "place#4", "settings")
    one, other = new_id(), new_id()
    for lane in (one, other):
        for text in texts:
            await client.put_item(TableName="LanesTable", Item={"lane": {"S": lane}, "item": {"S": text}})
    for lane in (one, one, other):
        query: QueryInputTypeDef = {
            "TableName": "LanesTable",
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": {":lane": {"S": lane}, **{name: {"S": values[name]} for name in values}},
        }
        if "#item" in condition:
            query["ExpressionAttributeNames"] = {"#item": "item"}
        answer = await client.query(**query)
        assert [item["item"]["S"] for item in answer["Items"]] == [text for text in texts if holds(text)]
        assert {item["lane"]["S"] for item in answer["Items"]} == {lane}


async def test_a_wrong_key_condition_is_refused_each_time(ministack_client: LazyClient) -> None:
    client = await ministack_client()
    for _ in range(2):
        with pytest.raises(ClientError, match="ValidationException"):
            await client.query(
                TableName="LanesTable",
                KeyConditionExpression="lane = :lane AND #item > :missing",
                ExpressionAttributeValues={":lane": {"S": "x"}},
            )


def test_it_listens_on_this_machine_only(ministack_url: str) -> None:
    port = int(ministack_url.rsplit(":", 1)[1])
    listening = Path("/proc/net/tcp").read_text().splitlines()[1:]
    local = [
        line.split()[1] for line in listening if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
    ]
    assert local == [f"0100007F:{port:04X}"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent_process(tmp_path: Path, number: signal.Signals) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert parent.stdout is not None
    port = int(parent.stdout.readline().strip().rsplit(":", 1)[1])
    parent.send_signal(number)
    parent.wait(10)
    parent.stdout.close()
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.1)
    pytest.fail("the database is still there")


async def test_a_disk_that_is_nearly_full_is_told_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1.2)"])  # noqa: ASYNC220 - it only forks
    database = EmbeddedDatabase("http://127.0.0.1:1", process, tmp_path / "log", lambda: 7_000_000)
    with pytest.raises(StackError, match="ended with code 0"):
        await database.watch()
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "has 7 MB left, so no more jobs and files are accepted; make room before you stop" in told


def test_a_disk_is_full_while_there_might_be_no_room_to_save_what_is_accepted(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    left = [7_000_000, 7_000_000_000]
    database = EmbeddedDatabase("http://127.0.0.1:1", process, tmp_path / "log", lambda: left.pop(0))
    assert [database.is_nearly_full(), database.is_nearly_full()] == [True, False]
    process.wait()


async def test_an_embedded_database_that_does_not_answer_is_not_blamed_on_an_option(
    tmp_path: Path, stack: Stack
) -> None:
    with pytest.raises(StackError, match=r"start it again if this machine was busy; see .*database\.log\.$"):
        await _prepare_tables(stack, "http://127.0.0.1:1", Folder(tmp_path))
