"""`make dev`: the local stack, and beside it a watch that builds the page anew when its sources change."""

import os
import subprocess
import sys
from pathlib import Path

from headrace.emulator.cloudformation import ROOT

HEADRACE = Path(sys.executable).with_name("headrace")
NODE = ROOT / ".tools" / "node" / ".done"


def main(arguments: list[str]) -> None:
    """Become `headrace dev`; the watch ends when that does. Without Node there is none."""
    if NODE.exists():
        subprocess.Popen([sys.executable, "-m", "scripts.ui", "watch"], cwd=ROOT)
    os.execv(HEADRACE, [str(HEADRACE), "dev", *arguments])  # noqa: S606 - it is to be this process


if __name__ == "__main__":
    main(sys.argv[1:])
