"""`headrace webhooks`: endpoints that are told of jobs' changes, and their deliveries, over HTTP; for admins."""

from collections.abc import Callable
from urllib.parse import quote

import click

from headrace.cli.folding import folded, terminal_columns
from headrace.cli.job_text import job_line, now, page_text
from headrace.cli.target import Json, Target, with_target

STATUSES = click.Choice(["scheduled", "retrying", "succeeded", "failed", "cancelled"])
DOCUMENTS = click.Choice(["payload", "result"])
MAX_PAGE = 100
MAX_OVERLAP = 7 * 86_400


def _wishes(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what an endpoint is told."""
    for option in (
        click.option("--description", help="A note for other admins."),
        click.option("--include", multiple=True, type=DOCUMENTS, help="Deliver this document too; may be repeated."),
        click.option("--type", "types", multiple=True, help="Only of jobs of this type; may be repeated."),
        click.option("--status", "statuses", multiple=True, type=STATUSES,
                     help="Of which changes; may be repeated. By default of the ends: succeeded, failed, cancelled."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def webhooks() -> None:
    """Tell other programs of jobs' changes by signed HTTP requests; for admins."""


@webhooks.command()
@click.argument("receiver", metavar="URL")
@_wishes
@with_target
def create(
    target: Target,
    receiver: str,
    statuses: tuple[str, ...],
    types: tuple[str, ...],
    include: tuple[str, ...],
    description: str | None,
) -> None:
    """Add an endpoint at URL, and print its secret: the only time that it is shown."""
    body = {"url": receiver, **_given(statuses, types, include, description)}
    target.show(target.client().call("POST", "/webhooks", body=body), _with_secret)


@webhooks.command(name="list")
@with_target
def list_webhooks(target: Target) -> None:
    """List the endpoints."""
    page = target.show(target.client().call("GET", "/webhooks"), _page_text)
    if not page["items"] and not target.as_json:
        click.echo("no webhooks", err=True)


@webhooks.command()
@click.argument("id")
@with_target
def show(target: Target, id: str) -> None:
    """Show an endpoint."""
    target.show(target.client().call("GET", _path(id)), _webhook_text)


@webhooks.command()
@click.argument("id")
@click.option("--to", "receiver", metavar="URL", help="Where to deliver from now on, also what already waits.")
@_wishes
@click.option("--enable/--disable", "enabled", default=None, help="Begin to deliver again, or stop.")
@with_target
def change(
    target: Target,
    id: str,
    receiver: str | None,
    statuses: tuple[str, ...],
    types: tuple[str, ...],
    include: tuple[str, ...],
    description: str | None,
    enabled: bool | None,
) -> None:
    """Change an endpoint; what is not given stays."""
    body = _given(statuses, types, include, description)
    body |= {name: value for name, value in (("url", receiver), ("enabled", enabled)) if value is not None}
    if not body:
        raise click.UsageError("give at least one change")
    target.show(target.client().call("PATCH", _path(id), body=body), _webhook_text)


@webhooks.command()
@click.argument("id")
@with_target
def delete(target: Target, id: str) -> None:
    """Delete an endpoint and its secret; deliveries that wait fail."""
    target.show(target.client().call("DELETE", _path(id)), lambda _: f"{id} deleted")


@webhooks.command()
@click.argument("id")
@click.option("--overlap-seconds", default=86_400, show_default=True, type=click.IntRange(0, MAX_OVERLAP),
              help="How long the previous secret stays valid; 0 for one that others have seen.")  # fmt: skip
@with_target
def rotate(target: Target, id: str, overlap_seconds: int) -> None:
    """Give an endpoint a new secret, and print it: the only time that it is shown."""
    params = {"overlap_seconds": str(overlap_seconds)}
    target.show(target.client().call("POST", f"{_path(id)}/rotate", params=params), _secret_text)


@webhooks.command()
@click.argument("id")
@with_target
def test(target: Target, id: str) -> None:
    """Send an endpoint an event of the type webhook.test; follow it with `headrace watch`."""
    target.show(target.client().call("POST", f"{_path(id)}/test"), job_line)


@webhooks.command()
@click.argument("id")
@click.option("--status", help="Only deliveries of this status, such as failed.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, MAX_PAGE))
@click.option("--cursor", help="Continue where an earlier page ended.")
@with_target
def deliveries(target: Target, id: str, status: str | None, limit: int, cursor: str | None) -> None:
    """List an endpoint's deliveries, newest first; each is a job."""
    query = {"status": status, "limit": str(limit), "cursor": cursor}
    params = {name: value for name, value in query.items() if value is not None}
    page = target.show(
        target.client().call("GET", f"{_path(id)}/deliveries", params=params), lambda page: page_text(page, now())
    )
    if page["next"] and not target.as_json:
        click.echo(f"more deliveries: add --cursor {page['next']}", err=True)
    elif not page["items"] and not target.as_json:
        click.echo("no deliveries", err=True)


@webhooks.command()
@click.argument("id")
@click.argument("delivery")
@with_target
def replay(target: Target, id: str, delivery: str) -> None:
    """Deliver again what has ended, with the same webhook-id and body."""
    path = f"{_path(id)}/deliveries/{quote(delivery, safe='')}/replay"
    target.show(target.client().call("POST", path), job_line)


@webhooks.command(name="notify-secret")
@click.option("--overlap-seconds", default=86_400, show_default=True, type=click.IntRange(0, MAX_OVERLAP),
              help="How long the previous secret stays valid.")  # fmt: skip
@with_target
def notify_secret(target: Target, overlap_seconds: int) -> None:
    """Make, or make anew, the secret that signs what your own jobs' `notify` asks for; for everyone."""
    params = {"overlap_seconds": str(overlap_seconds)}
    target.show(target.client().call("POST", "/notify-secret", params=params), _secret_text)


def _given(
    statuses: tuple[str, ...], types: tuple[str, ...], include: tuple[str, ...], description: str | None
) -> Json:
    lists: dict[str, tuple[str, ...]] = {"statuses": statuses, "types": types, "include": include}
    form: Json = {name: list(values) for name, values in lists.items() if values}
    return form if description is None else {**form, "description": description}


def _path(id: str) -> str:
    return f"/webhooks/{quote(id, safe='')}"


def _with_secret(webhook: Json) -> str:
    return f"{_webhook_text(webhook)}\n{_secret_text(webhook)}"


def _secret_text(document: Json) -> str:
    until = document.get("previous_until")
    previous = f"\nprevious  valid until {until}" if until else ""
    return f"secret    {document['secret']}{previous}"


def _webhook_text(webhook: Json) -> str:
    lines = [_line(webhook), f"tells     {_words(webhook['statuses'])}; types: {_words(webhook['types']) or 'all'}"]
    if webhook["include"]:
        lines.append(f"includes  {_words(webhook['include'])}")
    if webhook["description"]:
        lines.append(f"note      {webhook['description']}")
    if webhook["failing_since"]:
        lines.append(f"failing   since {webhook['failing_since']}")
    if webhook["disabled_at"]:
        lines.append(f"disabled  since {webhook['disabled_at']}: {webhook['disabled_reason']}")
    return "\n".join(lines)


def _page_text(page: Json) -> str:
    items = page["items"]
    return "\n".join(_line(each) for each in items if isinstance(each, dict)) if isinstance(items, list) else ""


def _line(webhook: Json) -> str:
    return "\n".join(folded([f"{webhook['id']}  {webhook['status']:<8}", str(webhook["url"])], terminal_columns()))


def _words(values: object) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list) else ""
