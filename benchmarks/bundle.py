"""Measures the unzipped size of each function's artifact."""

import tempfile
from pathlib import Path

from benchmarks.artifacts import build_own
from headrace.build.sizes import MEGABYTE, size_of
from headrace.build.targets import DEFAULT_TARGET
from headrace.emulator.cloudformation import function_folders

LIMITS = {"ApiFunction": 45}
OTHERS = 30
"""Megabytes: how large Headrace by itself should be."""


def measure() -> dict[str, float]:
    """Build the artifacts and return their megabytes by function."""
    with tempfile.TemporaryDirectory() as folder:
        artifacts = {function: Path(folder) / function for function in function_folders()}
        for function, artifact in artifacts.items():
            build_own(function, artifact, DEFAULT_TARGET)
        return {function: size_of(artifact) / MEGABYTE for function, artifact in artifacts.items()}


def table(found: dict[str, float]) -> str:
    """Format the results as a Markdown table."""
    return "\n".join((
        "| MB unzipped | measured | limit |",
        "|---|---|---|",
        *(f"| {function} | {size:.1f} | {LIMITS.get(function, OTHERS)} |" for function, size in found.items()),
    ))  # fmt: skip


if __name__ == "__main__":
    print(table(measure()))
