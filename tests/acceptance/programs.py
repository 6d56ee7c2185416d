"""Programs as callers: by a client-credentials token, by an IAM role, by an API key."""

import json

import aioboto3
from botocore.credentials import Credentials

from headrace.emulator.cloudformation import ACCOUNT, REGION
from headrace_client import NO_RETRY, AsyncClient, NotAllowed
from headrace_client.aws import SigV4
from tests.acceptance.api import Api, Json
from tests.acceptance.deployment import Deployed
from tests.acceptance.outside import IdentityProvider

CSV: Json = {"type": "csv.profile", "payload": {"csv": "a\n1\n"}}
SECONDS = 30


async def programs(
    deployed: Deployed, api: Api, provider: IdentityProvider, admin: str, user_id: str
) -> tuple[list[str], str]:
    """Bind each to a user, and submit by it; the ids of the jobs, and what was seen.

    MiniStack does not verify signatures (the emulator does), but says whose they are and enforces what a role may call.
    """
    role = await _caller()
    forms: tuple[Json, ...] = ({"subject": "orders"}, {"role_arn": role}, {})
    bound = [await api.call("POST", f"/v1/users/{user_id}/principals", admin, {"name": "n", **form}) for form in forms]
    assert [each.status for each in bound] == [201, 201, 201], bound
    url, jobs = deployed.api_url, list[str]()
    callers = {
        "a client-credentials token": AsyncClient(url, token=provider.program("orders"), retry=NO_RETRY),
        "a role": AsyncClient(url, auth=SigV4(REGION, await _assumed(role)), prefix="/iam/v1", retry=NO_RETRY),
        "a key": AsyncClient(url, token=str(bound[2].body["key"]), prefix="/key/v1", retry=NO_RETRY),
    }
    for name, client in callers.items():
        async with client:
            job = await client.submit("csv.profile", CSV["payload"])
            assert job.owner_id == user_id, name
            assert (await client.wait(job, timeout=SECONDS)).status == "succeeded", name
        jobs.append(job.id)
    answer = await api.call("POST", "/v1/jobs", provider.program("orders", audience="somebody-else"), CSV)
    assert answer.status == 401, answer
    other = await _assumed(f"arn:aws:iam::{ACCOUNT}:role/{deployed.resources['WorkerRole']}")
    denied = await _refused(AsyncClient(url, auth=SigV4(REGION, other), prefix="/iam/v1", retry=NO_RETRY))
    assert denied == 403, denied
    refused = "401 for a program's token of another audience, 403 for a role without execute-api:Invoke"
    return jobs, f"a job each by {', '.join(callers)}; {refused}"


async def _refused(client: AsyncClient) -> int:
    async with client:
        try:
            await client.submit("csv.profile", CSV["payload"])
        except NotAllowed as error:
            return error.problem.status
    return 202


async def _caller() -> str:
    """A role as a function of somebody else's has it, with the right that docs/deploy.md names; its ARN."""
    trust: Json = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    right: Json = {
        "Effect": "Allow",
        "Action": "execute-api:Invoke",
        "Resource": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:*/$default/*/iam/v1/*",
    }
    async with aioboto3.Session().client("iam") as iam:
        made = await iam.create_role(RoleName="orders", AssumeRolePolicyDocument=_policy(trust))
        await iam.put_role_policy(RoleName="orders", PolicyName="call", PolicyDocument=_policy(right))
    return str(made["Role"]["Arn"])


def _policy(statement: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


async def _assumed(role: str) -> Credentials:
    async with aioboto3.Session().client("sts") as sts:
        keys = (await sts.assume_role(RoleArn=role, RoleSessionName="a-function"))["Credentials"]
    return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
