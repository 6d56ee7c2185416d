"""A function is added by its folder and its block in template.yaml: everything else follows from these two."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.emulator.cloudformation import ROOT

HANDLER = """
def handler(event: dict[str, object], _context: object) -> dict[str, object]:
    return {"nothing": event}
"""
BLOCK = """
  NothingFunction:
    Type: AWS::Serverless::Function
    UpdateReplacePolicy: Retain
    Metadata: {BuildMethod: makefile}
    Properties:
      Description: !Sub Does nothing (configuration ${ConfigRevision})
      VersionDescription: !Sub ${ConfigRevision} ${Architecture} ${SnapStart} ${LogLevel} ${JobTypes}
      Role: !GetAtt NothingRole.Arn
      AutoPublishAliasAllProperties: true
      LoggingConfig:
        LogFormat: JSON
        LogGroup: !Ref NothingLogGroup
        SystemLogLevel: WARN
        ApplicationLogLevel: !If [WithDebugLog, DEBUG, INFO]
      Handler: functions.nothing.handler.handler
      Timeout: 3

  NothingRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - PolicyName: nothing
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: [logs:CreateLogStream, logs:PutLogEvents]
                Resource: !GetAtt NothingLogGroup.Arn

  NothingLogGroup:
    Type: AWS::Logs::LogGroup
    Properties:
      LogGroupName: !Sub /aws/lambda/${AWS::StackName}/nothing
      RetentionInDays: !Ref LogRetentionDays
"""
TRIED = """
import asyncio, os
from pathlib import Path
from headrace.emulator.database import local_credentials
from headrace.emulator.function_pool import FunctionPool
from headrace.build.contents import contents_of
from headrace.build.proof import declared_function

async def invoked():
    pool = FunctionPool(declared_function("NothingFunction", "job_types"), local_credentials(), Path("nothing.log"), 1)
    try:
        return await pool.invoke({"a": 1})
    finally:
        await pool.stop()

contents = contents_of("NothingFunction", "job_types", Path.cwd())
assert "functions/nothing" in contents.code and "functions/worker" not in contents.code, contents
assert [lock.name for lock in contents.locks] == ["function.txt"] and not contents.runs_jobs, contents
print(asyncio.run(invoked()))
"""
VERSIONS = "tests/unit/test_published_versions.py::test_"
CHECKS = (
    "tests/unit/test_settings.py",
    "tests/unit/test_deployment.py",
    "tests/unit/test_generated.py",
    f"{VERSIONS}a_parameter_publishes_a_version_of_exactly_the_functions_that_use_it[ConfigRevision]",
    f"{VERSIONS}a_parameter_publishes_a_version_of_exactly_the_functions_that_use_it[JobTypes]",
    f"{VERSIONS}a_property_that_is_changed_in_the_template_publishes_a_version_as_well",
    f"{VERSIONS}every_parameter_and_every_variable_is_in_the_table_of_settings",
    f"{VERSIONS}no_description_is_longer_than_lambda_permits",
)
"""Of the versions, what does not take the same way for each parameter."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a function that does nothing."""
    folder = tmp_path_factory.mktemp("project") / "copy"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, folder, ignore=left_out)
    (folder / "functions" / "nothing").mkdir()
    (folder / "functions" / "nothing" / "__init__.py").write_text('"""Does nothing."""\n')
    (folder / "functions" / "nothing" / "handler.py").write_text(f'"""Entry point of NothingFunction."""\n\n{HANDLER}')
    template = folder / "template.yaml"
    before, outputs, after = template.read_text().partition("\nOutputs:\n")
    template.write_text(f"{before}{BLOCK}{outputs}{after}")
    return folder


def run(folder: Path, *command: str) -> str:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return ran.stdout


def test_it_is_built_and_runs_on_the_local_stack(copy: Path) -> None:
    assert "payload={'nothing': {'a': 1}}" in run(copy, sys.executable, "-c", TRIED)


def test_it_may_import_no_other_function(copy: Path) -> None:
    """The contracts hold, and they hold for it."""
    lint = str(Path(sys.executable).with_name("lint-imports"))
    assert "0 broken" in run(copy, lint, "--no-cache")
    intruder = copy / "functions" / "nothing" / "intruder.py"
    intruder.write_text("from functions.worker import batch\n")
    try:
        with pytest.raises(AssertionError, match="The functions do not import one another BROKEN"):
            run(copy, lint, "--no-cache")
    finally:
        intruder.unlink()


def test_it_passes_the_checks_of_the_template_the_settings_and_the_generated_documents(copy: Path) -> None:
    passed = run(copy, sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *CHECKS)
    assert " passed" in passed
