"""Deploys template.yaml to MiniStack with CloudFormation, with the artifacts of `sam build`."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aioboto3
from botocore.exceptions import WaiterError
from pydantic import JsonValue

from headrace.authoring.frozen import Frozen
from headrace.build.targets import ARCHITECTURE
from headrace.emulator.cloudformation import ROOT, mapping, translated
from headrace.emulator.database import embedded_database, local_credentials
from tests.acceptance.bridges import BRIDGES, apply_time_to_live

SAM = ROOT / ".tools" / "sam" / "bin" / "sam"
BUILD = ROOT / ".aws-sam" / "here"
STACK = "headrace-acceptance"
BUCKET = "artifacts"
SERVICES = "dynamodb,dynamodbstreams,lambda,apigateway,s3,sqs,sns,scheduler,cloudformation,iam,sts,logs,monitoring"


class Deployed(Frozen):
    """A stack that runs."""

    endpoint_url: str
    api_url: str
    outputs: Mapping[str, str]
    resources: Mapping[str, str]
    """Physical names by logical ids."""
    types: tuple[str, ...]
    """Of all resources."""


def package(folder: Path) -> Path:
    """Upload the artifacts to MiniStack's S3 with `sam package`; return the template with their locations."""
    packaged = folder / "packaged.yaml"
    subprocess.run(
        [str(SAM), "package", "--template-file", str(BUILD / "template.yaml"), "--s3-bucket", BUCKET,
         "--output-template-file", str(packaged)],
        check=True, capture_output=True,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0"},
    )  # fmt: skip
    return packaged


def bridged(packaged: Path, parameters: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return the CloudFormation template for MiniStack."""
    template = translated(packaged, parameters)
    resources = mapping(template["Resources"])
    for bridge in BRIDGES:
        resources = bridge(resources)
    return {**template, "Resources": resources}


async def _reasons() -> str:
    """Return the reasons why the stack was not created."""
    async with aioboto3.Session().client("cloudformation") as cloudformation:
        events = (await cloudformation.describe_stack_events(StackName=STACK))["StackEvents"]
    return "; ".join(sorted({event["ResourceStatusReason"] for event in events if "ResourceStatusReason" in event}))


@asynccontextmanager
async def deployed(folder: Path, parameters: Mapping[str, str], trusted: Path) -> AsyncIterator[Deployed]:
    """Start MiniStack, deploy, and stop it at the end. AWS's SDKs in this process use it.

    `trusted` is the certificate of the identity provider, from which MiniStack fetches the keys.
    """
    # These credentials are MiniStack's root user; AUTH enforces the policies of all others, above all the functions'
    # roles.
    settings = {
        "SERVICES": SERVICES, "AUTH": "true", "LAMBDA_EXECUTOR": "local", "LOG_LEVEL": "INFO",
        "SSL_CERT_FILE": str(trusted),
    }  # fmt: skip
    async with embedded_database(None, folder / "ministack.log", settings) as ministack:
        os.environ.update({**local_credentials(), "AWS_ENDPOINT_URL": ministack.url})
        session = aioboto3.Session()
        async with session.client("s3") as s3, session.client("cloudformation") as cloudformation:
            await s3.create_bucket(Bucket=BUCKET)
            packaged = await asyncio.to_thread(package, folder)
            values = {**parameters, "Architecture": ARCHITECTURE, "DeletionProtection": "off"}
            template = json.dumps(bridged(packaged, values))
            await s3.put_object(Bucket=BUCKET, Key="template.json", Body=template.encode())
            await cloudformation.create_stack(
                StackName=STACK,
                TemplateURL=f"{ministack.url}/{BUCKET}/template.json",
                Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in values.items()],
                Capabilities=["CAPABILITY_IAM"],
            )
            waiter = cloudformation.get_waiter("stack_create_complete")
            try:
                await waiter.wait(StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 120})
            except WaiterError as error:
                raise RuntimeError(f"the stack was not created: {await _reasons()}") from error
            stack = (await cloudformation.describe_stacks(StackName=STACK))["Stacks"][0]
            resources = (await cloudformation.describe_stack_resources(StackName=STACK))["StackResources"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        await apply_time_to_live(outputs["JobsTableName"])
        api_id = outputs["ApiUrl"].removeprefix("https://").split(".")[0]
        yield Deployed(
            endpoint_url=ministack.url,
            # The host name of the ApiUrl points to AWS; MiniStack serves the same API below this path.
            api_url=f"{ministack.url}/_aws/execute-api/{api_id}/$default",
            outputs=outputs,
            resources={resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources},
            types=tuple(sorted(resource["ResourceType"] for resource in resources)),
        )
