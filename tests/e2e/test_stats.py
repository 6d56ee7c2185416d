"""Statistics on the local stack: the real recorder counts what real jobs come to."""

import json
import os
import signal
import time
from pathlib import Path

import httpx
from pydantic import JsonValue

from tests.e2e.conftest import Cli, Stack, submit, wait

KIND = "csv.profile"


def counts(cli: Cli, type: str = KIND) -> dict[str, int]:
    report: dict[str, JsonValue] = json.loads(cli.ok("stats", "--type", type, "--json"))
    found = report["counts"]
    assert isinstance(found, dict)
    return {outcome: count for outcome, count in found.items() if isinstance(count, int)}


def test_what_jobs_come_to_is_counted_once(cli: Cli, api: httpx.Client) -> None:
    before = counts(cli)
    done = [submit(api) for _ in range(12)]
    for job in done:
        assert wait(api, job["id"])["status"] == "succeeded"
    later = submit(api, delay_seconds=3600)
    api.post(f"/v1/jobs/{later['id']}/cancel").raise_for_status()
    wanted = {**before, "succeeded": before["succeeded"] + 12, "cancelled": before["cancelled"] + 1}
    ends = time.monotonic() + 30
    while counts(cli) != wanted and time.monotonic() < ends:
        time.sleep(1)
    assert counts(cli) == wanted
    shown = cli.ok("stats", "--window", "24h", "--type", KIND)
    assert f"  {KIND}\n" in shown
    assert "running p50 " in shown
    assert cli.run("stats", "--as", "nobody@example.com").returncode == 6


def test_what_is_unfinished_is_counted_and_a_job_has_a_cost(cli: Cli, api: httpx.Client) -> None:
    job = submit(api, delay_seconds=3600)
    report = api.get("/v1/stats", params={"window": "30d"}).json()
    assert report["unfinished"]["exact"]
    assert report["unfinished"]["by_status"]["scheduled"] >= 1
    assert "unfinished " in cli.ok("stats")
    assert cli.ok("cost", str(job["id"])).startswith("$0.00000")
    assert cli.run("cost", "gone").returncode == 3
    api.post(f"/v1/jobs/{job['id']}/cancel").raise_for_status()


def test_a_recorder_that_is_killed_again_and_again_counts_each_job_once(tmp_path: Path) -> None:
    stack, seen, jobs = Stack(tmp_path, "--verbose"), set[int](), list[object]()
    try:
        with stack.client() as api:
            ends = time.monotonic() + 300  # Each starts anew, on a machine that may be busy.
            while len(seen) < 4 and time.monotonic() < ends:
                jobs += [submit(api)["id"] for _ in range(3)]
                running = stack.environments("RecorderFunction")
                seen.update(running)
                # One that dies before it is ready is taken for code that cannot start.
                started = (tmp_path / "stderr").read_text().count("RecorderFunction started environment")
                for pid in running if started >= len(seen) else ():
                    os.kill(pid, signal.SIGKILL)
            assert {wait(api, job)["status"] for job in jobs} == {"succeeded"}
            ends = time.monotonic() + 60
            while counts(stack.cli)["succeeded"] < len(jobs) and time.monotonic() < ends:
                time.sleep(1)
            time.sleep(2)
            assert (counts(stack.cli)["succeeded"], len(seen)) == (len(jobs), 4)
    finally:
        stack.stop()
