"""Memory of a process that streams files: copies files of up to a gigabyte on S3, and profiles a CSV file of 200 MB.

`python -m benchmarks.streaming`; takes some minutes. The files lie on MiniStack, in a process of its own.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from headrace.authoring.frozen import Frozen
from headrace.emulator.cloudformation import ROOT
from headrace.emulator.database import embedded_database, local_credentials

COPIED = (64 * 1000**2, 256 * 1000**2, 1000**3)
"""Bytes: the peak must not grow with them."""
CSV_BYTES = 200 * 1000**2
CHILD = ROOT / "benchmarks" / "streaming_child.py"


class Streamed(Frozen):
    """Resident megabytes of one process."""

    what: str
    megabytes: int
    """Of the file."""
    before: int
    """Resident when the client was made and a small file had been through."""
    peak: int
    seconds: float


async def measure(copied: Sequence[int] = COPIED, profiled: int = CSV_BYTES) -> tuple[Streamed, ...]:
    """Measure one after the other; Linux only."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # In memory: with its state on disk, MiniStack (1.5.33) reads a whole object for each range of it.
        async with embedded_database(None, folder / "database.log") as database:
            copies = [await _child(database.url, "copy", size) for size in copied]
            return (*copies, await _child(database.url, "profile", profiled))


async def _child(url: str, what: str, size: int) -> Streamed:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), url, what, str(size),
        stdout=asyncio.subprocess.PIPE, env={**local_credentials(), "PYTHONPATH": f"{ROOT}:{ROOT}/examples/csv_files"},
    )  # fmt: skip
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{what} ended with {process.returncode}")
    return Streamed.model_validate_json(output.splitlines()[-1])


def table(found: tuple[Streamed, ...]) -> str:
    """Format the results as a Markdown table."""
    return "\n".join((
        "| | file (MB) | resident before (MB) | at the peak (MB) | seconds |",
        "|---|---|---|---|---|",
        *(f"| {each.what} | {each.megabytes} | {each.before} | {each.peak} | {each.seconds:.0f} |" for each in found),
    ))  # fmt: skip


if __name__ == "__main__":
    print(table(asyncio.run(measure())))
