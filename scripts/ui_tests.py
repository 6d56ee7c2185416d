"""`make ui-tests`: tests the page in Debian's Chromium, which is installed if it is missing (Debian, as root)."""

import os
import shutil
import subprocess
import sys

from headrace.emulator.cloudformation import ROOT

PACKAGES = ("chromium", "fonts-inter", "fonts-dejavu-core")


def main(arguments: list[str]) -> int:
    """Run the tests; returns pytest's exit code."""
    prepare()
    command = [sys.executable, "-m", "pytest", "tests/page", "--numprocesses", "2", "--dist", "worksteal", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def prepare() -> None:
    """Install the browser, unless it is there."""
    if shutil.which("chromium") is not None:
        return
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("apt-get") is None:
        sys.exit("chromium is not installed; install it. (By itself this works on Debian, as root.)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *PACKAGES]
    for command in (["apt-get", "update", "-qq"], install):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
