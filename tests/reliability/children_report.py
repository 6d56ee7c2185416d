"""What `make reliability` tries on parents with children, as tables for its report."""

import asyncio
from collections import Counter

from tests.reliability import many_children
from tests.reliability.children_model import Bounds, explore
from tests.reliability.children_simulation import simulate_children

SEEDS = 500
MANY = 100_000
BOUNDS = (
    Bounds(recorders=2, records=4, crashes=0, lost=1, ticks=1),
    Bounds(recorders=1, records=3, crashes=2, lost=0, ticks=3),
    Bounds(recorders=1, records=3, crashes=0, lost=0, cancels=1, ticks=2),
    Bounds(children=3, recorders=2, records=4, crashes=1, lost=0, ticks=1),
)


def children() -> str:
    """Run all of it; a violation is raised."""
    return f"{_model()}\n\n{_seeds()}\n\n{_many()}"


def _model() -> str:
    rows = []
    for bounds in BOUNDS:
        found = explore(bounds)
        rows.append(
            f"| {bounds.children} | {bounds.recorders} | {bounds.records} | {bounds.crashes} | {bounds.lost} "
            f"| {bounds.cancels} | {bounds.ticks} | {found.worlds:,} |"
        )
    return "\n".join((
        "| children | recorders | records | crashes | lost acks | cancels | clock | worlds |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ))  # fmt: skip


def _seeds() -> str:
    faults, parents, jobs = Counter[str](), Counter[str](), Counter[str]()
    woken = found = 0
    for seed in range(SEEDS):
        report = simulate_children(seed)
        faults.update(report.faults)
        parents.update(report.parents)
        jobs.update(report.children)
        woken += report.woken
        found += report.found
    return "\n".join((
        "| | |",
        "|---|---|",
        f"| seeds, of up to three parents each | {SEEDS:,} |",
        *(f"| injected: {fault} | {count:,} |" for fault, count in sorted(faults.items())),
        f"| parents ended | {', '.join(f'{count:,} {status}' for status, count in sorted(parents.items()))} |",
        f"| children ended | {', '.join(f'{count:,} {status}' for status, count in sorted(jobs.items()))} |",
        f"| parents woken by the recorder, none too early, none twice | {woken:,} |",
        f"| ends that parents found themselves | {found:,} |",
    ))  # fmt: skip


def _many() -> str:
    report = asyncio.run(many_children.run(MANY))
    return "\n".join((
        "| | |",
        "|---|---|",
        f"| children of one parent | {report.children:,} |",
        f"| invocations of the parent, until all were written | {report.invocations:,} |",
        f"| batches that the recorder was given, repeated ones included | {report.batches:,} |",
        f"| injected: recorder killed | {report.kills:,} |",
        f"| counts that were wrong; wake-ups | 0; {report.woken} |",
        f"| written a second, by one process in memory | {report.written_a_second:,.0f} |",
        f"| counted a second, likewise | {report.counted_a_second:,.0f} |",
        f"| bytes of the parent's item | {report.parent_bytes:,} |",
        f"| bytes of what it reads when it goes on | {report.remembered_bytes:,} |",
        f"| bytes of the largest set | {report.largest_set_bytes:,} |",
    ))  # fmt: skip
