"""The steps of the acceptance run. Each returns its observation in one sentence, and fails by an assertion."""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import aioboto3
from botocore.exceptions import ClientError

from headrace.build.proof import PARAMETERS
from headrace.emulator.cloudformation import REGION, ROOT
from headrace.emulator.template import load_stack
from tests.acceptance.api import FINAL, Api, Json
from tests.acceptance.deployment import Deployed
from tests.acceptance.outside import IdentityProvider, Receiver
from tests.acceptance.programs import programs

HEADRACE = str(Path(sys.executable).with_name("headrace"))
ADMIN = "grace@example.org"
MEMBER = "linus@example.org"
PAGE = "https://app.example.org"
"""The origin of pages that may call the API from a browser."""
STREAM_SECONDS = 30
SWEEP_SECONDS = 180
FIRST_LINE_SECONDS = 75
"""Until each function has logged something: the sweeper runs once a minute."""
POISON_ID = "7f8e2a90-0d4a-4c43-b9a4-5c1f8e6d7b33"
EXPECTED_ERRORS = {"record_undecodable"}
CSV = (ROOT / "examples" / "data" / "seattle-weather.csv").read_text()


class Steps:
    """The steps share a deployment and the results of earlier steps."""

    def __init__(self, deployed: Deployed, api: Api, provider: IdentityProvider, receiver: Receiver) -> None:
        self.deployed = deployed
        self.api = api
        self.provider = provider
        self.receiver = receiver
        self.jobs: list[str] = []
        self.flaky = ""

    @property
    def all(self) -> tuple[tuple[str, Callable[[], Awaitable[str]]], ...]:
        """The steps in order, with what each shows."""
        return (
            ("The template is deployed by CloudFormation", self.stack),
            ("The first admin is added by the command line", self.first_admin),
            ("Only tokens of the issuer are accepted", self.tokens),
            ("Users are added and found by email, over HTTP", self.users),
            ("Programs submit by a token, by a role and by a key", self.programs),
            ("Pages of one origin may call, and of no other", self.pages),
            ("A job is retried: the first delivery fails", self.flaky_delivery),
            ("csv.profile runs, started by the stream", self.csv_profile),
            ("http.request runs, started by the stream", self.http_request),
            ("An idempotency key creates one job", self.idempotency),
            ("Bad input changes nothing", self.bad_input),
            ("Fifty jobs at once all end", self.many),
            ("A job that fails is retried by an admin", self.failed_jobs),
            ("A job is cancelled before its time", self.cancelled),
            ("A poison record goes to the on-failure queue, and the stream goes on", self.poison),
            ("The wake queue brings the retry to the worker", self.retried),
            ("Roles permit what is needed and nothing more", self.roles),
            ("No job is lost", self.nothing_lost),
            ("The logs hold no error that is not expected", self.logs),
            ("No answer was a 5xx", self.no_server_error),
        )

    async def stack(self) -> str:
        types = Counter(self.deployed.types)
        declared = load_stack(PARAMETERS)
        functions = len(declared.functions)
        assert types["AWS::Lambda::Function"] == functions, types
        assert types["AWS::Lambda::Alias"] == functions, types
        async with aioboto3.Session().client("lambda") as client:
            mappings = (await client.list_event_source_mappings())["EventSourceMappings"]
        started = [mapping["FunctionArn"] for mapping in mappings]
        assert len(started) == len((*declared.mappings, *declared.queue_mappings)), mappings
        assert all(arn.endswith(":live") for arn in started), started
        health = await self.api.call("GET", "/healthz")
        assert health.status == 200, health
        return f"{len(self.deployed.types)} resources of {len(types)} types; stream and queue start the aliases `live`"

    async def first_admin(self) -> str:
        outputs = self.deployed.outputs
        done = await asyncio.to_thread(
            subprocess.run,
            [HEADRACE, "users", "create", ADMIN, "--admin", "--endpoint-url", self.deployed.endpoint_url,
             "--users-table", outputs["UsersTableName"], "--emails-table", outputs["UserEmailsTableName"]],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    async def tokens(self) -> str:
        refused = {
            "none": None,
            "forged": self.provider.forged(ADMIN),
            "expired": self.provider.token(ADMIN, minutes=-30),
            "for another audience": self.provider.token(ADMIN, audience="somebody-else"),
        }
        for name, token in refused.items():
            answer = await self.api.call("GET", "/v1/jobs", token)
            assert answer.status == 401, (name, answer)
        stranger = await self.api.call("GET", "/v1/jobs", self.provider.token("stranger@example.org"))
        assert stranger.status == 403, stranger
        known = await self.api.call("GET", "/v1/users/me", self._admin())
        assert (known.status, known.body["email"]) == (200, ADMIN), known
        return f"401 for a token that is {', '.join(refused)}; 403 for a stranger; 200 for {ADMIN}"

    async def users(self) -> str:
        body: Json = {"email": "Linus@Example.org", "name": "Linus"}
        created = await self.api.call("POST", "/v1/users", self._admin(), body)
        again = await self.api.call("POST", "/v1/users", self._admin(), body)
        assert (created.status, again.status) == (201, 409), (created, again)
        found = await self.api.call("GET", f"/v1/users?email={MEMBER}", self._admin())
        assert (found.status, found.body["items"]) == (200, [created.body]), found
        return f"201, then 409 for the same address; found as {created.body['email']}"

    async def programs(self) -> str:
        found = (await self.api.call("GET", f"/v1/users?email={MEMBER}", self._admin())).body["items"]
        assert isinstance(found, list)
        assert isinstance(found[0], dict)
        jobs, seen = await programs(self.deployed, self.api, self.provider, self._admin(), str(found[0]["id"]))
        self.jobs.extend(jobs)
        return seen

    async def pages(self) -> str:
        asks = {"access_control_request_method": "POST", "access_control_request_headers": "authorization"}
        seen = []
        for origin in (PAGE, "https://elsewhere.example.org"):
            preflight = await self.api.call("OPTIONS", "/v1/jobs", origin=origin, **asks)
            answer = await self.api.call("GET", "/v1/users/me", self._admin(), origin=origin)
            seen.append([each.headers.get("access-control-allow-origin") for each in (preflight, answer)])
        assert seen == [[PAGE, PAGE], [None, None]], seen
        assert "etag" in answer.headers, answer
        return f"a preflight request without a token and an answer name {PAGE}; neither names another origin"

    async def flaky_delivery(self) -> str:
        self.flaky = await self._submit("http.request", {"url": f"{self.receiver.url}/flaky/1"})
        for _ in range(STREAM_SECONDS * 4):
            job = (await self.api.call("GET", f"/v1/jobs/{self.flaky}", self._member())).body
            if job["status"] != "queued" and job["status"] != "running":
                break
            await asyncio.sleep(0.25)
        assert job["status"] == "retrying", job
        return f"503 was received; the job is `retrying`, attempt {job['attempt']} of {job['max_attempts']}"

    async def csv_profile(self) -> str:
        began = time.monotonic()
        job = await self._ended("csv.profile", {"csv": CSV})
        assert job["status"] == "succeeded", job
        result = job["result"]
        assert isinstance(result, dict)
        assert result["rows"] == 1461, result["rows"]
        return f"succeeded in {time.monotonic() - began:.1f} s: {result['rows']} rows"

    async def http_request(self) -> str:
        job = await self._ended("http.request", {"url": f"{self.receiver.url}/ok", "body": "hello"})
        assert job["status"] == "succeeded", job
        keys = [key for path, key in self.receiver.calls if path == "/ok"]
        assert len(keys) == 1, keys
        return f"succeeded; the receiver got one call, with the idempotency key {keys[0]}"

    async def idempotency(self) -> str:
        body: Json = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}
        answers = [
            await self.api.call("POST", "/v1/jobs", self._member(), body, idempotency_key="report-7") for _ in range(3)
        ]
        assert len({str(answer.body["id"]) for answer in answers}) == 1, answers
        other = await self.api.call(
            "POST", "/v1/jobs", self._member(), {**body, "payload": {"csv": "b\n1\n"}}, idempotency_key="report-7"
        )
        assert other.status in {422, 409}, other
        self.jobs.append(str(answers[0].body["id"]))
        return f"{', '.join(str(answer.status) for answer in answers)} with one id; {other.status} for another body"

    async def bad_input(self) -> str:
        sent: dict[str, Json] = {
            "unknown type": {"type": "no.such", "payload": {}},
            "wrong payload": {"type": "csv.profile", "payload": {"csv": 7}},
            "unknown member": {"type": "csv.profile", "payload": {"csv": "a\n"}, "urgency": 1},
            "private address": {"type": "http.request", "payload": {"url": "file:///etc/passwd"}},
        }
        before = await self._count()
        statuses = {}
        for name, body in sent.items():
            answer = await self.api.call("POST", "/v1/jobs", self._member(), body)
            assert answer.status in {400, 422}, (name, answer)
            assert answer.headers["content-type"] == "application/problem+json", answer.headers
            statuses[name] = answer.status
        assert await self._count() == before
        return ", ".join(f"{status} for {name}" for name, status in statuses.items())

    async def many(self) -> str:
        began = time.monotonic()
        submitted = [await self._submit("csv.profile", {"csv": f"n\n{number}\n"}) for number in range(50)]
        ended = [await self.api.wait(job_id, self._member(), STREAM_SECONDS) for job_id in submitted]
        assert {job["status"] for job in ended} == {"succeeded"}, Counter(str(job["status"]) for job in ended)
        assert {job["version"] for job in ended} == {3}, "queued, running, succeeded: one write each"
        return f"50 succeeded in {time.monotonic() - began:.1f} s, each with three versions"

    async def failed_jobs(self) -> str:
        job = await self._ended("http.request", {"url": "http://169.254.169.254/latest/"})
        assert job["status"] == "failed", job
        listed = await self.api.call("GET", "/v1/failed-jobs?type=http.request", self._admin())
        assert listed.status == 200, listed
        assert (await self.api.call("GET", "/v1/failed-jobs?type=http.request", self._member())).status == 403
        retried = await self.api.call("POST", f"/v1/jobs/{job['id']}/retry", self._admin())
        assert retried.status in {200, 202}, retried
        again = await self.api.wait(str(job["id"]), self._admin(), STREAM_SECONDS)
        assert (again["status"], again["version"]) == ("failed", 6), again
        error = again["error"]
        assert isinstance(error, dict)
        return f"failed with {error['code']}; listed for the admin, 403 for the member; retried, and failed again"

    async def cancelled(self) -> str:
        job_id = await self._submit("csv.profile", {"csv": "a\n1\n"}, delay_seconds=3600)
        answer = await self.api.call("POST", f"/v1/jobs/{job_id}/cancel", self._member())
        assert (answer.status, answer.body["status"]) == (200, "cancelled"), answer
        return "scheduled in an hour, and cancelled"

    async def poison(self) -> str:
        session = aioboto3.Session()
        async with session.client("dynamodb") as client:
            await client.put_item(
                TableName=self.deployed.outputs["JobsTableName"],
                Item={"id": {"S": POISON_ID}, "status": {"S": "queued"}, "version": {"S": "one"}},
            )
        async with session.client("sqs") as queue:
            received = await queue.receive_message(
                QueueUrl=self.deployed.resources["OnFailureQueue"], WaitTimeSeconds=20
            )
        (message,) = received.get("Messages", [])
        body = json.loads(message["Body"])
        assert body["requestContext"]["condition"] == "RecordUndecodable", body
        assert body["jobId"] == POISON_ID, body
        after = await self._ended("csv.profile", {"csv": "a\n1\n"})
        assert after["status"] == "succeeded", after
        return f"{body['requestContext']['condition']}, {body['detail']}; the next job succeeded"

    async def retried(self) -> str:
        began = time.monotonic()
        job = await self.api.wait(self.flaky, self._member(), SWEEP_SECONDS)
        assert (job["status"], job["attempt"]) == ("succeeded", 2), job
        keys = {key for path, key in self.receiver.calls if path == "/flaky/1"}
        assert len(keys) == 1, keys
        return (
            f"succeeded at attempt 2, after {time.monotonic() - began:.0f} s of waiting, with the same idempotency key"
        )

    async def roles(self) -> str:
        """Act as the worker from outside: MiniStack refuses what its role does not permit."""
        session = aioboto3.Session()
        table, refused = self.deployed.outputs["JobsTableName"], list[tuple[str, str]]()
        async with session.client("sts") as sts:
            role = f"arn:aws:iam::000000000000:role/{self.deployed.resources['WorkerRole']}"
            assumed = (await sts.assume_role(RoleArn=role, RoleSessionName="acceptance"))["Credentials"]
        worker = session.client(
            "dynamodb",
            region_name=REGION,
            aws_access_key_id=assumed["AccessKeyId"],
            aws_secret_access_key=assumed["SecretAccessKey"],
            aws_session_token=assumed["SessionToken"],
        )
        key = {"id": {"S": self.flaky}}
        async with worker as client:
            assert "Item" in await client.get_item(TableName=table, Key=key)
            calls = {
                "Scan": client.scan(TableName=table),
                "DeleteItem": client.delete_item(TableName=table, Key=key),
                "Query": client.query(
                    TableName=table,
                    IndexName="owner-index",
                    KeyConditionExpression="owner_id = :owner",
                    ExpressionAttributeValues={":owner": {"S": "x"}},
                ),
                # It reads the owners of schedules by their id, and finds nobody by an address.
                "Query of users": client.query(
                    TableName=self.deployed.outputs["UsersTableName"],
                    IndexName="email-index",
                    KeyConditionExpression="email = :email",
                    ExpressionAttributeValues={":email": {"S": "x"}},
                ),
            }
            for name, call in calls.items():
                try:
                    await call
                except ClientError as error:
                    refused.append((name, error.response["Error"]["Code"]))
        assert refused == [(name, "AccessDeniedException") for name in calls], refused
        return f"as the worker: GetItem is answered; AccessDenied for {', '.join(calls)}"

    async def nothing_lost(self) -> str:
        async with aioboto3.Session().client("dynamodb") as client:
            items = [
                item
                async for page in client.get_paginator("scan").paginate(
                    TableName=self.deployed.outputs["JobsTableName"]
                )
                for item in page["Items"]
            ]
        ended = Counter(item["status"]["S"] for item in items if item["id"]["S"] != POISON_ID)
        assert set(ended) <= FINAL, ended
        missing = set(self.jobs) - {item["id"]["S"] for item in items}
        assert not missing, missing
        return f"{len(self.jobs)} accepted, {sum(ended.values())} final: " + ", ".join(
            f"{count} {status}" for status, count in sorted(ended.items())
        )

    async def logs(self) -> str:
        lines: dict[str, list[str]] = {}
        for name in sorted(load_stack(PARAMETERS).invoked):
            lines[name] = await _lines_of(self.deployed.resources[f"{name.removesuffix('Function')}LogGroup"])
        records = [json.loads(line) for group in lines.values() for line in group if line.lstrip().startswith("{")]
        errors = Counter(record["message"] for record in records if record.get("level") in {"ERROR", "CRITICAL"})
        assert set(errors) <= EXPECTED_ERRORS, errors
        text = "\n".join(line for group in lines.values() for line in group)
        assert "Traceback" not in text, text[text.index("Traceback") :][:2000]
        assert MEMBER not in text, "an address in a log"
        counts = ", ".join(f"{len(group)} lines of {name}" for name, group in lines.items())
        return f"{counts}; errors: {dict(errors)}, as expected"

    async def no_server_error(self) -> str:
        assert self.api.server_errors == 0, self.api.statuses
        counted = sorted(self.api.statuses.items())
        return ", ".join(f"{count} times {status}" for status, count in counted)

    def _admin(self) -> str:
        return self.provider.token(ADMIN)

    def _member(self) -> str:
        return self.provider.token(MEMBER)

    async def _submit(self, job_type: str, payload: Json, **members: int) -> str:
        body: Json = {"type": job_type, "payload": payload, **members}
        answer = await self.api.call("POST", "/v1/jobs", self._member(), body)
        assert answer.status == 202, answer
        self.jobs.append(str(answer.body["id"]))
        return str(answer.body["id"])

    async def _ended(self, job_type: str, payload: Json) -> Json:
        return await self.api.wait(await self._submit(job_type, payload), self._member(), STREAM_SECONDS)

    async def _count(self) -> int:
        async with aioboto3.Session().client("dynamodb") as client:
            return (await client.scan(TableName=self.deployed.outputs["JobsTableName"], Select="COUNT"))["Count"]


async def _lines_of(group: str) -> list[str]:
    """The lines of a log group, once there are any."""
    ends = time.monotonic() + FIRST_LINE_SECONDS
    async with aioboto3.Session().client("logs") as client:
        while time.monotonic() < ends:
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=group)
            if lines := [event["message"] async for page in pages for event in page["events"]]:
                return lines
            await asyncio.sleep(1)
    raise AssertionError(f"{group} is empty")
