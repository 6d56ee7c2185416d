"""A new project, from `headrace new` to what is deployed, with job types that use more packages and AWS services."""

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from headrace.build.artifact import JobTypes, build
from headrace.build.targets import Target
from headrace.emulator.cloudformation import function_folders, runs_jobs
from headrace.emulator.template import load_stack
from headrace.project.requirements import digest
from tests.conftest import PARAMETERS
from tests.e2e.conftest import clean_environment

HEADRACE = str(Path(sys.executable).with_name("headrace"))
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


SETTINGS = """
job_types = "my_jobs"

[environment]
BUCKET = "${OrdersBucket}"

[parameters.OrdersBucket]
description = "Bucket with the orders"

[[rights]]
actions = ["s3:PutObject"]
resources = ["arn:${AWS::Partition}:s3:::${OrdersBucket}/*"]
"""
PRICES = """
import json
from pathlib import Path

LIST = json.loads(Path(__file__).with_name("prices.json").read_text())
"""
LATE = """
from shop.prices import LIST


def total() -> None:
    import cents
"""
BEFORE, AFTER = "    if not order.prices:", "    from my_jobs import late\n    if not order.prices:"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `headrace new` makes it, and what a person adds: code beside it, a requirement, rights."""
    folder = tmp_path_factory.mktemp("projects")
    headrace(folder, "new", "my-jobs")
    project = folder / "my-jobs"
    declared = f'AWS_SERVICES = ("sns",)\n{VARIABLE}'
    files = {
        "my_jobs/archive.py": ARCHIVE,
        "my_jobs/mail.py": MAIL,
        "my_jobs/declared.py": declared,
        "my_jobs/late.py": LATE,
        "my_jobs/tests/test_late.py": "import pytest",
        "shop/prices.py": PRICES,
        "shop/prices.json": "{}",
        "unused/__init__.py": "",
        "headrace.toml": SETTINGS,
    }
    for name, text in files.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    orders = project / "my_jobs" / "orders.py"
    orders.write_text(orders.read_text().replace(BEFORE, AFTER))
    lock_only(project, a_wheel(folder, "cents", "cents/__init__.py"))
    return project


@pytest.fixture(scope="module")
def built(project: Path) -> Path:
    """The folder with its artifacts and its template."""
    told = json.loads(headrace(project / "tests", "build", "--target", "here", "--json"))
    assert told["bytes"].keys() == set(function_folders())
    return Path(told["template"]).parent


def environment() -> dict[str, str]:
    """Without a package of job types: `headrace.toml` is to name it."""
    return {name: value for name, value in clean_environment().items() if name != "JOB_TYPES"}


def headrace(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [HEADRACE, *arguments], cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_new_project_runs_its_job_type_and_passes_its_tests(tmp_path: Path) -> None:
    headrace(tmp_path, "new", "my-jobs")
    project = tmp_path / "my-jobs"
    assert json.loads(headrace(project, "run", "orders.total", "--payload", '{"prices": [300, 250]}')) == {"total": 550}
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "2 passed" in tested.stdout, tested.stdout


def test_requirements_are_in_the_functions_that_run_the_job_types_alone(built: Path) -> None:
    assert {name for name in function_folders() if (built / name / "cents").exists()} == set(
        filter(runs_jobs, function_folders())
    )


def test_what_the_job_types_import_is_in_every_artifact_and_no_tests(built: Path) -> None:
    for name in function_folders():
        assert (built / name / "shop" / "prices.json").exists()
        assert (built / name / "my_jobs" / "late.py").exists()
        for absent in ("unused", "tests", "my_jobs/tests", "job_types"):
            assert not (built / name / absent).exists(), absent


def test_the_artifact_contains_the_services_that_job_types_use(built: Path) -> None:
    command = [sys.executable, "-I", "-S", "-B", "-c", USES, str(built / "WorkerFunction")]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (tried.stdout, tried.stderr) == ("UnknownServiceError\n", "")


def test_the_built_template_is_one_that_can_be_deployed(built: Path) -> None:
    template = built / "uploaded.yaml"
    template.write_text(re.sub("CodeUri: .*", "CodeUri: s3://bucket/code", (built / "template.yaml").read_text()))
    stack = load_stack({**PARAMETERS, "OrdersBucket": "orders"}, template)
    worker, api = stack.functions["WorkerFunction"], stack.functions["ApiFunction"]
    assert (worker.environment["BUCKET"], worker.environment["JOB_TYPES"]) == ("orders", "my_jobs")
    assert ("BUCKET" in api.environment, api.environment["JOB_TYPES"]) == (False, "my_jobs")


def test_a_command_for_projects_says_so_outside_one(tmp_path: Path) -> None:
    for command in ("build", "lock"):
        ran = subprocess.run([HEADRACE, command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (ran.returncode, ran.stderr.startswith("headrace: there is no headrace.toml")) == (3, True)


def project_with(folder: Path, files: dict[str, str]) -> JobTypes:
    """A project whose package of job types has some files, and no job types."""
    for name, text in {"__init__.py": "JOB_TYPES = ()\n", **files}.items():
        path = folder / "my_jobs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "headrace.toml").write_text('job_types = "my_jobs"\n')
    return JobTypes(package="my_jobs", folder=folder, environment={})


def test_a_build_with_a_service_that_cannot_be_read_fails_with_a_sentence(tmp_path: Path) -> None:
    project = project_with(tmp_path / "project", {"any_service.py": VARIABLE})
    (told,) = build("WorkerFunction", tmp_path / "artifact", HERE, project)
    assert told.startswith("my_jobs/any_service.py:6: the AWS service of `boto3.client(service)`")


def test_a_requirement_that_would_overwrite_our_functions_is_refused(tmp_path: Path) -> None:
    project = project_with(tmp_path / "project", {})
    lock_only(project.folder, a_wheel(tmp_path, "cloud_kit", "functions/__init__.py"))
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


def lock_only(project: Path, wheel: Path) -> None:
    requirements = project / "requirements.txt"
    requirements.write_text(f"{wheel}\n")
    pinned = f"{wheel} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    (project / "requirements.lock").write_text(f"{digest((requirements,))}\n{pinned}\n")
