"""The build, from the locked packages to the verification, with job types that use more AWS services."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

from headrace.build.artifact import JobTypes, build
from headrace.build.targets import Target
from headrace.project.requirements import digest

HERE = Target(text="here")
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


def project_with(folder: Path, files: dict[str, str]) -> JobTypes:
    """A project whose package of job types has some files, and no job types."""
    for name, text in {"__init__.py": "JOB_TYPES = ()\n", **files}.items():
        path = folder / "my_jobs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "headrace.toml").write_text('job_types = "my_jobs"\n')
    return JobTypes(package="my_jobs", folder=folder, environment={})


def test_the_artifact_contains_the_services_that_job_types_use(tmp_path: Path) -> None:
    declared = f'AWS_SERVICES = ("sns",)\n{VARIABLE}'
    files = {"archive.py": ARCHIVE, "mail.py": MAIL, "declared.py": declared}
    artifact = tmp_path / "artifact"
    assert build("WorkerFunction", artifact, HERE, project_with(tmp_path / "project", files)) == ()
    tried = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", USES, str(artifact)], capture_output=True, text=True, check=False
    )
    assert (tried.stdout, tried.stderr) == ("UnknownServiceError\n", "")


def test_a_build_with_a_service_that_cannot_be_read_fails_with_a_sentence(tmp_path: Path) -> None:
    project = project_with(tmp_path / "project", {"any_service.py": VARIABLE})
    (told,) = build("WorkerFunction", tmp_path / "artifact", HERE, project)
    assert told.startswith("my_jobs/any_service.py:6: the AWS service of `boto3.client(service)`")


def test_a_requirement_that_would_overwrite_our_functions_is_refused(tmp_path: Path) -> None:
    project = project_with(tmp_path / "project", {})
    lock_only(project, a_wheel(tmp_path, "cloud_kit", "functions/__init__.py"))
    (told,) = build("WorkerFunction", tmp_path / "artifact", HERE, project)
    assert told.startswith(
        "the requirement cloud_kit 1.0 (function.txt and requirements.lock) brings a module `functions`"
    )


def a_wheel(folder: Path, name: str, *modules: str) -> Path:
    """A wheel with empty modules."""
    wheel, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    files = {
        **dict.fromkeys(modules, ""),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in files)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def lock_only(project: JobTypes, wheel: Path) -> None:
    requirements = project.folder / "requirements.txt"
    requirements.write_text(f"{wheel}\n")
    pinned = f"{wheel} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    (project.folder / "requirements.lock").write_text(f"{digest((requirements,))}\n{pinned}\n")
