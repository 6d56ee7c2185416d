"""The build finds what to keep by reading the code, and reports what it cannot read with file and line."""

import sys
from pathlib import Path

import pytest

from headrace.build.needs import Needs, find_needs
from headrace.build.proof import Machine, prove
from headrace.build.reading import Reading, read
from headrace.emulator.template import Stack


def reading(source: str) -> Reading:
    return read(source.encode(), "job_types/archive.py", "job_types.archive", is_package=False)


def services(source: str) -> set[tuple[str, str, str]]:
    found = reading(source)
    assert found.problems == ()
    return {(client.sdk, client.kind, client.service) for client in found.clients}


def artifact_of(folder: Path, files: dict[str, str]) -> Path:
    for service in ("s3", "ses", "dynamodb", "sqs"):
        (folder / "botocore" / "data" / service).mkdir(parents=True)
    (folder / "boto3" / "data" / "dynamodb").mkdir(parents=True)
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return folder


def needs_of(folder: Path, files: dict[str, str], removable: frozenset[Path] = frozenset()) -> Needs:
    return find_needs(artifact_of(folder, files), frozenset({"job_types", "functions"}), removable)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('import boto3\nboto3.client("s3")', ("boto3", "client", "s3")),
        ('import boto3\ndef run():\n  boto3.client(service_name="s3", region_name="x")', ("boto3", "client", "s3")),
        ('import boto3\nboto3.resource("dynamodb")', ("boto3", "resource", "dynamodb")),
        ('import boto3 as aws\naws.Session().client("s3")', ("boto3", "client", "s3")),
        ('from boto3 import client as make\nmake("s3")', ("boto3", "client", "s3")),
        ('from boto3.session import Session\nS = Session()\nS.client("s3")', ("boto3", "client", "s3")),
        ('import aioboto3\nasync def run():\n  async with S.client("ses") as c: ...', ("aioboto3", "client", "ses")),
        ('from botocore.session import get_session\nget_session().create_client("s3")', ("boto3", "client", "s3")),
        ('import asyncio, boto3\nasyncio.to_thread(boto3.client, "s3")', ("boto3", "client", "s3")),
        ('from functools import partial\nfrom boto3 import client\npartial(client, "s3")', ("boto3", "client", "s3")),
        ('import boto3\nAWS_SERVICES = ("s3",)\ndef run(n): boto3.client(n)', ("boto3", "client", "s3")),
        ('import aioboto3\nAWS_SERVICES: tuple[str, ...] = ("ses",)\nS.client(X)', ("aioboto3", "client", "ses")),
    ],
)  # fmt: skip
def test_the_service_of_a_client_is_found(source: str, expected: tuple[str, str, str]) -> None:
    assert expected in services(source)


@pytest.mark.parametrize(
    "call",
    [
        "boto3.client(NAME)", "boto3.resource(NAME)", "boto3.client(*names)", "boto3.client(**settings)",
        "boto3.Session().client(f'{NAME}')", "asyncio.to_thread(boto3.client, NAME)", "make = boto3.client",
        "boto3.client(service_name=NAME)",
    ],
)  # fmt: skip
def test_a_service_that_cannot_be_read_is_reported_with_its_place_and_the_solution(call: str) -> None:
    (problem,) = reading(f"import boto3\n\n{call}\n").problems
    assert problem.startswith("job_types/archive.py:3: ")
    assert 'AWS_SERVICES = ("s3",)' in problem


def test_a_declaration_that_cannot_be_read_is_reported_too() -> None:
    for value in ("names()", "(NAME,)", '"s3"'):
        (problem,) = reading(f"import boto3\nAWS_SERVICES = {value}\nboto3.client(X)").problems
        assert problem.startswith("job_types/archive.py:2: AWS_SERVICES must be a tuple of literal names")


def test_a_file_that_is_not_python_is_reported_with_its_path() -> None:
    assert reading("x = 1\ndef run(:\n").problems == (
        "job_types/archive.py:2 is not Python that can be read: invalid syntax",
    )  # fmt: skip


def test_a_client_of_another_library_is_not_an_aws_service() -> None:
    assert services("import httpx\nhttpx.client(URL)\nself.client()\nfactory.resource(request)") == set()


def test_an_import_only_for_type_checking_is_ignored() -> None:
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  from types_aiobotocore_s3 import S3Client"
    assert [each.module for each in reading(source).imports] == ["typing"]


def test_imports_in_functions_are_found_and_those_that_may_fail_are_known() -> None:
    source = "def run():\n  import a.b\n  try:\n    import c\n  except ImportError:\n    import d\n"
    found = reading(f"{source}  with suppress(ImportError):\n    import e\nfrom . import f\nfrom .g import h")
    assert [(each.module, each.names, each.lazy, each.optional) for each in found.imports] == [
        ("a.b", (), True, False),
        ("c", (), True, True),
        ("d", (), True, True),
        ("e", (), True, True),
        ("job_types", ("f",), False, False),
        ("job_types.g", ("h",), False, False),
    ]


def test_imports_of_a_job_type_are_followed(tmp_path: Path) -> None:
    """A lazy import through a package of the deployment to a part of a known package that is removed by default."""
    needs = needs_of(
        tmp_path,
        {
            "job_types/serve.py": "def run():\n  import added",
            "added/__init__.py": "def late():\n  from aiohttp import web",
            "aiohttp/__init__.py": "def late():\n  import aiohttp.test_utils",
            "aiohttp/web.py": "def late():\n  from . import web_app",
            "aiohttp/web_app.py": "",
            "aiohttp/test_utils.py": "",
        },
        removable=frozenset({Path("aiohttp/web.py"), Path("aiohttp/web_app.py"), Path("aiohttp/test_utils.py")}),
    )
    assert needs.problems == ()
    assert {Path("aiohttp/web.py"), Path("aiohttp/web_app.py")} <= needs.files
    assert Path("aiohttp/test_utils.py") not in needs.files


def test_services_that_an_added_package_uses_are_found_but_not_those_of_the_sdk(tmp_path: Path) -> None:
    needs = needs_of(
        tmp_path,
        {
            "job_types/serve.py": "import added",
            "added/__init__.py": 'import boto3\ndef late(name):\n  boto3.client("s3")\n  boto3.client(name)',
            "boto3/__init__.py": 'def late():\n  create_client("ses")',
        },
    )
    assert (needs.services, needs.problems) == (frozenset({"s3"}), ())


def test_s3_includes_the_late_imports_of_its_clients(tmp_path: Path) -> None:
    needs = needs_of(
        tmp_path,
        {
            "job_types/a.py": 'import boto3\nboto3.client("s3")',
            "boto3/__init__.py": "",
            "boto3/s3/__init__.py": "",
            "boto3/s3/inject.py": "import s3transfer.manager",
            "s3transfer/__init__.py": "",
            "s3transfer/manager.py": "",
        },
        removable=frozenset({Path("s3transfer/__init__.py"), Path("s3transfer/manager.py")}),
    )
    assert Path("s3transfer/manager.py") in needs.files


def test_a_package_that_only_this_machine_has_is_reported(tmp_path: Path) -> None:
    needs = needs_of(tmp_path, {"job_types/thumbnail.py": "import csv\n\ndef run():\n    import PIL.Image\n"})
    (problem,) = needs.problems
    assert problem.startswith("job_types/thumbnail.py:4 imports PIL.Image, which no package of the artifact has")


def test_a_service_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    needs = needs_of(tmp_path, {"job_types/a.py": 'import boto3\nboto3.client("dynamo")', "boto3/__init__.py": ""})
    assert needs.problems == (
        "job_types/a.py:2: botocore knows no AWS service named 'dynamo'; is it dynamodb?",
    )  # fmt: skip


# ---- the verification ----


def proof_of(folder: Path, stack: Stack, files: dict[str, str]) -> tuple[str, ...]:
    files = {"functions/worker/handler.py": "def handler(): ...", **files}
    needs = needs_of(folder, files)
    assert needs.problems == ()
    return prove(stack.functions["WorkerFunction"], folder, needs, Machine(sys.executable, "here", foreign=False))


def test_an_artifact_that_starts_is_verified(tmp_path: Path, stack: Stack) -> None:
    """The check runs with the template's environment and ignores printed output."""
    handler = "import os\nos.environ['JOBS_TABLE']\nprint('hello')\ndef handler(): ..."
    assert proof_of(tmp_path, stack, {"functions/worker/handler.py": handler}) == ()


def test_a_job_type_that_cannot_be_imported_is_named(tmp_path: Path, stack: Stack) -> None:
    files = {"functions/worker/handler.py": "import job_types.a\ndef handler(): ...", "job_types/a.py": "1 / 0"}
    assert proof_of(tmp_path, stack, files) == (
        "job_types/a.py cannot be imported in the artifact of WorkerFunction: ZeroDivisionError: division by zero",
    )


def test_a_function_that_cannot_start_fails_the_build(tmp_path: Path, stack: Stack) -> None:
    files = {"functions/worker/handler.py": "raise ValueError('text.slow: a timeout of 84 s\\nis too long')"}
    assert proof_of(tmp_path, stack, files) == (
        (
            "WorkerFunction does not start with the environment that template.yaml gives it: "
            "ValueError: text.slow: a timeout of 84 s is too long"
        ),
    )


def test_a_late_import_of_a_job_type_is_tested(tmp_path: Path, stack: Stack) -> None:
    files = {"job_types/a.py": "def run():\n  from csv import absent", "sub/x.py": ""}
    assert proof_of(tmp_path, stack, files) == (
        (
            "job_types/a.py:2 imports csv, which the artifact of WorkerFunction cannot import: "
            "ModuleNotFoundError: No module named 'csv.absent'; 'csv' is not a package"
        ),
    )


def test_a_client_that_cannot_be_created_is_named(tmp_path: Path, stack: Stack) -> None:
    sdk = "class Session:\n  def __init__(self, region_name): ...\n  def client(self, name): raise KeyError(name)"
    files = {"job_types/a.py": 'import boto3\ndef run():\n  boto3.client("s3")', "boto3/__init__.py": sdk}
    assert proof_of(tmp_path, stack, files) == (
        "job_types/a.py:3: no client for s3 can be made in the artifact of WorkerFunction: KeyError: 's3'",
    )


def test_a_module_that_ends_the_interpreter_is_no_traceback(tmp_path: Path, stack: Stack) -> None:
    (problem,) = proof_of(tmp_path, stack, {"job_types/a.py": "import os\nos._exit(3)"})
    assert problem.startswith("WorkerFunction ended its interpreter (code 3) when it was imported")
