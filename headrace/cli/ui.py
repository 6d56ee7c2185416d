"""`headrace ui`: opens the page of this folder's stack, signed in."""

import webbrowser
from datetime import UTC, datetime

import click

from headrace.cli.target import ExitCode, fail, folder, json_text, without_stack
from headrace.emulator.page_links import LIFETIME, leading_file, page_link


@click.command()
@click.option(
    "--as", "email", envvar="HEADRACE_EMAIL", default="dev@example.com", show_default=True, help="Who is signed in."
)
@click.option("--no-open", is_flag=True, help="Print the link only; do not open a browser.")
@click.option("--json", "as_json", is_flag=True, help="Print the link and its lifetime as JSON.")
def ui(email: str, no_open: bool, as_json: bool) -> None:
    """Open the page of this folder's stack, signed in; prints the link, which works once."""
    from domain.users.user import InvalidEmail, normalise_email

    running = folder().running()
    if running is None:
        fail(without_stack(), ExitCode.ERROR)
    address = normalise_email(email)
    if isinstance(address, InvalidEmail):
        fail(f"invalid_email: {address.reason}", ExitCode.INVALID)
    link = page_link(folder(), running.url, address, datetime.now(UTC))
    seconds = int(LIFETIME.total_seconds())
    click.echo(json_text({"link": link, "expires_in": seconds}, indent=2) if as_json else link)
    if not no_open and not as_json and not webbrowser.open(leading_file(folder(), link).as_uri()):
        click.echo("no browser could be opened here; open the link yourself", err=True)
