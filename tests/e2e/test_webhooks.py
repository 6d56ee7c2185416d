"""Webhooks on the running stack: by the command line, with a receiver that fails and a runner that is killed."""

import json
import os
import signal
import time
from collections import Counter

import httpx

from tests.e2e.conftest import Cli, Stack, submit, wait
from tests.reliability.webhooks import Receiver, accepted_changes
from tests.serving import serving


def secret_in(text: str) -> str:
    return next(line.split()[1] for line in text.splitlines() if line.startswith("secret"))


def killed(stack: Stack, function: str) -> None:
    for pid in stack.environments(function):
        os.kill(pid, signal.SIGKILL)


def test_each_change_is_delivered_under_one_id_and_signed(cli: Cli, stack_running: Stack, api: httpx.Client) -> None:
    receiver = Receiver(seed=3)
    with serving(receiver.handle) as url:
        created = cli.ok("webhooks", "create", f"{url}/hooks", "--description", "of a test")
        id, receiver.secret = created.split()[0], secret_in(created)
        # What a recorder knows of endpoints may be half a minute old.
        killed(stack_running, "RecorderFunction")
        jobs = [str(submit(api)["id"]) for _ in range(6)]
        killed(stack_running, "StandardRunnerFunction")
        expected = Counter((each, str(wait(api, each)["status"])) for each in jobs)
        ends = time.monotonic() + 120
        while expected - accepted_changes(receiver) and time.monotonic() < ends:
            time.sleep(0.2)
    mine = [each for each in receiver.accepted if each[1] in jobs]
    assert accepted_changes(receiver) >= expected
    assert len({webhook_id for webhook_id, *_ in mine}) == len(jobs)
    assert receiver.unverified == 0
    listed = cli.ok("webhooks", "deliveries", id)
    assert {webhook_id for webhook_id, *_ in mine} <= {
        line.split()[0] for line in listed.splitlines() if line[0] != " "
    }
    assert "disabled" in cli.ok("webhooks", "change", id, "--disable")
    assert "whsec_" not in cli.ok("webhooks", "list") + cli.ok("webhooks", "show", id)
    assert cli.ok("webhooks", "delete", id) == f"{id} deleted"


def test_a_submitter_is_told_and_a_secret_is_rotated(cli: Cli, api: httpx.Client) -> None:
    receiver = Receiver(seed=1)
    with serving(receiver.handle) as url:
        receiver.secret = secret_in(cli.ok("webhooks", "notify-secret"))
        payload = json.dumps({"csv": "a\n1\n"})
        job = cli.ok("submit", "csv.profile", "--payload", payload, "--notify", f"{url}/mine").split()[0]
        ends = time.monotonic() + 120
        while not [each for each in receiver.accepted if each[1] == job] and time.monotonic() < ends:
            time.sleep(0.1)
        trial = cli.ok("webhooks", "create", f"{url}/trial")
        id = trial.split()[0]
        receiver.secret, first = secret_in(cli.ok("webhooks", "rotate", id)), receiver.unverified
        delivery = cli.ok("webhooks", "test", id).split()[0]
        assert wait(api, delivery, 60)["status"] == "succeeded"
        replayed = cli.ok("webhooks", "replay", id, delivery).split()[0]
        assert wait(api, replayed, 60)["status"] == "succeeded"
    assert [each[2] for each in receiver.accepted if each[1] == job] == ["succeeded"]
    assert (first, receiver.unverified) == (0, 0)
    cli.ok("webhooks", "delete", id)
