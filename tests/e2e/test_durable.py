"""Durable handlers on the stack as a person starts it: sleeps, signals, and workers that are killed."""

import asyncio
import json
import os
import random
import signal
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from types_aiobotocore_dynamodb.type_defs import TransactGetItemTypeDef

from domain.jobs.transitions import LEASE_GRACE
from functions.runtime import LazyClient
from tests.e2e.conftest import Stack

CODE = '''
    import asyncio
    import os
    from datetime import timedelta

    from pydantic import BaseModel

    from headrace import Backoff, Done, Fail, If, JobContext, Update, job_type


    class Order(BaseModel):
        id: str
        ledger: str


    class Approval(BaseModel):
        by: str


    class Receipt(BaseModel):
        charged: str
        shipped: str
        by: str


    class Thanks(BaseModel):
        order: str


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
        context.submit("shop.thanks", Thanks(order=order.id), name="thanks")
        return Receipt(charged=charged, shipped=shipped, by=approval.by)


    @job_type("shop.thanks")
    async def thank(thanks: Thanks, context: JobContext) -> Thanks:
        """Thank for an order."""
        return thanks


    class Transfer(BaseModel):
        source: str
        target: str
        cents: int


    class Moved(BaseModel):
        pass


    @job_type("bank.transfer", timeout=timedelta(seconds=4), max_attempts=20, backoff=Backoff(cap=timedelta(seconds=1)))
    async def transfer(order: Transfer, context: JobContext) -> Done[Moved]:
        """Move money, without any key."""
        await asyncio.sleep(0.1)
        enough = If(at_least={"cents": order.cents})
        less, more = {"cents": -order.cents, "out": 1}, {"cents": order.cents, "in": 1}
        take = Update(table="Accounts", key={"id": order.source}, add=less, condition=enough)
        give = Update(table="Accounts", key={"id": order.target}, add=more)
        return Done(Moved(), writes=[take, give])


    JOB_TYPES = (take_order, thank, transfer)
'''
ORDERS = int(os.environ.get("DURABLE_ORDERS", "20"))
TRANSFERS = int(os.environ.get("DURABLE_TRANSFERS", "40"))
"""At full size a thousand of each: `DURABLE_ORDERS=1000 DURABLE_TRANSFERS=1000 pytest tests/e2e/test_durable.py`."""
KILLS = int(os.environ.get("DURABLE_KILLS", "8"))

BEYOND_LEASES = 4 + LEASE_GRACE.total_seconds() + 3
"""Seconds that a worker is stopped: longer than an attempt's lease, and the sweep that takes the job back."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop").mkdir()
    (folder / "shop" / "__init__.py").write_text(textwrap.dedent(CODE))
    # With reloading, the stack would take a kill while a function starts for a mistake in the code.
    stack = Stack(folder, "--no-reload", environment={"JOB_TYPES": "shop"})
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
    assert thanked(shop) == ["1"]
    steps = shop.cli.ok("get", job_id, "--steps").splitlines()
    assert [line.split()[1:3] for line in steps] == [
        ["step", "charge"], ["time", "cooling-off"], ["signal", "approved"], ["received", "approved"], ["step", "ship"],
    ]  # fmt: skip


def test_orders_are_charged_and_shipped_once_by_key_although_workers_are_killed(shop: Stack, tmp_path: Path) -> None:
    ledger, before = tmp_path / "ledger", thanked(shop)
    killer = threading.Thread(target=kill_workers, args=(shop, random.Random(7), KILLS))
    with shop.client() as client:
        killer.start()
        ids = [submitted(client, number, ledger) for number in range(ORDERS)]
        for job_id in ids[::2]:
            client.post(f"/v1/jobs/{job_id}/signals/approved", json={"by": "Ann"}).raise_for_status()
        killer.join()
        for job_id in ids[1::2]:
            client.post(f"/v1/jobs/{job_id}/signals/approved", json={"by": "Bob"}).raise_for_status()
        ended = [job_when_final(client, job_id) for job_id in ids]
    assert [job for job in ended if job["status"] != "succeeded"] == []
    assert thanked(shop) == sorted([*before, *map(str, range(ORDERS))]), "a job follows each order, and but one"
    lines = ledger.read_text().splitlines()
    assert len(set(lines)) == 2 * ORDERS, "each effect, by its key, for each order"
    check_kills(ended)


def thanked(shop: Stack) -> list[str]:
    """The orders of which a job has followed."""
    orders, query = list[str](), {"type": "shop.thanks", "include": "payload", "limit": "100"}
    with shop.client() as client:
        while True:
            answer = client.get("/v1/jobs", params=query)
            if answer.is_server_error:  # a busy machine
                time.sleep(1)
                continue
            page = answer.raise_for_status().json()
            orders += [job["payload"]["order"] for job in page["items"]]
            if page["next"] is None:
                return sorted(orders)
            query["cursor"] = page["next"]


def check_kills(ended: list[dict[str, object]]) -> None:
    """Of few jobs, perhaps none ran when a worker was killed."""
    assert len(ended) < 100 or max(int(str(job["attempt"])) for job in ended) > 1, "no job was killed"


def kill_workers(shop: Stack, chance: random.Random, times: int) -> None:
    """Kill workers, and stop every fourth time some beyond their leases: they go on when their jobs are another's."""
    stopped = list[threading.Timer]()
    for number in range(times):
        time.sleep(chance.uniform(0.2, 1.5))
        # Half of them: one alone may be idle.
        for pid in shop.environments("WorkerFunction")[chance.randrange(2) :: 2]:
            if number % 4 != 0:
                signalled(pid, signal.SIGKILL)
                continue
            signalled(pid, signal.SIGSTOP)
            stopped.append(threading.Timer(BEYOND_LEASES, signalled, (pid, signal.SIGCONT)))
            stopped[-1].start()
    for timer in stopped:
        timer.join()


def signalled(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


async def test_transfers_are_made_once_without_a_key_although_workers_are_killed(shop: Stack) -> None:
    """The sum is right at every moment that is looked at, and each transfer is made once."""
    url = next(line.split()[1] for line in (shop.folder / "stderr").read_text().splitlines() if "database " in line)
    database = LazyClient(url)
    client = await database()
    await client.create_table(
        TableName="Accounts", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    for name in "ab":
        await client.put_item(TableName="Accounts", Item={"id": {"S": name}, "cents": {"N": "100000"}})

    async def accounts() -> dict[str, dict[str, int]]:
        read: list[TransactGetItemTypeDef] = [{"Get": {"TableName": "Accounts", "Key": {"id": {"S": n}}}} for n in "ab"]
        found = (await client.transact_get_items(TransactItems=read))["Responses"]
        plain = [{name: int(value["N"]) for name, value in each["Item"].items() if "N" in value} for each in found]
        assert sum(account["cents"] for account in plain) == 200_000, plain
        return dict(zip("ab", plain, strict=True))

    with shop.client() as api:
        # However many there are, no account runs out of money, in whichever order they are made.
        wanted = [(*(("a", "b") if number % 3 else ("b", "a")), 1 + number % 40) for number in range(TRANSFERS)]
        killer = threading.Thread(target=kill_workers, args=(shop, random.Random(11), KILLS))
        killer.start()
        bodies = [
            {"type": "bank.transfer", "payload": {"source": source, "target": target, "cents": cents}}
            for source, target, cents in wanted
        ]
        ids = [str(api.post("/v1/jobs", json=body).raise_for_status().json()["id"]) for body in bodies]
        while killer.is_alive():
            await accounts()
            await asyncio.sleep(0.2)
        ended = [job_when_final(api, job_id) for job_id in ids]
    assert [job for job in ended if job["status"] != "succeeded"] == []
    check_kills(ended)
    now = await accounts()
    moved = sum(cents if source == "a" else -cents for source, _, cents in wanted)
    made = sum(source == "a" for source, _, _ in wanted)
    assert now == {
        "a": {"cents": 100_000 - moved, "out": made, "in": TRANSFERS - made},
        "b": {"cents": 100_000 + moved, "in": made, "out": TRANSFERS - made},
    }
    await database.close()


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
