"""The machines that artifacts are built for, and the interpreters that compile and prove them."""

import platform
import subprocess
import sys

from headrace.authoring.frozen import Frozen
from headrace.build.proof import Machine
from headrace.project.uv import uv, uv_environment

DEFAULT_TARGET = "3.13-arm64"
HERE = "here"
# Lambda's runtimes from Python 3.12 on are Amazon Linux 2023, with glibc 2.34.
PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}
ARCHITECTURE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
"""This machine's, as AWS calls it."""


class Target(Frozen):
    """A version of Python and an architecture; both None for this machine and its Python."""

    text: str
    version: str | None = None
    architecture: str | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """What `uv pip install` needs to be told."""
        if self.version is None or self.architecture is None:
            return ()
        return ("--python-version", self.version, "--python-platform", PLATFORMS[self.architecture])


class UnknownTarget(Frozen):
    """A text that names no target; `reason` is a sentence."""

    reason: str


def target_of(text: str) -> Target | UnknownTarget:
    """Read `here`, or `3.13-arm64`, the default, and its like."""
    if text == HERE:
        return Target(text=text)
    version, _, architecture = text.partition("-")
    if not version or architecture not in PLATFORMS:
        known = ", ".join(PLATFORMS)
        return UnknownTarget(reason=f"{text} is not `{HERE}` and not like {DEFAULT_TARGET}; architectures: {known}")
    return Target(text=text, version=version, architecture=architecture)


def interpreter(target: Target) -> str | None:
    """The target's version of Python on this machine, installed by uv where it can be; None if it is not here."""
    if target.version is None:
        return sys.executable
    environment = {**uv_environment(), "PYENV_VERSION": target.version}  # as pyenv wants to be asked
    for command in (["find"], ["install", "--quiet"], ["find"]):
        answer = subprocess.run(
            [uv(), "python", *command, target.version], check=False, capture_output=True, text=True, env=environment
        )
        if answer.returncode == 0 and answer.stdout:
            return answer.stdout.strip()
    return None


def machine(target: Target) -> Machine:
    """Which interpreter proves an artifact: the target's own where it can run here, else this one."""
    if target.version is None:
        return Machine(sys.executable, target.text, foreign=False)
    own = interpreter(target) if target.architecture == ARCHITECTURE and sys.platform == "linux" else None
    return Machine(own or sys.executable, target.text, foreign=own is None)
