"""Of lanes, and of parents and children: models, seeds and sizes, as tables for the report."""

import asyncio
import time
from collections import Counter

from tests.reliability import children_model, lane_model
from tests.reliability.children_simulation import simulate_children
from tests.reliability.many_children import run

SEEDS = 200
CHILDREN = 100_000
IN_LANES = (
    lane_model.Bounds(),
    lane_model.Bounds(jobs=3, deliveries=2, deaths=0),
    lane_model.Bounds(limits=(0, 1), deliveries=2, deaths=0),
    lane_model.Bounds(jobs=3, limits=(2, 1), deliveries=2, deaths=0),
    lane_model.Bounds(cancels=1, deliveries=2, deaths=0),
)
OF_FAMILIES = (
    children_model.Bounds(recorders=2, records=4, crashes=0, lost=1, ticks=1),
    children_model.Bounds(recorders=1, records=3, crashes=2, lost=0, ticks=1),
    children_model.Bounds(recorders=1, records=2, crashes=0, lost=0, cancels=1, ticks=1),
    children_model.Bounds(children=3, recorders=1, records=4, crashes=1, lost=0, ticks=1),
)


def lanes() -> str:
    """Explore the model of a lane within all bounds; return the results as a table."""
    began, rows = time.monotonic(), list[str]()
    for bounds in IN_LANES:
        limits = ", then ".join(map(str, (lane_model.POLICY.limit, *bounds.limits)))
        worlds = lane_model.explore(bounds)
        rows.append(
            f"| {bounds.jobs} | {bounds.workers} | {limits} | {bounds.deliveries} | {bounds.deaths} | {bounds.cancels} "
            f"| {worlds:,} |"
        )
    print(f"model of lanes in {time.monotonic() - began:.0f} s", flush=True)
    head = "| jobs | workers | limit | deliveries | deaths | cancels | worlds |\n|---|---|---|---|---|---|---|"
    return "\n".join((head, *rows))


def children() -> str:
    """The model, the seeds and the hundred thousand, as tables."""
    return f"{_model()}\n\n{_seeds()}\n\n{_many()}"


def _model() -> str:
    began, rows = time.monotonic(), list[str]()
    for bounds in OF_FAMILIES:
        found = children_model.explore(bounds)
        rows.append(
            f"| {bounds.children} | {bounds.recorders} | {bounds.records} | {bounds.crashes} | {bounds.lost} "
            f"| {bounds.cancels} | {found.worlds:,} |"
        )
    print(f"model of children in {time.monotonic() - began:.0f} s", flush=True)
    head = "| children | recorders | records | crashes | lost acks | cancels | worlds |\n|---|---|---|---|---|---|---|"
    return "\n".join((head, *rows))


def _seeds() -> str:
    began = time.monotonic()
    faults, parents, grown = Counter[str](), Counter[str](), Counter[str]()
    woken = found = 0
    for seed in range(SEEDS):
        report = simulate_children(seed)
        faults.update(report.faults)
        parents.update(report.parents)
        grown.update(report.children)
        woken, found = woken + report.woken, found + report.found
    print(f"{SEEDS} seeds of children in {time.monotonic() - began:.0f} s", flush=True)
    return "\n".join((
        "| | |",
        "|---|---|",
        f"| seeds | {SEEDS:,} |",
        *(f"| injected: {fault} | {count:,} |" for fault, count in sorted(faults.items())),
        f"| parents ended | {', '.join(f'{count:,} {status}' for status, count in sorted(parents.items()))} |",
        f"| children ended | {', '.join(f'{count:,} {status}' for status, count in sorted(grown.items()))} |",
        f"| parents woken by the recorder | {woken:,} |",
        f"| ends that a parent found itself | {found:,} |",
    ))  # fmt: skip


def _many() -> str:
    report = asyncio.run(run(CHILDREN))
    print(f"{CHILDREN:,} children of one parent", flush=True)
    return "\n".join((
        "| One parent | |",
        "|---|---|",
        f"| children | {report.children:,} |",
        f"| invocations of the parent until all were written | {report.invocations:,} |",
        f"| written a second, in memory | {report.written_a_second:,.0f} |",
        f"| batches of the recorder, each until it was taken | {report.batches:,} |",
        f"| times that it was killed | {report.kills:,} |",
        f"| counted a second, in memory | {report.counted_a_second:,.0f} |",
        f"| times that the parent was woken | {report.woken:,} |",
        f"| the parent's item, while it waits | {report.parent_bytes:,} bytes |",
        f"| what it reads when it goes on | {report.remembered_bytes:,} bytes |",
        f"| the largest item of counts | {report.largest_set_bytes:,} bytes |",
    ))  # fmt: skip
