"""The commands for principals: what callers prove to be, bound to a user."""

import click

from headrace.cli.folding import folded, terminal_columns
from headrace.cli.target import Json, Target, user_id, with_target

SCOPES = ("submit", "read", "manage", "on-behalf")


@click.command("principals")
@click.argument("user", metavar="EMAIL|ID")
@with_target
def list_principals(target: Target, user: str) -> None:
    """List a user's principals."""
    target.show(target.client().call("GET", _path(target, user)), _list_text)


@click.command("bind")
@click.argument("user", metavar="EMAIL|ID")
@click.option("--subject", help="The claim sub of a program's tokens.")
@click.option("--issuer", help="The claim iss of these tokens; by default that of your own.")
@click.option("--role-arn", help="The ARN of an IAM role, or of an IAM user.")
@click.option("--name", help="What it is for.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="By default submit, read, manage.")
@click.option("--expires-at", metavar="TIME", help="When it ends, such as 2027-01-01T00:00:00Z.")
@with_target
def bind(
    target: Target,
    user: str,
    subject: str | None,
    issuer: str | None,
    role_arn: str | None,
    name: str | None,
    scopes: tuple[str, ...],
    expires_at: str | None,
) -> None:
    """Let a program or an IAM role be a user; for admins."""
    if (subject is None) == (role_arn is None):
        raise click.UsageError("give --subject or --role-arn")
    proved = {"subject": subject, "issuer": issuer, "role_arn": role_arn}
    _add(target, user, {**proved, "name": name or (role_arn or subject or "")[-200:], "expires_at": expires_at}, scopes)


@click.command("key")
@click.argument("user", metavar="EMAIL|ID")
@click.option("--name", required=True, help="What the key is for.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="By default submit, read, manage.")
@click.option("--expires-at", metavar="TIME", help="When it ends, such as 2027-01-01T00:00:00Z.")
@with_target
def key(target: Target, user: str, name: str, scopes: tuple[str, ...], expires_at: str | None) -> None:
    """Make an API key for a user, and print it once; it is for the paths below /key/v1."""
    _add(target, user, {"name": name, "expires_at": expires_at}, scopes)


@click.command("rotate")
@click.argument("user", metavar="EMAIL|ID")
@click.argument("principal_id")
@click.option("--revoke", is_flag=True, help="End the present secret at once, not with the next rotation.")
@with_target
def rotate(target: Target, user: str, principal_id: str, revoke: bool) -> None:
    """Give an API key a new secret, and print the key once."""
    path = f"{_path(target, user)}/{principal_id}/rotate"
    target.show(target.client().call("POST", path, body={"keep_previous": not revoke}), _text)


@click.command("unbind")
@click.argument("user", metavar="EMAIL|ID")
@click.argument("principal_id")
@with_target
def unbind(target: Target, user: str, principal_id: str) -> None:
    """Remove a principal: an API key, a bound program or role, or the account that a person signed in with."""
    target.client().call("DELETE", f"{_path(target, user)}/{principal_id}")
    click.echo(f"removed {principal_id}", err=True)


PRINCIPAL_COMMANDS = (list_principals, bind, key, rotate, unbind)


def _add(target: Target, user: str, form: dict[str, str | None], scopes: tuple[str, ...]) -> None:
    body = {name: value for name, value in form.items() if value is not None}
    listed = {"scopes": list(scopes)} if scopes else {}
    target.show(target.client().call("POST", _path(target, user), body={**body, **listed}), _text)


def _path(target: Target, user: str) -> str:
    return f"/users/{user_id(target, user)}/principals"


def _list_text(document: Json) -> str:
    items = document["items"]
    if not isinstance(items, list):
        raise TypeError
    return "\n".join(_text(each) for each in items if isinstance(each, dict))


def _text(principal: Json) -> str:
    scopes = principal["scopes"]
    if not isinstance(scopes, list):
        raise TypeError
    ends = f"until {principal['expires_at']}" if principal["expires_at"] else ""
    disabled = "disabled" if principal["disabled"] else ""
    shown = str(principal.get("key") or principal["subject"])
    parts = (str(principal["id"]), str(principal["kind"]), shown, ",".join(map(str, scopes)), ends, disabled)
    return "\n".join(folded(parts, terminal_columns()))
