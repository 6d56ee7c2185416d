"""The template of a project is Headrace's own, with what headrace.toml declares in the functions that run its types."""

import re
from pathlib import Path

import pytest
from pydantic import JsonValue

from headrace.build.merging import Unmergeable, merged
from headrace.emulator.cloudformation import ROOT, function_folders, mapping, runs_jobs, written
from headrace.project.settings import Parameter, Project, Right, read_project

WHOLE = Project(
    root=Path("/project"),
    job_types="my_jobs",
    environment={"BUCKET": "${Images}", "MODE": "fast"},
    parameters={"Images": Parameter(description="Where images lie"), "Key": Parameter(secret=True, default="x")},
    rights=(
        Right(
            actions=("s3:GetObject",),
            resources=("arn:${AWS::Partition}:s3:::${Images}/*", "${JobsTable.Arn}"),
            conditions={"StringEquals": {"s3:ExistingObjectTag/key": "${Key}"}},
        ),
    ),
)
BEFORE = written()


def merge(project: Project) -> dict[str, JsonValue]:
    found = merged(written(), project)
    assert isinstance(found, dict), found
    return found


def at(document: JsonValue, *path: str) -> dict[str, JsonValue]:
    for key in path:
        document = mapping(document)[key]
    return mapping(document)


def problems(project: Project) -> tuple[str, ...]:
    found = merged(written(), project)
    assert isinstance(found, Unmergeable)
    return found.problems


def test_the_worker_runs_job_types_and_what_validates_or_sweeps_does_not() -> None:
    found = {name: runs_jobs(name) for name in ("WorkerFunction", "ApiFunction", "SweeperFunction")}
    assert found == {"WorkerFunction": True, "ApiFunction": False, "SweeperFunction": False}


def test_variables_go_to_the_functions_that_run_job_types() -> None:
    document = merge(WHOLE)
    variables = at(document, "Resources", "WorkerFunction", "Properties", "Environment", "Variables")
    own = at(BEFORE, "Resources", "WorkerFunction", "Properties", "Environment", "Variables")
    assert variables == {**own, "BUCKET": {"Fn::Sub": "${Images}"}, "MODE": "fast"}
    for name in ("ApiFunction", "SweeperFunction"):
        path = ("Resources", name, "Properties", "Environment")
        assert at(document, *path) == at(BEFORE, *path)


def test_rights_are_a_policy_of_their_role_beside_headraces() -> None:
    document = merge(WHOLE)
    before = at(BEFORE, "Resources", "WorkerRole", "Properties")["Policies"]
    after = at(document, "Resources", "WorkerRole", "Properties")["Policies"]
    assert isinstance(before, list)
    assert isinstance(after, list)
    assert after[:-1] == before
    assert mapping(after[-1])["PolicyDocument"] == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject"],
                "Resource": [
                    {"Fn::Sub": "arn:${AWS::Partition}:s3:::${Images}/*"},
                    {"Fn::Sub": "${JobsTable.Arn}"},
                ],
                "Condition": {"StringEquals": {"s3:ExistingObjectTag/key": [{"Fn::Sub": "${Key}"}]}},
            }
        ],
    }
    for role in ("ApiRole", "SweeperRole"):
        assert at(document, "Resources", role) == at(BEFORE, "Resources", role)


def test_parameters_are_added_and_the_job_types_are_the_projects() -> None:
    parameters = at(merge(WHOLE), "Parameters")
    assert parameters["Images"] == {"Type": "String", "Description": "Where images lie; raise ConfigRevision with it"}
    assert parameters["Key"] == {"Type": "String", "Default": "x", "NoEcho": True}
    assert mapping(parameters["JobTypes"])["Default"] == "my_jobs"
    assert parameters.keys() - at(BEFORE, "Parameters").keys() == {"Images", "Key"}


def test_each_function_has_its_artifact_and_is_built_no_more() -> None:
    document = merge(WHOLE)
    assert "CodeUri" not in at(document, "Globals", "Function")
    for name in function_folders():
        assert at(document, "Resources", name, "Properties")["CodeUri"] == name
        assert "BuildMethod" not in at(document, "Resources", name, "Metadata")


def test_a_project_that_declares_nothing_changes_nothing_else() -> None:
    document, names = merge(Project(root=Path("/"), job_types="my_jobs")), set(function_folders())
    resources, before = at(document, "Resources"), at(BEFORE, "Resources")
    assert {name: spec for name, spec in resources.items() if name not in names} == {
        name: spec for name, spec in before.items() if name not in names
    }
    assert document["Outputs"] == BEFORE["Outputs"]


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"parameters": {"LogLevel": {}}, "environment": {"AB": "${LogLevel}"}}, "the parameter LogLevel has the name"),
        ({"environment": {"JOBS_TABLE": "x"}}, "`environment.JOBS_TABLE` is a setting of Headrace itself"),
        ({"environment": {"CURSOR_KEY": "x"}}, "`environment.CURSOR_KEY` is a setting of Headrace itself"),
        (
            {"environment": {"BUCKET": "${Bukket}"}},
            "`environment.BUCKET` refers to Bukket, which is no parameter; declare it as [parameters.Bukket]",
        ),
        (
            {"rights": [{"actions": ["s3:GetObject"], "resources": ["${X.Arn}"]}]},
            "`rights.0.resources.0` refers to X.Arn, which is no parameter",
        ),
        ({"parameters": {"Bucket": {}}}, "nothing refers to the parameter Bucket; write ${Bucket} where it is used"),
    ],
)
def test_what_does_not_fit_is_told_in_a_sentence(declared: dict[str, JsonValue], told: str) -> None:
    (sentence,) = problems(Project.model_validate({"root": "/", "job_types": "my_jobs", **declared}))
    assert sentence.startswith(f"headrace.toml: {told}")


def test_what_the_documentation_declares_fits(tmp_path: Path) -> None:
    found = re.search(r"```toml\n(.*?)```", (ROOT / "docs" / "deploy.md").read_text(), re.DOTALL)
    assert found is not None
    (tmp_path / "headrace.toml").write_text(found[1])
    project = read_project(tmp_path)
    assert isinstance(project, Project), project
    assert "ApiToken" in at(merge(project), "Parameters")
