"""Builds one artifact: `python -m headrace.build WorkerFunction DIR`, as `sam build` calls it through the Makefile.

The variable TARGET says for which machine: `3.13-arm64` (the default, as in template.yaml), `3.13-x86_64`, any other
version of Python with one of these architectures, or `here` for this machine and its Python. The job types are those of
the project in the current folder; the variable JOB_TYPES names another package.
"""

import gc
import os
import sys
from pathlib import Path

from headrace.build.artifact import JobTypes, build
from headrace.build.targets import DEFAULT_TARGET, UnknownTarget, target_of
from headrace.emulator.current_project import current_project, project_folder
from headrace.emulator.database import StackError
from headrace.emulator.template import declared_job_types


def main(function: str, artifact: Path) -> tuple[str, ...]:
    """Build for the target of the environment; returns sentences that say why it cannot be deployed."""
    target = target_of(os.environ.get("TARGET", DEFAULT_TARGET))
    if isinstance(target, UnknownTarget):
        return (f"TARGET={target.reason}",)
    try:
        project, package = current_project(), declared_job_types(os.environ)
    except StackError as error:
        return (str(error),)
    environment = {} if project is None else project.environment
    return build(
        function, artifact, target, JobTypes(package=package, folder=project_folder(), environment=environment)
    )


if __name__ == "__main__":
    gc.disable()  # A process of seconds: to look for garbage takes a fifth of its time.
    problems = main(sys.argv[1], Path(sys.argv[2]))
    sys.exit("\n".join(problems) if problems else 0)
