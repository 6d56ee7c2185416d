"""Statistics on the local stack: the real recorder counts what real jobs come to."""

import json
import time

import httpx
from pydantic import JsonValue

from tests.e2e.conftest import Cli, submit, wait

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
    assert f"  {KIND}  " in shown
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
