"""Judges how every job ended, and shows the results."""

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table

from persistence.converters.attributes import string_of
from scripts.side_by_side.sides import Side
from scripts.side_by_side.table import Item, kept, members
from scripts.side_by_side.workload import Expected, Outcome, Wrong

FINAL = frozenset({"succeeded", "failed", "cancelled"})
UNKNOWN_TYPE = "unknown_job_type"


@dataclasses.dataclass(frozen=True)
class Judged:
    """The verdict on a job: `why` it is wrong, or None. `excused` if a known bug of the other version explains it."""

    kind: str
    why: str | None
    excused: bool = False


def all_final(expected: Sequence[Outcome], items: Mapping[str, Item]) -> bool:
    """Whether each accepted job has ended or does not exist."""
    ids = (each.job_id for each in expected if isinstance(each, Expected))
    return all(string_of(items[job_id], "status") in FINAL for job_id in ids if job_id in items)


def judge(outcome: Outcome, items: Mapping[str, Item], *, burns: bool) -> Judged:
    """Compare an outcome with the table; `burns` when the other version fails jobs of types that it does not know."""
    if isinstance(outcome, Wrong):
        return Judged(outcome.kind, outcome.what)
    item = items.get(outcome.job_id)
    if item is None:
        return Judged(outcome.kind, f"{outcome.job_id} is lost")
    status, code = string_of(item, "status"), _error_code(item)
    if status != outcome.status:
        # Both versions fail unknown types with this code; excused are only jobs of the type that `this` alone knows.
        burnt = burns and code == UNKNOWN_TYPE and string_of(item, "type") == "only.this"
        return Judged(outcome.kind, f"{outcome.job_id} is {status} ({code})", excused=burnt)
    if outcome.planted and not kept(item):
        return Judged(outcome.kind, f"{outcome.job_id} lost attributes that its version does not know")
    return Judged(outcome.kind, None)


async def compare_responses(
    expected: Sequence[Outcome], items: Mapping[str, Item], sides: Sequence[Side]
) -> list[Judged]:
    """Read each submitted job through both versions: they must show the status that is in the table."""
    wrong: list[Judged] = []
    for outcome in expected:
        if isinstance(outcome, Expected) and not outcome.planted and outcome.job_id in items:
            stored = string_of(items[outcome.job_id], "status")
            for side in sides:
                response = await side.request("GET", f"/v1/jobs/{outcome.job_id}")
                shown = response.json().get("status")
                if shown != stored:
                    problem = f"{side.name} responds {response.status_code}, {shown}, for a job that is {stored}"
                    wrong.append(Judged("shown by both APIs", problem))
    return wrong


def show(judged: Sequence[Judged], console: Console) -> bool:
    """Print the results and what was wrong; returns whether nothing was wrong."""
    table = Table("jobs of", "number", "as expected", "known bug", "wrong")
    for kind, each_of in groupby(sorted(judged, key=lambda each: each.kind), lambda each: each.kind):
        of_kind = list(each_of)
        good = sum(each.why is None for each in of_kind)
        burnt = sum(each.excused for each in of_kind)
        table.add_row(kind, str(len(of_kind)), str(good), str(burnt or "-"), str(len(of_kind) - good - burnt or "-"))
    console.print(table)
    wrong = [f"{each.kind}: {each.why}" for each in judged if each.why is not None and not each.excused]
    for sentence in wrong[:30]:
        console.print(sentence, soft_wrap=True, highlight=False)
    if len(wrong) > 30:  # noqa: PLR2004 - enough to see what it is
        console.print(f"and {len(wrong) - 30} more")
    return not wrong


def _error_code(item: Item) -> str | None:
    return string_of(members(item.get("error", {})), "code")
