"""The pytest plugin. It imports Headrace only in its fixtures, so that it costs other projects nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from domain.jobs.catalogue import Catalogue
    from headrace import Handler
    from headrace.testing import JobStack


@pytest.fixture
def job_types(request: pytest.FixtureRequest) -> Iterable[Handler] | Catalogue:
    """The job types of `job_stack`: those of JOB_TYPES, else of the project. Override it to name others."""
    from functions.job_types import InvalidJobTypes, load_job_types  # noqa: PLC0415 - see above

    try:
        return load_job_types(os.environ.get("JOB_TYPES") or _of_the_project(request.path.parent))
    except InvalidJobTypes as error:
        pytest.fail(f"{error}; or define a fixture `job_types` that returns a tuple of job types", pytrace=False)


@pytest.fixture
def job_stack(job_types: Iterable[Handler] | Catalogue) -> Iterator[JobStack]:
    """API, worker and sweeper in this process, on a clock that `await job_stack.travel(hours=3)` moves."""
    from datetime import UTC, datetime  # noqa: PLC0415 - see above

    from headrace.testing import JobStack  # noqa: PLC0415 - see above

    stack = JobStack(job_types, datetime.now(UTC))
    yield stack
    stack.close()


def _of_the_project(folder: Path) -> str:
    """The package that the `headrace.toml` of a folder, or of one above, names; without one, Headrace's own."""
    from headrace.project.settings import InvalidProject, project_root, read_project  # noqa: PLC0415 - see above

    root = project_root(folder)
    if root is None:
        return "job_types"
    project = read_project(root)
    if isinstance(project, InvalidProject):
        pytest.fail(project.reason, pytrace=False)
    return project.job_types
