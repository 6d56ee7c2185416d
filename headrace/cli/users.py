"""The commands for users."""

import asyncio

import click
from pydantic import JsonValue

from domain.results import StorageUnavailable
from domain.users.repository import EmailTaken
from domain.users.user import InvalidEmail, Role, User, normalise_email
from headrace.cli.folding import folded, terminal_columns
from headrace.cli.principals import PRINCIPAL_COMMANDS
from headrace.cli.target import ExitCode, Json, Target, fail, folder, user_id, with_target, without_stack
from headrace.cli.types import TABLE, URL

MAX_NAME = 200
"""The API's limit for a user's name."""
MAX_PAGE = 100


class Limit(click.ParamType["int | str"]):
    """A number from 0 on, or the word `default`."""

    name = "NUMBER|default"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number, or the word."""
        if value != "default" and not value.isdecimal():
            self.fail(f"{value!r} is neither a number nor the word default", param, ctx)
        return value if value == "default" else int(value)


LIMIT = Limit()


@click.group()
def users() -> None:
    """Manage users and their principals: `create` in the tables, without the API, the others through the API."""


@users.command("create")
@click.argument("email")
@click.option("--name", help="The name; by default the address.")
@click.option("--admin", is_flag=True, help="Give the user the role admin.")
@click.option("--endpoint-url", type=URL, help="The database; by default that of this folder's stack.")
@click.option("--users-table", type=TABLE, help="The table of users: the output UsersTableName of a deployment.")
@click.option("--emails-table", type=TABLE, help="The table of claimed addresses: the output UserEmailsTableName.")
@click.option("--json", "as_json", is_flag=True, help="Print the user as JSON.")
def add_user(
    email: str,
    name: str | None,
    admin: bool,
    endpoint_url: str | None,
    users_table: str | None,
    emails_table: str | None,
    as_json: bool,
) -> None:
    """Add a user with the address EMAIL."""
    from functions.api.http.forms import InvalidForm
    from functions.api.users.models import CreateUser
    from headrace.emulator.directory import Tables, create_user

    running = folder().running()
    database = endpoint_url or (running.endpoint_url if running else None)
    if database is None:
        fail(f"{without_stack()}, or give --endpoint-url", ExitCode.ERROR)
    role: Role = "admin" if admin else "member"
    address = normalise_email(email)
    if isinstance(address, InvalidEmail):
        fail(f"invalid_email: {address.reason}", ExitCode.INVALID)
    try:
        form = CreateUser(email=address, name=address[:MAX_NAME] if name is None else name, role=role)
    except InvalidForm as invalid:
        flaw = invalid.flaws.first[0]
        fail(f"invalid_{flaw.path[0]}: {flaw.message}", ExitCode.INVALID)
    tables = Tables(users=users_table, user_emails=emails_table)
    created = asyncio.run(create_user(folder(), database, form.email, form.name, role, tables))
    match created:
        case User():
            text = created.model_dump_json(indent=2) if as_json else f"{created.id}  {created.email}  {created.role}"
            click.echo(text)
        case EmailTaken():
            fail(f"email_taken: a user already has the address {created.email}", ExitCode.CONFLICT)
        case InvalidEmail():
            fail(f"invalid_email: {created.reason}", ExitCode.INVALID)
        case StorageUnavailable():
            fail(f"the database at {database} failed: {created.reason} ({created.detail})", ExitCode.ERROR)


@users.command("list")
@click.option("--role", type=click.Choice(["admin", "member"]), help="Only users of this role.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, MAX_PAGE))
@click.option("--cursor", help="Continue where an earlier page ended.")
@with_target
def list_users(target: Target, role: str | None, limit: int, cursor: str | None) -> None:
    """List users, admins first, by address; for admins."""
    query = {"role": role, "limit": str(limit), "cursor": cursor}
    params = {name: value for name, value in query.items() if value is not None}
    page = target.show(target.client().call("GET", "/users", params=params), _page_text)
    if page.get("next") and not target.as_json:
        click.echo(f"more users: add --cursor {page['next']}", err=True)


@users.command()
@click.argument("user", metavar="EMAIL|ID")
@with_target
def disable(target: Target, user: str) -> None:
    """Refuse every request of a user from now on; its jobs run on. For admins."""
    _set_disabled(target, user, disabled=True)


@users.command()
@click.argument("user", metavar="EMAIL|ID")
@with_target
def enable(target: Target, user: str) -> None:
    """Admit a disabled user again; for admins."""
    _set_disabled(target, user, disabled=False)


@users.command()
@click.argument("user", metavar="EMAIL|ID")
@click.option("--unfinished", type=LIMIT, help="How many of its jobs may be unfinished; 0 sets no limit.")
@click.option("--per-minute", type=LIMIT, help="How many jobs it may submit in a minute; 0 sets no limit.")
@with_target
def quota(target: Target, user: str, unfinished: int | str | None, per_minute: int | str | None) -> None:
    """Limit what a user may submit; `default` leaves it to the deployment. Without options, show it. For admins."""
    path, given = f"/users/{user_id(target, user)}", {"unfinished": unfinished, "submissions_per_minute": per_minute}
    asked = {name: None if limit == "default" else limit for name, limit in given.items() if limit is not None}
    found = target.client().call("GET", path)
    if asked:
        body = {"quota": {**_quota_of(found), **asked}}
        found = target.client().call("PATCH", path, body=body, headers={"if-match": f'"{found["version"]}"'})
    target.show(found, _quota_text)


@users.command()
@click.argument("user", metavar="EMAIL|ID")
@with_target
def delete(target: Target, user: str) -> None:
    """Delete a user with its address and principals; its jobs run on, and are kept as long as others. For admins."""
    found = user_id(target, user)
    target.client().call("DELETE", f"/users/{found}")
    click.echo(f"deleted {found}", err=True)


for _command in PRINCIPAL_COMMANDS:
    users.add_command(_command)


def _set_disabled(target: Target, user: str, *, disabled: bool) -> None:
    path = f"/users/{user_id(target, user)}"
    target.show(target.client().call("PATCH", path, body={"disabled": disabled}, headers={"if-match": "*"}), _user_text)


def _quota_of(user: Json) -> Json:
    quota = user["quota"]
    if not isinstance(quota, dict):
        raise TypeError
    return quota


def _quota_text(user: Json) -> str:
    unfinished, per_minute = (_limit_text(_quota_of(user)[name]) for name in ("unfinished", "submissions_per_minute"))
    return f"unfinished jobs: {unfinished}\nper minute: {per_minute}"


def _limit_text(limit: JsonValue) -> str:
    return "as the deployment says" if limit is None else str(limit or "no limit")


def _page_text(page: Json) -> str:
    items = page["items"]
    if not isinstance(items, list):
        raise TypeError
    return "\n".join(_user_text(user) for user in items if isinstance(user, dict))


def _user_text(user: Json) -> str:
    parts = (str(user["id"]), str(user["email"]), str(user["role"]), "disabled" if user["disabled"] else "")
    return "\n".join(folded(parts, terminal_columns()))
