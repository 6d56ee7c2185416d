"""The pytest plugin. It imports Headrace only in projects with a `headrace.toml`, so that it costs others nothing."""

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

PROJECT_FILE = "headrace.toml"


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to begin in a project that no command would run, with the sentence that they all say."""
    for start in dict.fromkeys((config.invocation_params.dir, config.rootpath)):
        root = next((folder for folder in (start, *start.parents) if (folder / PROJECT_FILE).is_file()), None)
        if root is None:
            continue
        from headrace.emulator.current_project import checked_project  # noqa: PLC0415 - see above
        from headrace.emulator.database import StackError  # noqa: PLC0415 - see above

        try:
            checked_project(root)
        except StackError as error:
            raise pytest.UsageError(str(error)) from None


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
    from headrace.emulator.current_project import checked_project  # noqa: PLC0415 - see above
    from headrace.emulator.database import StackError  # noqa: PLC0415 - see above
    from headrace.project.settings import project_root  # noqa: PLC0415 - see above

    root = project_root(folder)
    try:
        return "job_types" if root is None else checked_project(root).job_types
    except StackError as error:
        pytest.fail(str(error), pytrace=False)
