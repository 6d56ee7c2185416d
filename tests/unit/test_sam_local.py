"""`make sam-local` ends every process that it starts."""

import signal
import sys
from pathlib import Path

import pytest

from scripts.sam_local import serving

SERVER = """
import signal, sys, time
print("Running on http", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    time.sleep(0.1)
"""


def test_a_server_that_was_started_in_the_background_of_a_shell_ends(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with serving([sys.executable, "-c", SERVER], tmp_path / "log"):
            pass
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_server_that_ended_at_once_is_reported(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such option')"]
    with pytest.raises(SystemExit, match="no such option"), serving(command, tmp_path / "log"):
        pass
