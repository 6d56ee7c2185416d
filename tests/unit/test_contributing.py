"""CONTRIBUTING answers a newcomer's questions by paths, and the paths exist."""

import re
from pathlib import Path

import pytest

from headrace.emulator.cloudformation import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
ROWS = dict(re.findall(r"^\| (Where [^|]*\?) \| ([^|]*) \|$", TEXT, re.MULTILINE))
ASKED = (
    "a job's status changed", "the form of a stored item", "a function get its parts", "add a job type",
    "add a function", "add a route", "add a table", "add a command", "add a setting",
)  # fmt: skip


def paths_of(answer: str) -> list[Path]:
    return [ROOT / name for name in re.findall(r"`([^`]*)`", answer)]


@pytest.mark.parametrize("asked", ASKED)
def test_a_newcomers_question_has_its_row(asked: str) -> None:
    assert [question for question in ROWS if asked in question], f"no row answers: where {asked}?"


@pytest.mark.parametrize("question", ROWS)
def test_every_answer_is_a_path_that_exists(question: str) -> None:
    paths = paths_of(ROWS[question])
    assert paths
    assert [path for path in paths if not path.exists()] == []
