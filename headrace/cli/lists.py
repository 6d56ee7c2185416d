"""The commands that list jobs, and retry many failed ones, over HTTP."""

import click

from headrace.cli.job_text import now, page_text
from headrace.cli.target import Json, Target, user_id, with_target

MAX_PAGE = 100
MAX_RETRIED = 500
"""The API's limits."""


@click.command(name="list")
@click.option("--status", help="Only jobs of this status, or of several, separated by commas.")
@click.option("--type", "type", help="Only jobs of this type, or of several, separated by commas.")
@click.option("--tag", metavar="NAME=VALUE", help="Only jobs with this tag.")
@click.option("--lane", help="Only jobs in this lane.")
@click.option("--priority", help="Only jobs of this priority, or of several, separated by commas.")
@click.option("--min-attempt", type=click.IntRange(0), help="Only jobs that were attempted at least so often.")
@click.option("--created-from", metavar="TIME", help="Only jobs created then or later, as 2026-12-01T09:30:00+01:00.")
@click.option("--created-to", metavar="TIME", help="Only jobs created before.")
@click.option("--error-code", help="Only jobs whose last error has this code.")
@click.option("--reverse", is_flag=True, help="The other way round: the oldest, or the last due, first.")
@click.option("--owner", metavar="EMAIL|ID", help="The jobs of another user; for admins.")
@click.option(
    "--all",
    "everyone",
    is_flag=True,
    help="Unfinished jobs of all users, the next due first, with their owners; or failed ones of a type. For admins.",
)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, MAX_PAGE))
@click.option("--cursor", help="Continue where an earlier page ended.")
@click.option("--include", help="Include payload, result, preview (how the payload begins), separated by commas.")
@with_target
def list_jobs(
    target: Target,
    status: str | None,
    type: str | None,
    tag: str | None,
    lane: str | None,
    priority: str | None,
    min_attempt: int | None,
    created_from: str | None,
    created_to: str | None,
    error_code: str | None,
    reverse: bool,
    owner: str | None,
    everyone: bool,
    limit: int,
    cursor: str | None,
    include: str | None,
) -> None:
    """List your jobs, newest first, without payload and result."""
    if everyone:
        _check_all(status, type, owner)
    query = {
        "status": status,
        "type": type,
        "tag": tag,
        "lane": lane,
        "priority": priority,
        "min_attempt": None if min_attempt is None else str(min_attempt),
        "created_from": created_from,
        "created_to": created_to,
        "error_code": error_code,
        "reverse": "true" if reverse else None,
        "owner": "*" if everyone else None if owner is None else user_id(target, owner),
        "limit": str(limit),
        "cursor": cursor,
        "include": include,
    }
    _show_page(target, "/jobs", query, owners=everyone)


def _check_all(status: str | None, type: str | None, owner: str | None) -> None:
    """Refuse what the API does not list of all users, in terms of the command's options."""
    if owner is not None:
        raise click.UsageError("give either --owner or --all")
    if status == "failed" and type is None:
        raise click.UsageError("failed jobs of all users are listed by --type; `headrace types` names the types")
    if status in {"succeeded", "cancelled"}:
        raise click.UsageError(f"{status} jobs are listed of one user only: give --owner instead of --all")


@click.command()
@click.argument("type")
@click.option("--retry", is_flag=True, help="Queue the failed jobs again, with their full number of attempts.")
@click.option("--dry-run", is_flag=True, help="Only count the jobs that --retry would queue again.")
@click.option("--error-code", help="With --retry or --dry-run: only jobs that failed with this code.")
@click.option(
    "--limit", type=click.IntRange(1, MAX_RETRIED), help="Jobs at most; by default 20 in a list, 100 in a retry."
)
@click.option("--cursor", help="Continue where an earlier page of the list ended.")
@with_target
def failed(
    target: Target,
    type: str,
    retry: bool,
    dry_run: bool,
    error_code: str | None,
    limit: int | None,
    cursor: str | None,
) -> None:
    """List the failed jobs of TYPE of all users, latest failure first, or retry them; for admins."""
    if retry or dry_run:
        if cursor is not None:
            raise click.UsageError("--cursor is for the list, without --retry and --dry-run")
        _retry(target, {"type": type, "error_code": error_code, "limit": limit, "dry_run": dry_run})
        return
    if error_code is not None:
        raise click.UsageError("--error-code needs --retry or --dry-run")
    if limit is not None and limit > MAX_PAGE:
        raise click.UsageError(f"a list has at most {MAX_PAGE} jobs a page; give a smaller --limit")
    _show_page(target, "/failed-jobs", {"type": type, "limit": str(limit or 20), "cursor": cursor})


def _show_page(target: Target, path: str, query: dict[str, str | None], *, owners: bool = False) -> None:
    """Print a page; that there is none or more goes to stderr, so that stdout has nothing but jobs."""
    params = {name: value for name, value in query.items() if value is not None}
    listed = target.client().call("GET", path, params=params)
    page = target.show(listed, lambda page: page_text(page, now(), owners=owners))
    if target.as_json:
        return
    if page["next"]:
        click.echo(f"more jobs: add --cursor {page['next']}", err=True)
    elif not page["items"]:
        click.echo("no jobs", err=True)


def _retry(target: Target, form: dict[str, str | int | bool | None]) -> None:
    body = {name: value for name, value in form.items() if value is not None}
    retried = target.show(target.client().call("POST", "/failed-jobs/retry", body=body), _retried_text)
    if retried.get("incomplete"):
        click.echo("ended early; run the command again to continue", err=True)
    elif retried["matched"] == (form["limit"] or 100):
        click.echo("there may be more: that is the limit, see --limit", err=True)


def _retried_text(retried: Json) -> str:
    return f"{retried['matched']} matched, {retried['retried']} queued again"
