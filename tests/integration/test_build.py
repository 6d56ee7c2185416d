"""The build, from the locked packages to the verification, with job types that use more AWS services."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.build import CONTENTS, ROOT, build

ARCHIVE = """
import asyncio

import boto3


async def run(name: str) -> None:
    bucket = await asyncio.to_thread(boto3.client, "s3")
    bucket.upload_file(name, "bucket", name)
"""
MAIL = """
import aioboto3
from aws_lambda_powertools.utilities import parameters


async def run() -> None:
    parameters.get_secret("key")
    async with aioboto3.Session().client("ses") as ses, aioboto3.Session().resource("dynamodb"):
        await ses.send_email()
"""
VARIABLE = """
import boto3


def run(service: str) -> None:
    boto3.client(service)
"""
USES = """
import sys
sys.path.insert(0, sys.argv[1])
import asyncio, aioboto3, boto3
for name in ("s3", "sns", "secretsmanager"):
    boto3.client(name, region_name="eu-central-1")
assert hasattr(boto3.client("s3", region_name="eu-central-1"), "upload_file")
async def main():
    async with aioboto3.Session().client("ses", region_name="eu-central-1"): ...
    async with aioboto3.Session().resource("dynamodb", region_name="eu-central-1"): ...
asyncio.run(main())
try:
    boto3.client("ec2", region_name="eu-central-1")
except Exception as error:
    print(type(error).__name__)
"""


def project_with(folder: Path, files: dict[str, str]) -> Path:
    for source in CONTENTS["WorkerFunction"].code:
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, folder / source)
    for name, text in files.items():
        (folder / "job_types" / name).write_text(text)
    return folder


def test_the_artifact_contains_the_services_that_job_types_use(tmp_path: Path) -> None:
    declared = f'AWS_SERVICES = ("sns",)\n{VARIABLE}'
    files = {"archive.py": ARCHIVE, "mail.py": MAIL, "declared.py": declared}
    artifact = tmp_path / "artifact"
    build("WorkerFunction", artifact, "here", project_with(tmp_path / "project", files))
    tried = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", USES, str(artifact)], capture_output=True, text=True, check=False
    )
    assert (tried.stdout, tried.stderr) == ("UnknownServiceError\n", "")


def test_a_build_with_a_service_that_cannot_be_read_fails_with_a_sentence(tmp_path: Path) -> None:
    project = project_with(tmp_path / "project", {"any_service.py": VARIABLE})
    with pytest.raises(SystemExit, match=r"^job_types/any_service.py:6: the AWS service of `boto3.client\(service\)`"):
        build("WorkerFunction", tmp_path / "artifact", "here", project)
