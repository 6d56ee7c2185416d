"""`headrace schedules`: create, show and change schedules, over HTTP."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from pydantic import JsonValue

from headrace.cli.job_text import job_line
from headrace.cli.payload import payload_text, sorted_sources
from headrace.cli.schedule_text import deleted_text, preview_text, schedule_line, schedule_text, schedules_text
from headrace.cli.target import Target, with_target
from headrace.cli.types import TAG

if TYPE_CHECKING:
    from headrace_client import RawJson

OVERLAP = click.Choice(["allow", "skip", "cancel"])
MISSED = click.Choice(["latest", "all", "none"])
MAX_PAGE = 100


def _timing(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say when a schedule ticks."""
    for option in (
        click.option("--timezone", help="The time zone of --cron, such as Europe/Oslo; by default UTC."),
        click.option("--every", "every_seconds", type=click.IntRange(5), help="Tick every so many seconds."),
        click.option("--cron", help='Minute, hour, day of month, month, day of week, such as "0 3 * * *".'),
    ):
        command = option(command)
    return command


def _behaviour(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what a tick does."""
    for option in (
        click.option("--pause-after", "pause_after_failures", type=click.IntRange(1, 1000), metavar="N",
                     help="Pause when N jobs in succession have failed."),
        click.option("--missed", type=MISSED, help="Which ticks are made after an outage; by default the latest."),
        click.option("--overlap", type=OVERLAP, help="While the job before still runs: allow (default), skip, cancel."),
        click.option("--max-attempts", type=click.IntRange(1, 100), help="Attempts of each job."),
        click.option("--tag", "tags", multiple=True, type=TAG, help="A tag of each job; may be repeated."),
        click.option("--file", "sources", multiple=True, help="A file with the payload, as of `headrace submit`."),
        click.option("--payload", help="The payload of each job, as JSON."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def schedules() -> None:
    """Submit jobs again and again: by cron expression, or at an interval."""


@schedules.command()
@click.argument("name")
@click.argument("type")
@_timing
@_behaviour
@click.option("--paused", is_flag=True, help="Create it paused.")
@click.option("--key", help="Idempotency key: creating the same schedule again with it makes no second one.")
@with_target
def create(
    target: Target,
    name: str,
    type: str,
    payload: str | None,
    sources: tuple[str, ...],
    tags: tuple[tuple[str, str], ...],
    paused: bool,
    key: str | None,
    **chosen: JsonValue,
) -> None:
    """Create a schedule NAME of jobs of TYPE."""
    if chosen["cron"] is None and chosen["every_seconds"] is None:
        raise click.UsageError("give --cron or --every")
    text = payload_text(target, type, sorted_sources(payload, sources)).decode()
    form = _given({**chosen, "name": name, "type": type, "tags": dict(tags) or None, "paused": paused})
    target.show(target.client().call("POST", "/schedules", body=_body(form, text), key=key), schedule_text)


@schedules.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, MAX_PAGE))
@click.option("--cursor", help="Continue where an earlier page ended.")
@click.option("--owner", metavar="ID", help="The schedules of another user; for admins.")
@with_target
def list_schedules(target: Target, limit: int, cursor: str | None, owner: str | None) -> None:
    """List your schedules, newest first."""
    query = {"limit": str(limit), "cursor": cursor, "owner": owner}
    params = {name: value for name, value in query.items() if value is not None}
    page = target.show(target.client().call("GET", "/schedules", params=params), schedules_text)
    if page["next"] and not target.as_json:
        click.echo(f"more schedules: add --cursor {page['next']}", err=True)


@schedules.command()
@click.argument("id")
@with_target
def get(target: Target, id: str) -> None:
    """Show a schedule, with its next five ticks."""
    target.show(target.client().call("GET", _path(id)), schedule_text)


@schedules.command()
@click.argument("id")
@click.option("--name", help="Another name.")
@click.option("--type", help="Another job type.")
@_timing
@_behaviour
@with_target
def change(
    target: Target,
    id: str,
    type: str | None,
    payload: str | None,
    sources: tuple[str, ...],
    tags: tuple[tuple[str, str], ...],
    **chosen: JsonValue,
) -> None:
    """Change a schedule; what is not given stays."""
    text = None
    if payload is not None or sources:
        text = payload_text(target, type or "", sorted_sources(payload, sources)).decode()
    form = _given({**chosen, "type": type, "tags": dict(tags) or None})
    if not form and text is None:
        raise click.UsageError("give what to change")
    answer = target.client().call("PATCH", _path(id), body=_body(form, text), headers={"if-match": "*"})
    target.show(answer, schedule_text)


@schedules.command()
@click.argument("id")
@with_target
def pause(target: Target, id: str) -> None:
    """Pause a schedule: it makes no jobs until it is resumed."""
    target.show(target.client().call("POST", f"{_path(id)}/pause"), schedule_line)


@schedules.command()
@click.argument("id")
@with_target
def resume(target: Target, id: str) -> None:
    """Resume a paused schedule, from its next time on."""
    target.show(target.client().call("POST", f"{_path(id)}/resume"), schedule_line)


@schedules.command("run")
@click.argument("id")
@with_target
def run_now(target: Target, id: str) -> None:
    """Submit a schedule's job now, whatever its times."""
    target.show(target.client().call("POST", f"{_path(id)}/run"), job_line)


@schedules.command()
@click.argument("id")
@with_target
def delete(target: Target, id: str) -> None:
    """Delete a schedule; the jobs that it has made stay."""
    target.show(target.client().call("DELETE", _path(id)), deleted_text)


@schedules.command()
@_timing
@click.option("--count", default=5, show_default=True, type=click.IntRange(1, 100), help="How many ticks.")
@with_target
def preview(target: Target, count: int, **chosen: JsonValue) -> None:
    """Show when a schedule would tick, without creating it."""
    body = _given({**chosen, "count": count})
    target.show(target.client().call("POST", "/schedules/preview", body=body), preview_text)


def _given(options: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: value for name, value in options.items() if value is not None}


def _body(form: dict[str, JsonValue], payload: str | None) -> "RawJson":
    """The form as JSON, with the payload as it was written."""
    from headrace_client import RawJson  # Here, because it is slow to import.

    members = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in form.items()]
    given = [] if payload is None else [f'"payload": {payload}']
    return RawJson(f"{{{', '.join([*members, *given])}}}")


def _path(id: str) -> str:
    from headrace_client import path_segment  # Here, because it is slow to import.

    return f"/schedules/{path_segment(id)}"
