"""A process that streams a file does not grow with it: measured in a process of its own, on MiniStack."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import local_credentials

MEGABYTE = 1000**2
PATH = f"{ROOT}:{ROOT / 'examples' / 'csv_files'}"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says what a process takes")
@pytest.mark.parametrize(("what", "size"), [("copy", 100), ("profile", 5)])
def test_memory_does_not_grow_with_the_file(ministack_url: str, what: str, size: int) -> None:
    """The example is allowed 256 MB; `python -m benchmarks.streaming` takes a gigabyte and 200 MB."""
    child = str(ROOT / "benchmarks" / "streaming_child.py")
    done = subprocess.run(
        [sys.executable, child, ministack_url, what, str(size * MEGABYTE)],
        check=True, capture_output=True, text=True, env={**local_credentials(), "PYTHONPATH": PATH},
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["megabytes"] >= size - 8
    assert found["peak"] - found["before"] < 80, "a part or two on their way in and out"
    assert found["peak"] < 256
