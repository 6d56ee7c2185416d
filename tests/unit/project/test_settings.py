"""`headrace.toml`: what it may say, and the sentence for what it may not."""

from pathlib import Path

import pytest

from headrace.cli.handler_options import sources_of
from headrace.emulator.current_project import current_project, project_folder
from headrace.emulator.database import StackError
from headrace.emulator.handler_variables import read_variables
from headrace.emulator.template import declared_job_types
from headrace.project.settings import (
    FILE,
    InvalidProject,
    Parameter,
    Project,
    Right,
    project_root,
    read_project,
    referred,
)

WHOLE = """
job_types = "my_jobs"

[environment]
BUCKET = "${ImageBucket}"

[parameters.ImageBucket]
description = "Where images lie"

[[rights]]
actions = ["s3:GetObject"]
resources = ["arn:aws:s3:::${ImageBucket}/*"]
"""


def written(folder: Path, text: str) -> Project | InvalidProject:
    (folder / FILE).write_text(text)
    return read_project(folder)


def test_it_names_the_job_types_and_what_they_need(tmp_path: Path) -> None:
    assert written(tmp_path, WHOLE) == Project(
        root=tmp_path,
        job_types="my_jobs",
        environment={"BUCKET": "${ImageBucket}"},
        parameters={"ImageBucket": Parameter(description="Where images lie")},
        rights=(Right(actions=("s3:GetObject",), resources=("arn:aws:s3:::${ImageBucket}/*",)),),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the key `job_types` is missing"),
        ('jobtypes = "a"', "unknown key `jobtypes`; did you mean `job_types`?"),
        ('job_types = "a"\nroot = "/"', "unknown key `root`; there are: job_types, environment, parameters, rights"),
        ('job_types = "a"\n[parameters.X]\nsecrt = true', "unknown key `parameters.X.secrt`; did you mean `secret`?"),
        ('job_types = "my-jobs"', "`job_types` is not accepted: String should match pattern"),
        ('job_types = "a"\n[environment]\nAWS_REGION = ""', "`environment` names AWS_REGION, which Lambda sets itself"),
        (
            'job_types = "a"\n[environment]\nPORT = 7',
            "`environment.PORT` is not accepted: Input should be a valid string",
        ),
        ('job_types = "a"\n[[rights]]\nactions = ["*"]\nresources = ["*"]', "`rights.0.actions.0` is not accepted"),
        ("job_types = ", "is not TOML: Invalid value"),
    ],
)
def test_what_it_may_not_say_is_told_by_its_key(tmp_path: Path, text: str, told: str) -> None:
    refused = written(tmp_path, text)
    assert isinstance(refused, InvalidProject)
    assert refused.reason.startswith(str(tmp_path / FILE))
    assert told in refused.reason


def test_a_refusal_does_not_repeat_a_value(tmp_path: Path) -> None:
    refused = written(tmp_path, 'job_types = "a"\n[environment]\nKEY = ["hunter2"]')
    assert isinstance(refused, InvalidProject)
    assert "hunter2" not in refused.reason


def test_the_nearest_file_at_or_above_a_folder_makes_the_project(tmp_path: Path) -> None:
    below = tmp_path / "my_jobs" / "deep"
    below.mkdir(parents=True)
    assert project_root(below) is None
    (tmp_path / FILE).touch()
    assert project_root(below) == project_root(tmp_path) == tmp_path


def test_commands_find_the_job_types_from_a_folder_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path / "tests")
    assert declared_job_types({}) == "job_types"
    written(tmp_path, WHOLE)
    assert (project_folder(), declared_job_types({})) == (tmp_path, "my_jobs")
    assert declared_job_types({"JOB_TYPES": "others"}) == "others"


def test_a_flawed_file_ends_a_command_with_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "")
    with pytest.raises(StackError, match="the key `job_types` is missing"):
        current_project()


def test_references_are_those_of_a_substitution() -> None:
    assert list(referred("a${B}c${AWS::Region}${!D}${E.Arn}")) == ["B", "AWS::Region", "E.Arn"]


def test_the_variables_whose_values_are_known_are_those_of_handlers_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = """
        job_types = "my_jobs"
        [environment]
        MODE = "fast"
        PLACE = "in ${Region}"
        KEY = "${Key}"
        [parameters.Region]
        default = "Bergen"
        [parameters.Key]
        secret = true
    """
    project = written(tmp_path, declared)
    assert isinstance(project, Project)
    assert project.known_environment == {"MODE": "fast", "PLACE": "in Bergen"}
    (tmp_path / ".env").write_text("MODE=slow")
    (tmp_path / "my_jobs").mkdir()
    monkeypatch.chdir(tmp_path / "my_jobs")
    monkeypatch.setenv("PLACE", "in Oslo")
    found = read_variables(sources_of((), None), frozenset()).values
    assert (found["MODE"], found["PLACE"], "KEY" in found) == ("slow", "in Oslo", False)
