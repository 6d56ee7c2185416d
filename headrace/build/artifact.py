"""Builds the artifact of one function: what it imports, for its target, compiled.

Packages are slimmed: of AWS's services only those stay that the code uses, and modules that nothing imports go
(`needs.py` finds both). The result is imported and its clients are made, by an interpreter that can import nothing else
(`proof.py`), before the build succeeds. Every obstacle is a sentence, with file and line.
"""

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from headrace.authoring.frozen import Frozen
from headrace.build.collisions import collisions
from headrace.build.contents import PAGE, Contents, contents_of
from headrace.build.needs import Definitions, Needs, find_needs
from headrace.build.proof import Machine, declared_function, prove, unlike_here
from headrace.build.sizes import too_large
from headrace.build.slimming import removable, slim
from headrace.build.targets import HERE, Target, interpreter, machine
from headrace.emulator.cloudformation import ROOT, function_folders
from headrace.project.code import NOT_SHIPPED
from headrace.project.requirements import COMMAND, REQUIREMENTS, REQUIREMENTS_OF_API, outdated
from headrace.project.settings import FILE
from headrace.project.uv import uv, uv_environment

WHERE_LAMBDA_UNPACKS = "/var/task"
_NOT_COPIED = shutil.ignore_patterns(*NOT_SHIPPED, "samples")


class JobTypes(Frozen):
    """The job types of a build, and what `headrace.toml` gives the functions that run them."""

    package: str
    folder: Path
    """Where the package lies, with what it imports and its locks; a requirement lies elsewhere."""
    environment: Mapping[str, str]


def build(function: str, artifact: Path, target: Target, job_types: JobTypes) -> tuple[str, ...]:
    """Fill the folder `artifact` with all that a function of template.yaml runs.

    Returns sentences that say why it cannot be deployed; none when it can.
    """
    obstacles = (*outdated(job_types.folder), *_without_page(function))
    if obstacles:
        return obstacles
    contents = contents_of(function, job_types.package, job_types.folder)
    artifact.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as beside:  # The template is read while the disk is busy.
        declared = beside.submit(declared_function, function, job_types.package)
        refused = _install(contents, artifact, target)
    if refused:
        return refused
    hint = _hint(contents, job_types.folder)
    needs = fill(artifact, contents, hint)
    if needs.problems:
        return tuple(dict.fromkeys(needs.problems))
    _compile(artifact, target)
    variables = job_types.environment if contents.runs_jobs else {}
    proven = declared.result().model_copy(update={"environment": {**variables, **declared.result().environment}})
    with TemporaryDirectory() as folder:
        proof = prove(proven, artifact, needs, _with_lender(machine(target), contents, artifact, folder), hint)
    problems = (*proof, *too_large(function, artifact))
    _settle(artifact)
    return tuple(dict.fromkeys(problems))


def _without_page(function: str) -> tuple[str, ...]:
    """A sentence where the function serves the page and that is not built."""
    built = ROOT / PAGE
    if function_folders()[function] != "api" or (built / "index.html.br").is_file():
        return ()
    return (f"the page is not built: {built} is missing; run `make setup` in Headrace's clone",)


def fill(artifact: Path, contents: Contents, hint: str = "") -> Needs:
    """Add our code to the installed packages, and remove of them what it does not need."""
    for place, source in contents.code.items():
        _copy(source, artifact / place)
    definitions = None if contents.runs_jobs else Definitions(contents.job_types, contents.of_job_types)
    needs = find_needs(artifact, contents.own, removable(artifact), hint, definitions)
    if not needs.problems:
        slim(artifact, needs)
    return needs


def _hint(contents: Contents, folder: Path) -> str:
    """What to do about a package that is missing."""
    if not (folder / FILE).is_file():
        return "; name its package in `dependencies` of pyproject.toml and run `make lock`"
    if contents.runs_jobs:
        return f"; name its package in {REQUIREMENTS} and run `{COMMAND}`"
    return (
        f"; it is needed to read the job types' definitions: import it inside the function that uses it, or name its "
        f"package in {REQUIREMENTS_OF_API} and run `{COMMAND}`"
    )


def _install(contents: Contents, artifact: Path, target: Target) -> tuple[str, ...]:
    """The locked packages as wheels, so that nothing is compiled on the machine that builds."""
    installed = subprocess.run(install_command(contents.locks, artifact, target), check=False, env=uv_environment())
    if installed.returncode != 0:
        names = " and ".join(lock.name for lock in contents.locks)
        return (f"the packages of {names} cannot be installed for {target.text}: see above",)
    own = frozenset(place.split("/")[0].removesuffix(".py") for place in contents.code)
    return collisions(artifact, own, " and ".join(lock.name for lock in contents.locks))


def install_command(locks: Iterable[Path], folder: Path, target: Target) -> tuple[str, ...]:
    """Installs locked packages into a folder."""
    required = (part for lock in locks for part in ("--requirement", str(lock)))
    return (
        uv(), "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:",
        "--link-mode", "copy", "--python", sys.executable, "--target", str(folder), *required, *target.options,
    )  # fmt: skip


def _with_lender(proving: Machine, contents: Contents, artifact: Path, folder: str) -> Machine:
    """Let a proof have compiled modules that this environment has not: `folder` is filled with this machine's."""
    if not proving.foreign or not unlike_here(artifact):
        return proving
    command = install_command(contents.locks, Path(folder), Target(text=HERE))
    installed = subprocess.run(command, check=False, env=uv_environment(), capture_output=True)
    return dataclasses.replace(proving, lender=folder) if installed.returncode == 0 else proving


def _compile(artifact: Path, target: Target) -> None:
    """Byte code beside the sources, by the target's own version of Python; without that version, a warning."""
    python = interpreter(target)
    if python is None:
        told = f"not byte-compiled, for Python {target.version} is not here: cold starts take twice the time"
        sys.stderr.write(f"WARNING: {told}\n")
        return
    # Unchecked: Lambda's files never change, and a build gives the same bytes whenever it is made.
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(artifact), "-p", WHERE_LAMBDA_UNPACKS, str(artifact)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, destination, ignore=_NOT_COPIED)
    else:
        shutil.copyfile(source, destination)


def _settle(artifact: Path) -> None:
    """One time stamp for all, the earliest that a zip file can hold: the same sources give the same bytes."""
    for path in (artifact, *artifact.rglob("*")):
        os.utime(path, (315_532_800, 315_532_800))
