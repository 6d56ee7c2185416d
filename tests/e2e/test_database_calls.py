"""The database calls of the whole API, counted by a proxy between them."""

import json
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.conftest import Stack, submit, wait
from tests.e2e.test_tenants import OPERATIONS, Tenants
from tests.integration.lossy_proxy import LossyProxy
from tests.serving import serving

SWEEPS = ("wake-index", "lane-index", "StreamPositionsTable", "list-index", "StatsTable")
"""The calls of a sweep without work, and the recorder's: its look at the webhooks, and what it counts."""
SETTING_UP = {"CreateTable", "DescribeTable", "UpdateTimeToLive"}
STREAM = {"DescribeStream", "GetShardIterator", "GetRecords"}


@pytest.fixture(scope="module")
def recorded(ministack_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, LossyProxy]]:
    """A separate stack on an external database (`--endpoint-url`), and the proxy in front of it."""
    proxy = LossyProxy(ministack_url, "nothing", 0)
    with serving(proxy.handle) as url:
        stack = Stack(tmp_path_factory.mktemp("recorded"), "--endpoint-url", url)
        yield stack, proxy
        assert stack.stop() == 0


def test_no_scan_anywhere_and_users_are_found_through_the_email_index(recorded: tuple[Stack, LossyProxy]) -> None:
    stack, proxy = recorded
    tenants = Tenants(stack)
    for caller in ("tenant-a", "tenant-b", "tenant-admin"):
        with tenants.client(caller) as client:
            for operation in OPERATIONS:
                if operation == ("DELETE", "/v1/users/{user_id}"):
                    continue  # it would be the user that the others are about
                answer = tenants.call(client, operation, tenants.a_job(), tenants.owner_id)
                assert answer.status_code < 500
    with tenants.client("tenant-a") as client:
        assert wait(client, submit(client)["id"])["status"] == "succeeded"
    asked = Counter(call.operation for call in proxy.calls)
    used = {"PutItem", "GetItem", "Query", "BatchGetItem", "TransactWriteItems", "DeleteItem"}
    assert set(asked) - SETTING_UP - STREAM == used
    queries = [json.loads(call.body) for call in proxy.calls if call.operation == "Query"]
    by_own_key = {query["TableName"] for query in queries if "IndexName" not in query}
    assert by_own_key <= {"StreamPositionsTable", "LanesTable", "StatsTable", "JobStepsTable"}, (
        "another table's own key is read by GetItem"
    )
    by_email = [query for query in queries if query.get("IndexName") == "email-index"]
    assert by_email
    assert all(query["KeyConditionExpression"] == "email = :email" for query in by_email)
    reads_of_users = [call for call in proxy.calls if call.operation == "GetItem" and "UsersTable" in call.body]
    assert all("email" not in json.loads(call.body)["Key"] for call in reads_of_users)


def test_a_request_costs_no_more_calls_than_it_needs(recorded: tuple[Stack, LossyProxy]) -> None:
    stack, proxy = recorded

    def others() -> int:
        return sum(
            call.operation not in STREAM and not any(mark in call.body for mark in SWEEPS) for call in proxy.calls
        )

    seen = -1
    while seen != (seen := others()):  # What the jobs of other tests on this database still need.
        time.sleep(3)

    def calls(client: httpx.Client, method: str, path: str, body: object = None) -> list[str]:
        before = len(proxy.calls)
        answer = client.request(method, path, json=body)
        assert answer.is_success, answer.text
        made = proxy.calls[before:]
        own = [call for call in made if call.operation not in STREAM and not any(mark in call.body for mark in SWEEPS)]
        return [call.operation for call in own]

    with stack.client() as client:
        assert client.get("/v1/users/me").status_code == 200, "signed in before"
        later = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}, "delay_seconds": 3600}
        assert calls(client, "POST", "/v1/jobs", later) == ["Query", "PutItem"]
        job = client.get("/v1/jobs", params={"limit": 1}).json()["items"][0]["id"]
        assert calls(client, "GET", f"/v1/jobs/{job}") == ["Query", "GetItem"]
        assert calls(client, "GET", "/v1/jobs?limit=1") == ["Query", "Query", "BatchGetItem"]
        assert calls(client, "POST", f"/v1/jobs/{job}/cancel") == ["Query", "GetItem", "PutItem"]
        assert calls(client, "GET", "/v1/job-types") == ["Query"]
    tenants = Tenants(stack)
    machines = tenants.machines("counted", "tenant-b@example.com")
    looked_up = {"program": ["GetItem", "GetItem"], "role": ["GetItem", "GetItem"], "key": ["GetItem"]}
    for kind, machine in machines.items():
        with machine:
            assert calls(machine, "POST", "/v1/jobs", later) == [*looked_up[kind], "PutItem"]
    newcomer = f"newcomer-{time.time_ns()}"
    stack.cli.ok("users", "create", f"{newcomer}@example.com")
    with tenants.client(newcomer) as person:
        first = calls(person, "GET", "/v1/job-types")
        assert first == ["Query", "GetItem", "TransactWriteItems"], "the first sign-in binds the subject"
        assert calls(person, "GET", "/v1/job-types") == ["Query"]
