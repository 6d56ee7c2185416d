"""The commands of lanes, for admins, over HTTP; and `why`, which explains a job."""

from urllib.parse import quote

import click

from headrace.cli.folding import folded, terminal_columns
from headrace.cli.target import Json, Target, with_target

MAX_LIMIT = 1000
"""The API's limit."""


@click.group()
def lanes() -> None:
    """Limit how many jobs of a lane run at once, pause lanes, and see who waits; for admins."""


@lanes.command(name="list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 20))
@click.option("--after", help="Continue after the lane of this name.")
@with_target
def list_lanes(target: Target, limit: int, after: str | None) -> None:
    """List the lanes that somebody has changed or in which jobs wait."""
    params = {"limit": str(limit), **({} if after is None else {"after": after})}
    page = target.show(target.client().call("GET", "/lanes", params=params), _page_text)
    if page["next"] and not target.as_json:
        click.echo(f"there may be more: add --after {page['next']}", err=True)
    elif not page["items"] and not target.as_json:
        click.echo("no lanes", err=True)


@lanes.command()
@click.argument("name")
@with_target
def show(target: Target, name: str) -> None:
    """Show a lane: its limit, and which jobs have its places."""
    target.show(target.client().call("GET", _path(name)), _lane_text)


@lanes.command(name="limit")
@click.argument("name")
@click.option("--limit", type=click.IntRange(0, MAX_LIMIT), help="Jobs that may run at once; 0 starts none.")
@click.option("--rate", nargs=2, type=(int, float), metavar="COUNT SECONDS", help="Starts in so many seconds.")
@click.option("--by-type", is_flag=True, help="Leave limit and rate to the job types again.")
@with_target
def change(target: Target, name: str, limit: int | None, rate: tuple[int, float] | None, by_type: bool) -> None:
    """Change how many jobs of a lane run at once, or start in a time; what runs is let finish."""
    if by_type == (limit is not None or rate is not None):
        raise click.UsageError("give --limit, --rate or both, or --by-type alone")
    body: Json = {"limit": None, "rate": None} if by_type else {}
    if limit is not None:
        body["limit"] = limit
    if rate is not None:
        body["rate"] = {"count": rate[0], "per_seconds": rate[1]}
    target.show(target.client().call("PATCH", _path(name), body=body), _lane_text)


@lanes.command()
@click.argument("name")
@with_target
def pause(target: Target, name: str) -> None:
    """Start no more jobs of a lane; new ones wait in line."""
    _act(target, name, "pause")


@lanes.command()
@click.argument("name")
@with_target
def resume(target: Target, name: str) -> None:
    """End a pause, or a draining."""
    _act(target, name, "resume")


@lanes.command()
@click.argument("name")
@with_target
def drain(target: Target, name: str) -> None:
    """Run what a lane has, and refuse new jobs."""
    _act(target, name, "drain")


@click.command()
@click.argument("id")
@with_target
def why(target: Target, id: str) -> None:
    """Say why a job is where it is: what it waits for, and until when."""
    target.show(target.client().call("GET", f"/jobs/{quote(id, safe='')}/why"), _reason_text)


def _act(target: Target, name: str, action: str) -> None:
    target.show(target.client().call("POST", f"{_path(name)}/{action}"), _lane_text)


def _path(name: str) -> str:
    return f"/lanes/{quote(name, safe='/')}"


def _page_text(page: Json) -> str:
    items = page["items"]
    return "\n".join(_line(lane) for lane in items if isinstance(lane, dict)) if isinstance(items, list) else ""


def _line(lane: Json) -> str:
    limit = "by type" if lane["limit"] is None else f"limit {lane['limit']}"
    rate = lane["rate"]
    paced = f", {rate['count']} in {rate['per_seconds']} s" if isinstance(rate, dict) else ""
    mode = "" if lane["mode"] == "open" else str(lane["mode"])
    numbers = f"{lane['running']} running, {lane['waiting']} waiting"
    return "\n".join(folded([str(lane["name"]), numbers, f"{limit}{paced}", mode], terminal_columns()))


def _lane_text(lane: Json) -> str:
    places = lane["places"]
    held = [place for place in places if isinstance(place, dict)] if isinstance(places, list) else []
    return "\n".join([_line(lane), *(f"    {place['job_id']}  since {place['since']}" for place in held)])


def _reason_text(reason: Json) -> str:
    lane = reason["lane"]
    holders = lane["holders"] if isinstance(lane, dict) else []
    held = [each for each in holders if isinstance(each, dict)] if isinstance(holders, list) else []
    lines = [
        f"    place held by {each['job_id'] or 'a job of another owner'}, until {each['until'] or 'a moment ago'}"
        for each in held
    ]
    return "\n".join([str(reason["text"]), *lines])
