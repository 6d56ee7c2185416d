"""Measures the unzipped size of each function's artifact."""

import tempfile
from pathlib import Path

from scripts.build import DEFAULT_TARGET, build
from scripts.sizes import MEGABYTE, own_limits


def measure() -> dict[str, float]:
    """Build the artifacts and return their megabytes by function."""
    with tempfile.TemporaryDirectory() as folder:
        for function in own_limits():
            build(function, Path(folder) / function, DEFAULT_TARGET)
        return {
            function: sum(path.stat().st_size for path in (Path(folder) / function).rglob("*") if path.is_file())
            / MEGABYTE
            for function in own_limits()
        }


def table(found: dict[str, float]) -> str:
    """Format the results as a Markdown table."""
    return "\n".join((
        "| MB unzipped | measured | limit |",
        "|---|---|---|",
        *(f"| {function} | {size:.1f} | {own_limits()[function]} |" for function, size in found.items()),
    ))  # fmt: skip


if __name__ == "__main__":
    print(table(measure()))
