"""Durable handlers on the stack as a person starts it: sleeps, signals, and workers that are killed."""

import json
import os
import random
import signal
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Stack

CODE = '''
    import asyncio
    import os
    from datetime import timedelta

    from pydantic import BaseModel

    from headrace import Backoff, Fail, JobContext, job_type


    class Order(BaseModel):
        id: str
        ledger: str


    class Approval(BaseModel):
        by: str


    class Receipt(BaseModel):
        charged: str
        shipped: str
        by: str


    async def noted(order: Order, what: str, context: JobContext) -> str:
        """An effect: a line in a file, with the key that a provider would get."""
        await asyncio.sleep(0.05)
        with open(order.ledger, "a") as ledger:
            ledger.write(f"{what} {order.id} {context.idempotency_key}\\n")
        await asyncio.sleep(0.05)
        return f"{what} {order.id}"


    @job_type("shop.order", timeout=timedelta(seconds=4), max_attempts=20, backoff=Backoff(cap=timedelta(seconds=1)))
    async def take_order(order: Order, context: JobContext) -> Receipt | Fail:
        """Charge, wait two seconds and for an approval, ship."""
        charged = await context.step("charge", noted, order, "charge", context)
        await context.sleep("cooling-off", timedelta(seconds=2))
        approval = await context.signal("approved", Approval, timeout=timedelta(minutes=10))
        if approval is None:
            return Fail(reason="nobody approved")
        shipped = await context.step("ship", noted, order, "ship", context)
        return Receipt(charged=charged, shipped=shipped, by=approval.by)


    JOB_TYPES = (take_order,)
'''
ORDERS = 12


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").write_text(textwrap.dedent(CODE))
    stack = Stack(folder, environment={"JOB_TYPES": "shop"})
    yield stack
    assert stack.stop() == 0


def until_it_waits(client: httpx.Client, job_id: str, name: str) -> None:
    ends = time.monotonic() + 60
    while [each["name"] for each in client.get(f"/v1/jobs/{job_id}").json()["waiting_for"]] != [name]:
        assert time.monotonic() < ends
        time.sleep(0.2)


def test_an_order_sleeps_is_approved_by_the_command_line_and_ships(shop: Stack, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    payload = json.dumps({"id": "1", "ledger": str(ledger)})
    job_id = json.loads(shop.cli.ok("submit", "shop.order", "--payload", payload, "--json"))["id"]
    with shop.client() as client:
        until_it_waits(client, job_id, "approved")
    assert "waits   signal approved" in shop.cli.ok("get", job_id)
    assert "it waits for the signal approved" in shop.cli.ok("why", job_id)
    shop.cli.ok("signal", job_id, "approved", '{"by": "Ann"}')
    job = json.loads(shop.cli.ok("watch", job_id, "--json"))
    assert (job["status"], job["result"]["by"], job["attempt"]) == ("succeeded", "Ann", 1)
    assert ledger.read_text().splitlines() == [f"charge 1 {job_id}:charge", f"ship 1 {job_id}:ship"]
    steps = shop.cli.ok("get", job_id, "--steps").splitlines()
    assert [line.split()[1:3] for line in steps] == [
        ["step", "charge"], ["time", "cooling-off"], ["signal", "approved"], ["received", "approved"], ["step", "ship"],
    ]  # fmt: skip


def test_orders_are_charged_and_shipped_once_by_key_although_workers_are_killed(shop: Stack, tmp_path: Path) -> None:
    ledger, chance = tmp_path / "ledger", random.Random(7)
    with shop.client() as client:
        ids = [submitted(client, number, ledger) for number in range(ORDERS)]
        for job_id in ids[::2]:
            client.post(f"/v1/jobs/{job_id}/signals/approved", json={"by": "Ann"}).raise_for_status()
        for _ in range(12):
            time.sleep(chance.uniform(0.1, 0.6))
            for pid in shop.environments("WorkerFunction")[:1]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for job_id in ids[1::2]:
            client.post(f"/v1/jobs/{job_id}/signals/approved", json={"by": "Bob"}).raise_for_status()
        ended = [job_when_final(client, job_id) for job_id in ids]
    assert [job for job in ended if job["status"] != "succeeded"] == []
    lines = ledger.read_text().splitlines()
    assert len(set(lines)) == 2 * ORDERS, "each effect, by its key, for each order"
    assert max(int(str(job["attempt"])) for job in ended) > 1, "none was killed"


def job_when_final(client: httpx.Client, job_id: str) -> dict[str, object]:
    """The job after two minutes at the latest."""
    for _ in range(6):
        job: dict[str, object] = client.get(f"/v1/jobs/{job_id}", headers={"prefer": "wait=20"}).json()
        if job["finished_at"] is not None:
            break
    return job


def submitted(client: httpx.Client, number: int, ledger: Path) -> str:
    payload = {"id": str(number), "ledger": str(ledger)}
    answer = client.post("/v1/jobs", json={"type": "shop.order", "payload": payload})
    return str(answer.raise_for_status().json()["id"])
