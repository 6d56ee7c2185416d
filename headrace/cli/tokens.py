"""The commands that sign for callers of the local stack: people, programs, and roles of AWS."""

from datetime import UTC, datetime, timedelta

import click

from headrace.cli.target import ExitCode, fail, folder, json_text, mint, needs_key
from headrace.cli.types import FiniteNumber

MAX_CLIENT = 255
"""The longest subject (OpenID Connect Core, section 2)."""


@click.command()
@click.argument("email", required=False)
@click.option(
    "--client", help="Sign a token for the program CLIENT, as the client-credentials grant does, not for EMAIL."
)
@click.option("--hours", default=12.0, show_default=True, type=FiniteNumber(0, 24 * 365, min_open=True))
@click.option("--json", "as_json", is_flag=True, help="Print the token and its lifetime as JSON.")
def token(email: str | None, client: str | None, hours: float, as_json: bool) -> None:
    """Print a token for EMAIL, or for a program, that the stack of this folder accepts."""
    if (email is None) == (client is None):
        raise click.UsageError("give EMAIL or --client")
    lifetime = timedelta(hours=hours)
    signed = _for_program(client, lifetime) if client is not None else mint(email or "", lifetime)
    click.echo(json_text({"token": signed, "expires_in": int(hours * 3600)}, indent=2) if as_json else signed)


@click.command()
@click.argument("role")
@click.option("--json", "as_json", is_flag=True, help="Print credentials and ARN as JSON.")
def credentials(role: str, as_json: bool) -> None:
    """Print AWS credentials of the local IAM role ROLE, for signed requests to /iam/v1 of this folder's stack."""
    from headrace.emulator.cloudformation import REGION
    from headrace.emulator.signatures import ROLE_NAME, local_roles, role_arn

    if not ROLE_NAME.fullmatch(role):
        fail("a role's name has up to 64 letters, digits and signs of _+=,.@-", ExitCode.INVALID)
    needs_key("")
    found = local_roles(folder()).credentials(role)
    variables = {
        "AWS_ACCESS_KEY_ID": found.access_key_id,
        "AWS_SECRET_ACCESS_KEY": found.secret_access_key,
        "AWS_REGION": REGION,
    }
    if as_json:
        click.echo(json_text({**variables, "role_arn": role_arn(role)}, indent=2))
        return
    click.echo("\n".join(f"export {name}={value}" for name, value in variables.items()))
    click.echo(f"bind it with `headrace users bind USER --role-arn {role_arn(role)}`", err=True)


def _for_program(client: str, lifetime: timedelta) -> str:
    from headrace.emulator.tokens import local_authority

    if not client or len(client) > MAX_CLIENT or not client.isprintable():
        fail(f"the name of a program has 1 to {MAX_CLIENT} printable characters", ExitCode.INVALID)
    needs_key("")
    return local_authority(folder()).mint_for_program(client, datetime.now(UTC), lifetime)
