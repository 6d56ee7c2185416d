"""The commands of statistics, for admins, and of what a job cost; over HTTP."""

from collections.abc import Iterable
from urllib.parse import quote

import click
from pydantic import JsonValue

from headrace.cli.target import Json, Target, with_target

WINDOWS = ("1h", "24h", "7d", "30d")


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
    lines = [
        f"ended      {_counts(report['counts'])}",
        *(f"  {each['type']}  {_counts(each['counts'])}  {_times(each)}" for each in _objects(report["types"])),
        *(_failure(each) for each in _objects(report["failures"])),
        f"cost       ${_number(report['cost_usd']):.6f}",
    ]
    unfinished = report["unfinished"]
    return "\n".join([*lines, *(_unfinished(unfinished) if isinstance(unfinished, dict) else ())])


def _counts(counts: JsonValue) -> str:
    some = counts if isinstance(counts, dict) else {}
    return ", ".join(f"{count} {outcome}" for outcome, count in some.items() if count) or "nothing"


def _times(each: Json) -> str:
    return f"waiting {_percentiles(each['waiting'])}, running {_percentiles(each['running'])}"


def _percentiles(durations: JsonValue) -> str:
    if not isinstance(durations, dict) or not durations["count"]:
        return "unknown"
    return f"p50 {_number(durations['p50']):.3f} s, p95 {_number(durations['p95']):.3f} s"


def _failure(group: Json) -> str:
    last = f"last {group['last_job_id']} at {group['last_at']}"
    return f"failed     {group['count']} {group['type']} by {group['code']}, {last}"


def _unfinished(unfinished: Json) -> list[str]:
    oldest = unfinished["oldest_due"]
    due = (
        [f"oldest due {oldest['job_id']} ({oldest['status']} since {oldest['since']})"]
        if isinstance(oldest, dict)
        else []
    )
    return [f"unfinished {_counts(unfinished['by_status'])}", *due]


def _cost_text(cost: Json) -> str:
    lines = [
        f"  ${_number(line['usd']):.9f}  {line['what']}: {_number(line['quantity']):g} {line['unit']} ({line['how']})"
        for line in _objects(cost["lines"])
    ]
    return "\n".join([f"${_number(cost['usd']):.9f}", *lines, str(cost["note"])])


def _objects(items: JsonValue) -> list[Json]:
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


def _number(value: JsonValue) -> float:
    if not isinstance(value, int | float):
        raise TypeError("no number")
    return value
