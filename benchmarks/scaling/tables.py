"""The tables of docs/scale.md."""

from collections.abc import Sequence
from random import Random
from statistics import mean
from typing import Final

from benchmarks.scaling import costs, rules, singular
from benchmarks.scaling.advice import Advice, advised, proposed, shipped
from benchmarks.scaling.fluid import Outcome, simulate
from benchmarks.scaling.lanes import Delivery
from benchmarks.scaling.local_check import Found
from benchmarks.scaling.model import Deployment, Load, first_limit

RATES: Final = (10.0, 1e3, 1e5)
WAKE_CONCURRENCY: Final = 100
LENGTHS: Final = (0.01, 1.0, 300.0)
LOADS: Final = tuple(Load(rate=rate, seconds=seconds) for rate in RATES for seconds in LENGTHS)

HEAD = "| submitted a second | length | accepted | ended | waited, p50 | p99 | binds first, and jobs a second there |"
_RULE = "|---|---|---|---|---|---|---|"


def table(rows: Sequence[str]) -> str:
    """Rows under the head that all three tables have."""
    return "\n".join((HEAD, _RULE, *rows))


def row(load: Load, deployment: Deployment) -> str:
    """One load: what became of it, and what binds."""
    found = simulate(load, deployment)
    cells = (
        f"{load.rate:,.0f}",
        duration(load.seconds),
        rate(found.accepted),
        rate(found.ended),
        *_waited(found),
        first_limit(load, deployment),
    )
    return f"| {' | '.join(cells)} |"


def shipped_row(load: Load) -> str:
    """By the defaults of template.yaml and of an account."""
    return row(load, shipped(load))


def advised_row(load: Load) -> str:
    """By `advised`."""
    return row(load, advised(load).deployment)


def proposed_row(load: Load) -> str:
    """By `proposed`."""
    return row(load, proposed(load).deployment)


def settings_row(load: Load) -> str:
    """What to set today, and what more with the proposals."""

    def said(advice: Advice) -> str:
        return ", ".join(advice.settings) or "nothing"

    return f"| {load.rate:,.0f} | {duration(load.seconds)} | {said(advised(load))} | {said(proposed(load))} |"


def settings_table(rows: Sequence[str]) -> str:
    """Rows of `settings_row`."""
    return "\n".join(("| a second | length | to set today | with the proposals |", "|---|---|---|---|", *rows))


def rules_table() -> str:
    """The rules and their sources."""
    rows = (f"| {' | '.join(rule)} |" for rule in rules.RULES)
    return "\n".join(("| Rule | Value | Source | Its text was |", "|---|---|---|---|", *rows))


def mixed_table() -> str:
    """Short jobs in lanes that they share with some longer ones."""
    rows = []
    for lanes in (40, 400):
        for batch in (1, 10):
            delivery = Delivery(lanes=lanes, environments=lanes, batch=batch)
            cells = []
            for share in singular.LONG_SHARES:
                waited = singular.mixed_waits(share, delivery)
                cells.append(f"{duration(waited[len(waited) // 2])}, {duration(waited[int(0.99 * len(waited))])}")
            rows.append(f"| {lanes} | {batch} | {' | '.join(cells)} |")
    shares = " | ".join(f"{share:.1%} of {singular.LONG:.0f} s" for share in singular.LONG_SHARES)
    return "\n".join((f"| lanes | batch | {shares} |", "|---|---|---|---|---|", *rows))


def lane_table() -> str:
    """What a lane lets through, and how claims conflict."""
    rows = []
    for limit in (1, 10, 100):
        random = Random(1)  # noqa: S311 - the same document each time
        tries = [each for _ in range(200) for each in singular.claim_tries(limit, limit, random)]
        passed = " | ".join(rate(singular.lane_rate(limit, seconds)) for seconds in LENGTHS)
        rows.append(f"| {limit} | {passed} | {mean(tries):.1f} | {sum(each > 5 for each in tries) / len(tries):.1%} |")  # noqa: PLR2004
    lengths = " | ".join(duration(seconds) for seconds in LENGTHS)
    head = f"| places | {lengths} | tries, when all are taken at once | back in line |"
    return "\n".join((head, "|---|---|---|---|---|---|", *rows))


def singles_table() -> str:
    """Limits that do not depend on a job's length."""
    wake = Deployment().wake_index
    due = [rate(WAKE_CONCURRENCY * 10 / costs.batch_seconds(10, seconds)) for seconds in LENGTHS]
    rows = (
        ("wake index, its eight keys", f"{wake.quota / costs.WAKE_UNITS:,.0f} jobs in all", "proposal 1"),
        ("wake index of a new table", f"{wake.warm / costs.WAKE_UNITS:,.0f} jobs in all", "warm it"),
        (
            "new table",
            f"{rules.NEW_TABLE_WRITES / costs.TABLE_UNITS:,.0f} jobs in all, twice that each half hour",
            "warm it",
        ),
        ("owner index", f"{rules.PARTITION_WRITES:,} submissions of one owner", "more users, or proposal 4"),
        (
            "a lane's partition",
            f"{rules.PARTITION_WRITES / costs.LANE_ITEM_UNITS:,.0f} jobs in one lane until it splits",
            "no lane for such types",
        ),
        ("a lane's line", "500 blocked jobs in and out of one lane", "as above"),
        ("a lane's rate item", "50 starts (decision 26)", "a limit instead of a rate"),
        ("messages in flight", f"{rules.IN_FLIGHT:,} jobs running in one runner", "more runners"),
        (
            "S3, prefix `jobs/`",
            f"{rules.S3_PUTS:,} large documents written, until S3 has split it by the ids that follow",
            "raise the load in steps",
        ),
        (
            "a sweep",
            f"{costs.SWEPT_AHEAD:,} jobs delayed by over 15 minutes, {costs.SWEPT_OVERDUE:,} overdue ones (measured)",
            "proposal 7",
        ),
        (
            f"wake queue, `WorkerWakeConcurrency={WAKE_CONCURRENCY}`",
            f"{due[0]} due jobs of 10 ms, {due[1]} of a second",
            "raise it, to 1,000",
        ),
    )
    return "\n".join(
        (
            "| What | Limit, a second | Way out |",
            "|---|---|---|",
            *(f"| {what} | {limit} | {way} |" for what, limit, way in rows),
        )
    )


def check_table(found: Found) -> str:
    """Local stack and simulator."""
    rows = (
        f"| {each.case.name} | {each.case.jobs} of {duration(each.case.seconds)}, {each.case.rate:.0f} a second "
        f"| {each.stack.throughput:.1f} | {each.simulator.throughput:.1f} "
        f"| {each.stack.p50:.2f} | {each.simulator.p50:.2f} | {each.stack.p99:.2f} | {each.simulator.p99:.2f} |"
        for each in found.cases
    )
    head = "| | jobs | a second: stack | simulated | p50, s: stack | simulated | p99, s: stack | simulated |"
    return "\n".join((head, "|---|---|---|---|---|---|---|---|", *rows))


def _waited(found: Outcome) -> tuple[str, str]:
    more = ", growing" if found.grows else ""
    return duration(found.p50) + more, duration(found.p99) + more


def rate(jobs: float) -> str:
    """Jobs a second, to three digits."""
    return f"{float(f'{jobs:.3g}'):,.10g}"


def duration(seconds: float) -> str:
    """A time in the largest unit that leaves a digit before the point."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= size:
            return f"{float(f'{seconds / size:.2g}'):g} {unit}"
    return f"{round(seconds * 1000, -1 if seconds >= 0.1 else 0):.0f} ms"  # noqa: PLR2004
