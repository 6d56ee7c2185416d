"""Tests the projects in `examples/` as their users would: outside this tree, against an installed Headrace.

`make examples` runs it. It builds the wheels of Headrace and of its client, installs them with a project's locked
requirements in an environment of the project's own, and runs the project's pytest there. With one of them it also does
what else a user does: builds a function for AWS, and runs a job on the local stack, for which the installed Headrace
installs its database.
"""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from headrace.emulator.cloudformation import ROOT
from headrace.project.requirements import LOCK
from headrace.project.settings import FILE
from headrace.project.uv import uv, uv_environment

PACKAGES = ("domain", "functions", "headrace", "headrace_pytest", "job_types", "persistence", "requirements")
FILES = ("LICENSE", "README.md", "pyproject.toml", "setup.py", "template.yaml")
CLIENT = Path("clients") / "python"
TARGET, FUNCTION = "3.13-arm64", "WorkerFunction"
WHOLE = "thumbnails"
"""The project with which all of it is done."""
PAYLOAD = """
import base64, io, json
from PIL import Image
written = io.BytesIO()
Image.new("RGB", (64, 32)).save(written, "PNG")
print(json.dumps({"image": base64.b64encode(written.getvalue()).decode()}))
"""
PATIENCE_SECONDS = 60.0
LEFT = ("__pycache__", ".*_cache", ".aws-sam", ".headrace", ".venv", "*.egg-info")
"""What work leaves in a folder."""
NOT_COPIED = shutil.ignore_patterns(*LEFT)


class FailedError(Exception):
    """A command failed; the message is what it said."""


def clean_environment() -> dict[str, str]:
    """The variables of this process, without those that name Headrace's own tree."""
    own = {"PYTHONPATH", "JOB_TYPES", "TARGET", "VIRTUAL_ENV"}
    return {name: value for name, value in uv_environment().items() if name not in own}


def run(folder: Path, *command: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a command; raises `FailedError` with what it said."""
    done = subprocess.run(
        command, cwd=folder, env={**clean_environment(), **(environment or {})},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise FailedError(f"{' '.join(command)} in {folder.name}:\n{done.stdout}")
    return done.stdout


def wheel(folder: Path) -> Path:
    """Headrace's wheel, built from a copy: setuptools would find what an earlier build left in the tree."""
    source = folder / "headrace-source"
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=NOT_COPIED)
    for name in FILES:
        shutil.copyfile(ROOT / name, source / name)
    return _built(source, folder, "headrace-0*.whl")


def client_wheel(folder: Path) -> Path:
    """The client's wheel, built from a copy."""
    ignored = shutil.ignore_patterns(*LEFT, "build")
    source = shutil.copytree(ROOT / CLIENT, folder / "client-source", ignore=ignored)
    return _built(Path(source), folder, "headrace_client-*.whl")


def _built(source: Path, folder: Path, name: str) -> Path:
    run(source, uv(), "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable,
        "--out-dir", str(folder))  # fmt: skip
    return next(folder.glob(name))


def test(installed: Path, client: Path, folder: Path, name: str) -> str:
    """Install a project's requirements and the wheels, and run its tests; returns a line about it."""
    project = folder / name
    shutil.copytree(ROOT / "examples" / name, project, ignore=NOT_COPIED)
    python = str(project / ".venv" / "bin" / "python")
    run(project, uv(), "venv", "--quiet", "--python", sys.executable, ".venv")
    install = (uv(), "pip", "install", "--quiet", "--python", python)
    dev = str(ROOT / "requirements" / "dev.txt")  # The releases that Headrace itself is tested with.
    ours = (f"headrace[local] @ {installed.as_uri()}", f"headrace-client @ {client.as_uri()}")
    run(project, *install, "--constraint", dev, *ours, "pytest", "pytest-asyncio")
    run(project, *install, "--no-deps", "--require-hashes", "--requirement", LOCK)
    tested = run(project, python, "-m", "pytest", "-q", "-p", "no:cacheprovider").strip().splitlines()[-1]
    done = (f"{name}: {tested}", *(whole(project, python) if name == WHOLE else ()))
    return "; ".join(done)


def whole(project: Path, python: str) -> tuple[str, str]:
    """Build a function with the project's requirements, and run a job on the local stack."""
    told = run(project, python, "-m", "headrace.build", FUNCTION, "built", environment={"TARGET": TARGET})
    if "not tried" in told:
        raise FailedError(told)
    headrace = str(Path(python).with_name("headrace"))
    log, packages = project / "dev.txt", run(project, uv(), "cache", "dir").strip()
    environment = {**clean_environment(), "XDG_CACHE_HOME": str(project / "cache"), "UV_CACHE_DIR": packages}
    command = [headrace, "dev", "--port", "0"]
    with (
        log.open("w") as sink,
        subprocess.Popen(command, cwd=project, env=environment, stdout=sink, stderr=sink) as stack,
    ):
        try:
            ends = time.monotonic() + PATIENCE_SECONDS
            while "ready http" not in log.read_text():
                if stack.poll() is not None or time.monotonic() > ends:
                    raise FailedError(f"headrace dev in {project.name} does not start:\n{log.read_text()}")
                time.sleep(0.1)
            payload = run(project, python, "-c", PAYLOAD)
            run(project / "tests", headrace, "submit", "images.thumbnail", "--payload", payload, "--wait")
        finally:
            stack.send_signal(signal.SIGINT)
    return f"{FUNCTION} built for {TARGET}", "a job has run on the local stack"


def main() -> int:
    """Test all projects, side by side; 0 when all pass."""
    names = sorted(path.parent.name for path in (ROOT / "examples").glob(f"*/{FILE}"))
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(len(names)) as side_by_side:
        folder = Path(temporary)
        try:
            for line in side_by_side.map(partial(test, wheel(folder), client_wheel(folder), folder), names):
                print(line)
        except FailedError as failed:
            print(failed)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
