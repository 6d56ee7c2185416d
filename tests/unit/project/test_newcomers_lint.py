"""What a newcomer copies passes ruff's default rules in a project of their own, where Headrace is third-party."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from headrace.emulator.cloudformation import ROOT
from headrace.project.scaffold import create

PROJECTS = ("csv_files", "notify", "thumbnails")
SHOWN = re.compile(r"<!-- test: tests/documented/(\w+\.py) -->\n```python\n(.*?)```", re.DOTALL)


def flaws(folder: Path) -> str:
    """What ruff's default rules find in a folder; empty if nothing."""
    ruff = (sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--quiet", "--output-format", "concise")
    return subprocess.run([*ruff, "."], cwd=folder, capture_output=True, text=True, check=False).stdout


def shown() -> Iterator[tuple[str, str]]:
    for document in ("README.md", "docs/job-types.md"):
        yield from SHOWN.findall((ROOT / document).read_text())


def test_the_job_types_of_the_documents_pass(tmp_path: Path) -> None:
    blocks = dict(shown())
    assert {"word_count.py", "mail.py", "test_pay.py"} <= set(blocks)
    tests = tmp_path / "tests" / "documented"
    tests.mkdir(parents=True)
    for name, text in blocks.items():
        (tests / name).write_text(text)
    assert flaws(tmp_path) == ""


def test_a_new_project_passes(tmp_path: Path) -> None:
    create(tmp_path / "my-jobs")
    assert flaws(tmp_path / "my-jobs") == ""


@pytest.mark.parametrize("name", PROJECTS)
def test_an_example_passes(name: str) -> None:
    assert flaws(ROOT / "examples" / name) == ""
