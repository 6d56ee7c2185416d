"""Starts a Docker engine with a stand-in for AWS's Lambda image, where no engine runs and no image can be pulled.

The image is Debian 12 with its Python 3.11 and, under /var/runtime, AWS's own Runtime Interface Client with a
bootstrap that honours `_HANDLER`. It has no other packages, so a function's artifact must have all that it needs.
Requires root, and Debian's packages.
"""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.emulator.cloudformation import ROOT

PYTHON = "3.11"
RELEASE = "bookworm"
IMAGE = ROOT / ".tools" / "stand-in" / "image.tar"
LOCK = ROOT / "requirements" / "lambda-image.txt"
PACKAGES = ("docker.io", "debootstrap", "iptables", "iproute2")
COMMANDS = ("dockerd", "docker", "debootstrap", "iptables", "ip")
START_SECONDS = 30

BOOTSTRAP = """#!/bin/sh
# Started by the Runtime Interface Emulator; _HANDLER says what to run.
cd "${LAMBDA_TASK_ROOT:-/var/task}"
PYTHONPATH=/var/runtime exec python3 -m awslambdaric "$_HANDLER"
"""


def engine_runs() -> bool:
    """Whether a Docker engine is running that this shell may use."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], check=False, capture_output=True).returncode == 0


def prepare() -> None:
    """Install the missing packages and create the image: everything that needs a network."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit("No Docker engine is running; start one. (The stand-in requires Debian and root.)")
    if not all(shutil.which(command) for command in COMMANDS):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *PACKAGES]
        for command in (["apt-get", "update", "-qq"], install):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    if not IMAGE.exists():
        with tempfile.TemporaryDirectory() as folder:
            _make_image(Path(folder) / "root")


def _make_image(root: Path) -> None:
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=python3,ca-certificates", RELEASE, str(root)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    runtime = root / "var" / "runtime"
    subprocess.run(
        [str(ROOT / ".venv/bin/uv"), "pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:",
         "--target", str(runtime), "--python-version", PYTHON, "--requirement", str(LOCK)],
        check=True,
    )  # fmt: skip
    bootstrap = runtime / "bootstrap"
    bootstrap.write_text(BOOTSTRAP)
    bootstrap.chmod(0o755)
    for folder in ("var/task", "var/rapid", "opt"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    partial = IMAGE.with_suffix(".partial")
    with tarfile.open(partial, "w") as archive:
        archive.add(root, arcname=".")
    partial.rename(IMAGE)


@contextmanager
def engine(name: str) -> Iterator[None]:
    """Run a separate Docker engine that has the image as `name`; stop it and delete its data afterwards."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
        with (folder / "log").open("wb") as log:
            daemon = subprocess.Popen(
                ["dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec",
                 "--pidfile", f"{folder}/pid", "--host", os.environ["DOCKER_HOST"]],
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            for _ in range(START_SECONDS * 5):
                if engine_runs():
                    break
                if daemon.poll() is not None:
                    raise SystemExit(f"dockerd ended: {(folder / 'log').read_text()[-2000:]}")
                time.sleep(0.2)
            subprocess.run(["docker", "import", str(IMAGE), name], check=True, stdout=subprocess.DEVNULL)
            yield
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait()
