"""The commands of statistics, for admins, and of what a job cost; over HTTP."""

from collections.abc import Iterable
from urllib.parse import quote

import click
from pydantic import JsonValue

from headrace.cli.folding import columns, folded, folded_text
from headrace.cli.log_text import duration
from headrace.cli.target import Json, Target, with_target

WINDOWS = ("1h", "24h", "7d", "30d")
HEAD, COST_HEAD = 11, 16
"""Columns before what a line says."""


@click.command()
@click.option("--window", default="1h", show_default=True, type=click.Choice(WINDOWS), help="The time that ends now.")
@click.option("--type", "type", help="Only jobs of this type.")
@with_target
def stats(target: Target, window: str, type: str | None) -> None:
    """Show what ended in a window, what failed by which error, and what is unfinished; for admins."""
    params = {"window": window, **({} if type is None else {"type": type})}
    report = target.show(target.client().call("GET", "/stats", params=params), _report_text)
    if not target.as_json:
        for sentence in _reservations(report):
            click.echo(sentence, err=True)


@click.command()
@click.argument("id")
@with_target
def cost(target: Target, id: str) -> None:
    """Say what a job has cost so far in dollars, and how each part was counted."""
    target.show(target.client().call("GET", f"/jobs/{quote(id, safe='')}/cost"), _cost_text)


def _reservations(report: Json) -> Iterable[str]:
    unfinished = report["unfinished"]
    if not report["recorded"]:
        yield "this deployment records no statistics (parameter Statistics)"
    if not report["complete"]:
        yield "the recorder is behind: some of what ended is not added up yet"
    if isinstance(unfinished, dict) and not unfinished["exact"]:
        yield "the numbers of unfinished jobs are estimates"


def _report_text(report: Json) -> str:
    unfinished = report["unfinished"]
    lines = [
        *_fitted("ended", _counts(report["counts"])),
        *(line for each in _objects(report["types"]) for line in _type(each)),
        *(line for each in _objects(report["failures"]) for line in _failure(each)),
        f"{'cost':<{HEAD}}${_number(report['cost_usd']):.6f}",
        *(_unfinished(unfinished) if isinstance(unfinished, dict) else ()),
    ]
    return "\n".join(lines)


def _fitted(head: str, parts: Iterable[str]) -> list[str]:
    first, *rest = parts
    return folded([f"{head:<{HEAD}}{first}", *rest], columns(), " ", " " * HEAD)


def _counts(counts: JsonValue) -> list[str]:
    some = counts if isinstance(counts, dict) else {}
    found = [f"{count} {outcome}" for outcome, count in some.items() if count] or ["nothing"]
    return [*(f"{each}," for each in found[:-1]), found[-1]]


def _type(each: Json) -> list[str]:
    """Three lines: the name may be as long as one."""
    times = [f"waiting {_percentiles(each['waiting'])},", f"running {_percentiles(each['running'])}"]
    return [
        f"  {each['type']}",
        *folded([f"    {part}" if not at else part for at, part in enumerate(_counts(each["counts"]))], columns(), " "),
        *folded([f"    {times[0]}", times[1]], columns(), " "),
    ]


def _percentiles(durations: JsonValue) -> str:
    if not isinstance(durations, dict) or not durations["count"]:
        return "unknown"
    return f"p50 {_seconds(durations['p50'])}, p95 {_seconds(durations['p95'])}"


def _seconds(value: JsonValue) -> str:
    return duration(_number(value) * 1000)


def _failure(group: Json) -> list[str]:
    parts = (group["count"], group["type"], f"by {group['code']},", f"last {group['last_job_id']}")
    return _fitted("failed", [*map(str, parts), f"at {group['last_at']}"])


def _unfinished(unfinished: Json) -> list[str]:
    oldest = unfinished["oldest_due"]
    due = (
        _fitted("oldest due", [str(oldest["job_id"]), f"({oldest['status']} since {oldest['since']})"])
        if isinstance(oldest, dict)
        else []
    )
    return [*_fitted("unfinished", _counts(unfinished["by_status"])), *due]


def _cost_text(cost: Json) -> str:
    lines = [
        folded_text(
            f"  ${_number(line['usd']):.9f}  ",
            f"{line['what']}: {_number(line['quantity']):g} {line['unit']} ({line['how']})",
            columns(),
            " " * COST_HEAD,
        )
        for line in _objects(cost["lines"])
    ]
    total, note = f"${_number(cost['usd']):.9f}", folded_text("", str(cost["note"]), columns(), "")
    return "\n".join([total, *(each for line in lines for each in line), *note])


def _objects(items: JsonValue) -> list[Json]:
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _number(value: JsonValue) -> float:
    if not isinstance(value, int | float):
        raise TypeError("no number")
    return value
