"""Runs the trial: `python -m scripts.side_by_side --other REV [--jobs 500] [--patience 300]`.

The stack of this tree (with uncommitted changes) and the stack of REV share one embedded database. Each has its own
stream consumers, sweeper and API, and one job type that the other does not know. Jobs are submitted through one API,
changed through the other, and planted in the table as a future version would store them. Exits with 0 when every
accepted job ended as expected and nothing was lost.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aioboto3
from rich.console import Console

from headrace.emulator.database import embedded_database, local_credentials
from scripts.side_by_side.sides import receiver, running
from scripts.side_by_side.table import JobsTable
from scripts.side_by_side.trees import CannotPrepare, Tree, burns_unknown_types, two_trees
from scripts.side_by_side.verdict import Judged, all_final, compare_responses, judge, show
from scripts.side_by_side.workload import Outcome, plant_all, submit_all


async def trial(trees: tuple[Tree, Tree], folder: Path, jobs: int, patience: float, *, burns: bool) -> list[Judged]:
    """Run both versions and the jobs; returns a verdict on each job."""
    os.environ.update(local_credentials())
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(embedded_database(None, folder / "database.log"))
        host = await stack.enter_async_context(receiver())
        # This version starts first and creates the tables; the newer tables have all that the older version needs.
        this = await stack.enter_async_context(running(trees[0], database.url, host, folder))
        other = await stack.enter_async_context(running(trees[1], database.url, host, folder))
        client = await stack.enter_async_context(aioboto3.Session().client("dynamodb", endpoint_url=database.url))
        table = JobsTable(client)
        planted = asyncio.create_task(plant_all(max(2, jobs // 50), host, this, table))
        outcomes: list[Outcome] = [*await submit_all(jobs, host, (this, other)), *await planted]
        await _until_final(outcomes, table, patience)
        items = await table.items()
        judged = [judge(outcome, items, burns=burns) for outcome in outcomes]
        return [*judged, *await compare_responses(outcomes, items, (this, other))]


async def _until_final(outcomes: list[Outcome], table: JobsTable, patience: float) -> None:
    ends = time.monotonic() + patience
    # Only the table covers the jobs of both versions, so it is polled.
    while time.monotonic() < ends and not all_final(outcomes, await table.items()):  # noqa: ASYNC110
        await asyncio.sleep(1)


def main() -> int:
    """Run the trial; returns 0 when both versions handled every job correctly."""
    parser = argparse.ArgumentParser(prog="python -m scripts.side_by_side", description=__doc__)
    parser.add_argument("--other", required=True, metavar="REV", help="the other version: any revision of git")
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--patience", type=float, default=300, help="seconds until what has not ended counts as stuck")
    arguments = parser.parse_args()
    console = Console()
    burns = burns_unknown_types(arguments.other)
    with tempfile.TemporaryDirectory(prefix="headrace-side-by-side-") as temporary:
        folder = Path(temporary)
        try:
            with two_trees(arguments.other, folder) as trees:
                judged = asyncio.run(trial(trees, folder, arguments.jobs, arguments.patience, burns=burns))
        except CannotPrepare as error:
            console.print(f"The trial could not be made: {error}", soft_wrap=True, highlight=False)
            return 1
    good = show(judged, console)
    if burns:
        excused = sum(each.excused for each in judged)
        console.print(
            f"{arguments.other} claims jobs of types that it does not know: it failed {excused} of types that only "
            f"this version knows. This is a bug of the old version, which the new one cannot undo; use --other HEAD "
            f"for two versions without it.",
            soft_wrap=True,
        )  # fmt: skip
    console.print("PASSED" if good else "FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
