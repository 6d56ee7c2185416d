"""Builds the artifact of one function: what it imports, for its target, compiled.

`sam build` calls it through the Makefile (`BuildMethod: makefile`): `python -m scripts.build WorkerFunction DIR`.
The variable TARGET says for which machine: `3.13-arm64` (the default, as in template.yaml), `3.13-x86_64`, any other
version of Python with one of these architectures, or `here` for this machine and its Python. The variable JOB_TYPES
names the package of job types, where it is not the one that template.yaml names.

Packages are slimmed: of AWS's services only those stay that the code uses, and modules that nothing imports go
(`needs.py` finds both). The result is imported and its clients are made, by an interpreter that can import nothing else
(`proof.py`), before the build succeeds. Every obstacle is reported in a sentence with file and line.
"""

import dataclasses
import gc
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from headrace.emulator.cloudformation import function_folders
from headrace.emulator.template import declared_job_types
from scripts.collisions import collisions
from scripts.needs import EXAMINED, Needs, find_needs
from scripts.proof import Machine, declared_function, prove

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_TARGET = "3.13-arm64"
# Lambda's runtimes from Python 3.12 on are Amazon Linux 2023, with glibc 2.34.
PLATFORMS = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
ARCHITECTURE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
"""This machine's, as AWS calls it."""
WHERE_LAMBDA_UNPACKS = "/var/task"
EVERY_FUNCTIONS_LOCK = "requirements/function.txt"

SHARED = ("domain", "persistence", "headrace/__init__.py", "headrace/authoring")
"""Of every artifact, beside the modules of `functions/`, the function's own folder there, and the job types."""


@dataclasses.dataclass(frozen=True)
class Contents:
    """What one artifact is made of: our code, below the project's folder, and a lock of packages."""

    code: tuple[str, ...]
    own: frozenset[str]
    """The top-level names that are read as our own code: those of `code`, and the job types wherever they come from."""
    lock: str


def contents_of(function: str, job_types: str, project: Path = ROOT) -> Contents:
    """What the artifact of a function of template.yaml holds.

    Its folder is the one that its handler names. The packages are those of `requirements/function-FOLDER.txt`, where
    there is such a lock, else those that every function has. The job types lie in the project, or are a requirement.
    """
    folder = function_folders()[function]
    shared = sorted(path.relative_to(project).as_posix() for path in (project / "functions").glob("*.py"))
    types = (job_types,) if (project / job_types).is_dir() else ()
    code = (*SHARED, *shared, f"functions/{folder}", *types)
    lock = f"requirements/function-{folder}.txt"
    return Contents(
        code,
        frozenset({job_types, *(source.split("/")[0] for source in code)}),
        lock if (project / lock).is_file() else EVERY_FUNCTIONS_LOCK,
    )


# Removed when nothing reaches it. botocore's model of a service, and boto3's of its resources, go unless it is used.
NEVER_IMPORTED = (
    "s3transfer",  # boto3's, for S3
    "aiofiles",  # aioboto3's, for S3
    "boto3/examples",
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/[!_jt]*",  # what stays: jmespath_utils, typing
    "aiohttp/web*.py",
    "aiohttp/test_utils.py",
    "aiohttp/pytest_plugin.py",
    "aiohttp/_websocket/*.so",  # aiohttp has the same in Python
    "pydantic/v1",
    "pydantic/mypy.py",
    "botocore/data/**/examples-1.json",
    "bin",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/uv_cache.json",
    ".lock",
)
# The same, of packages that Headrace brings.
NO_PART_OF_A_PACKAGE = ("tests", "samples", ".pyi", ".pyx", ".pxd", ".c", ".h", ".hash")


def build(function: str, artifact: Path, target: str, project: Path = ROOT) -> None:
    """Fill the folder `artifact` with the code of `project`; exits with a sentence when that cannot be done."""
    contents = contents_of(function, declared_job_types(os.environ), project)
    artifact.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as beside:  # The template is read while the disk is busy.
        declared = beside.submit(declared_function, function)
        _install(project / contents.lock, artifact, target)
        _stop_on(collisions(artifact, frozenset(source.split("/")[0] for source in contents.code), contents.lock))
    needs = fill(artifact, contents, project)
    _compile(artifact, target)
    _stop_on(prove(declared.result(), artifact, needs, _machine(target)))
    _settle(artifact)


def fill(artifact: Path, contents: Contents, project: Path) -> Needs:
    """Add our code to the installed packages, and remove of them what it does not need."""
    for source in contents.code:
        _copy(project / source, artifact / source)
    removable = frozenset(_files(artifact, NEVER_IMPORTED))
    needs = find_needs(artifact, contents.own, removable)
    _stop_on(needs.problems)
    _slim(artifact, needs)
    return needs


def _stop_on(problems: Iterable[str]) -> None:
    sentences = tuple(dict.fromkeys(problems))
    if sentences:
        sys.exit("\n".join(sentences))


def _files(artifact: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """The Python files that the patterns cover, relative to the artifact."""
    for path in (path for pattern in patterns for path in artifact.glob(pattern)):
        yield from (file.relative_to(artifact) for file in (path.rglob("*.py") if path.is_dir() else (path,)))


def _slim(artifact: Path, needs: Needs) -> None:
    needed = {artifact / around for file in needs.files for around in (file, *file.parents)}
    for folder, services in (("botocore/data", needs.services), ("boto3/data", needs.resources)):
        _remove(path for path in (artifact / folder).iterdir() if path.is_dir() and path.name not in services)
    for pattern in NEVER_IMPORTED:
        _remove(path for path in artifact.glob(pattern) if path not in needed)
    for package in EXAMINED:
        parts = (path for path in (artifact / package).rglob("*") if path not in needed)
        _remove(path for path in parts if (path.suffix or path.name) in NO_PART_OF_A_PACKAGE)
    for package in ("s3transfer", "aiofiles"):
        if not (artifact / package).exists():
            _remove(artifact.glob(f"{package}-*.dist-info"))


def _install(lock: Path, artifact: Path, target: str) -> None:
    """The locked packages as wheels, so that nothing is compiled on the machine that builds."""
    command = [_uv(), "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += [
        "--link-mode",
        "copy",
        "--python",
        sys.executable,
        "--target",
        str(artifact),
        "--requirement",
        str(lock),
    ]
    if target != "here":
        version, architecture = _parts(target)
        command += ["--python-version", version, "--python-platform", PLATFORMS[architecture]]
    subprocess.run(command, check=True)


def _compile(artifact: Path, target: str) -> None:
    """Byte code beside the sources, by the target's own version of Python; without that version, a warning."""
    python = _interpreter(target)
    if python is None:
        version, _ = _parts(target)
        sys.stderr.write(
            f"WARNING: not byte-compiled, for Python {version} is not here: cold starts take twice the time\n"
        )
        return
    # Unchecked: Lambda's files never change, and a build gives the same bytes whenever it is made.
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(artifact), "-p", WHERE_LAMBDA_UNPACKS, str(artifact)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})


def _interpreter(target: str) -> str | None:
    if target == "here":
        return sys.executable
    version, _ = _parts(target)
    environment = {**os.environ, "PYENV_VERSION": version}  # as pyenv wants to be asked
    for command in (["find"], ["install", "--quiet"], ["find"]):
        answer = subprocess.run(
            [_uv(), "python", *command, version], check=False, capture_output=True, text=True, env=environment
        )
        if answer.returncode == 0 and answer.stdout:
            return answer.stdout.strip()
    return None


def _machine(target: str) -> Machine:
    """Which interpreter proves the artifact: the target's own where it can run here, else this one."""
    if target == "here":
        return Machine(sys.executable, target, foreign=False)
    _, architecture = _parts(target)
    own = _interpreter(target) if architecture == ARCHITECTURE and sys.platform == "linux" else None
    return Machine(own or sys.executable, target, foreign=own is None)


def _parts(target: str) -> tuple[str, str]:
    version, _, architecture = target.partition("-")
    if not version or architecture not in PLATFORMS:
        sys.exit(f"TARGET={target} is not `here` and not like {DEFAULT_TARGET}; architectures: {', '.join(PLATFORMS)}")
    return version, architecture


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, destination, ignore=shutil.ignore_patterns("__pycache__", "samples"))
    else:
        shutil.copyfile(source, destination)


def _remove(paths: Iterable[Path]) -> None:
    for path in tuple(paths):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _settle(artifact: Path) -> None:
    """One time stamp for all, the earliest that a zip file can hold: the same sources give the same bytes."""
    for path in (artifact, *artifact.rglob("*")):
        os.utime(path, (315_532_800, 315_532_800))


def _uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


if __name__ == "__main__":
    gc.disable()  # A process of seconds: to look for garbage takes a fifth of its time.
    build(sys.argv[1], Path(sys.argv[2]), os.environ.get("TARGET", DEFAULT_TARGET))
