"""Schedules on the local stack, by the command line."""

import json
import time
from datetime import datetime, timedelta

from pydantic import JsonValue

from tests.e2e.conftest import Cli

GOOD = '{"csv": "a\\n1\\n"}'


def jobs_of(cli: Cli, schedule_id: str) -> list[dict[str, JsonValue]]:
    items = json.loads(cli.ok("list", "--limit", "100", "--json"))["items"]
    return [job for job in items if job["tags"].get("schedule") == schedule_id]


def test_a_schedule_ticks_in_its_seconds_and_once_each(cli: Cli) -> None:
    made = json.loads(cli.ok("schedules", "create", "five", "csv.profile", "--every", "5", "--payload", GOOD, "--json"))
    ends = time.monotonic() + 40
    while len(jobs_of(cli, made["id"])) < 3 and time.monotonic() < ends:
        time.sleep(1)
    cli.ok("schedules", "pause", made["id"])
    jobs = jobs_of(cli, made["id"])
    ticks = [str(tags["tick"]) for job in jobs if isinstance(tags := job["tags"], dict)]
    assert len(ticks) == len(set(ticks)) >= 3
    late = [
        datetime.fromisoformat(str(job["created_at"])) - datetime.fromisoformat(tick)
        for job, tick in zip(jobs, ticks, strict=True)
    ]
    # The machine may be busy; docs/schedules.md has what was measured.
    assert all(timedelta(0) <= each < timedelta(seconds=10) for each in late)
    shown = json.loads(cli.ok("schedules", "get", made["id"], "--json"))
    assert (shown["paused"], shown["next"], shown["last"]["at"][:19] + "Z") == (True, [], max(ticks))
    cli.ok("schedules", "delete", made["id"])


def test_a_schedule_is_created_shown_changed_run_and_deleted(cli: Cli) -> None:
    create = ("schedules", "create", "nightly", "csv.profile", "--cron", "0 3 * * *", "--payload", GOOD, "--key", "s1")
    created = cli.ok(*create, "--timezone", "Europe/Oslo", "--overlap", "skip", "--tag", "a=b")
    schedule_id = created.split()[0]
    assert "nightly  csv.profile  [0 3 * * * Europe/Oslo]  next " in created
    assert created.count("next     ") == 5
    assert "policy   overlap skip, missed latest" in created
    again = cli.ok(*create, "--timezone", "Europe/Oslo", "--overlap", "skip", "--tag", "a=b")
    assert again.split()[0] == schedule_id
    assert cli.run(*create).returncode == 5, "the key is another schedule's"
    other = '{"csv": "b\\n"}'
    changed = cli.ok("schedules", "change", schedule_id, "--every", "3600", "--missed", "all", "--payload", other)
    assert "[every 3600 s]" in changed
    assert "missed all" in changed
    assert f"payload  {other}" in changed
    assert schedule_id in cli.ok("schedules", "list")
    assert "paused (requested)" in cli.ok("schedules", "pause", schedule_id)
    assert "queued" in cli.ok("schedules", "run", schedule_id)
    assert "next " in cli.ok("schedules", "resume", schedule_id)
    assert cli.ok("schedules", "delete", schedule_id) == "deleted"
    for command in ("get", "pause", "resume", "run", "delete"):
        assert cli.run("schedules", command, schedule_id).returncode == 3


def test_what_cannot_be_is_refused_with_its_place(cli: Cli) -> None:
    create = ("schedules", "create", "x", "csv.profile", "--payload", GOOD)
    assert cli.run(*create).returncode == 2
    assert cli.run(*create, "--every", "4").returncode == 2
    refused = cli.run(*create, "--cron", "0 25 * * *")
    assert refused.returncode == 5
    assert "/cron: the hour '25' at character 3 is not valid" in refused.stderr
    assert cli.run("schedules", "create", "x", "gone", "--every", "60", "--payload", GOOD).returncode == 5
    assert cli.run("schedules", "change", "x").returncode == 2
    assert cli.ok("schedules", "preview", "--every", "60", "--count", "3").count("Z") == 3
    assert cli.run("schedules", "preview", "--cron", "* * * * *", "--timezone", "Mars/Olympus").returncode == 5
