"""Adds users directly to the tables, without the API: how the first admin is created, locally and on AWS."""

from domain.results import StorageUnavailable
from domain.users.repository import EmailTaken
from domain.users.service import UserService
from domain.users.user import InvalidEmail, Role, User
from functions.adapters import user_repository
from functions.runtime import LazyClient, new_id, now
from functions.settings import ApiSettings
from headrace.authoring.frozen import Frozen
from headrace.emulator.credentials import use_credentials
from headrace.emulator.database import StackError
from headrace.emulator.stack import api_settings, parameters
from headrace.emulator.state import Folder
from headrace.emulator.template import load_stack

LOCAL_ADMIN = "dev@example.com"
"""A user of every local stack, so that the commands work at once."""


class Tables(Frozen):
    """The names of the user tables; None is the local one."""

    users: str | None = None
    user_emails: str | None = None


async def create_user(
    folder: Folder, endpoint_url: str, email: str, name: str, role: Role, tables: Tables | None = None
) -> User | InvalidEmail | EmailTaken | StorageUnavailable:
    """Add a user through the repository, without the API."""
    use_credentials(endpoint_url)
    local = api_settings(load_stack(parameters(folder)))
    users, user_emails = (tables.users, tables.user_emails) if tables else (None, None)
    found = ApiSettings.model_validate({
        **dict(local),
        "users_table": users or local.users_table,
        "user_emails_table": user_emails or local.user_emails_table,
    })  # fmt: skip
    client = LazyClient(endpoint_url)
    try:
        return await UserService(user_repository(found, client), now, new_id).create(email, name, role)
    finally:
        await client.close()


async def ensure_local_admin(folder: Folder, endpoint_url: str) -> None:
    """Create the local admin at the first start of a stack; later calls change nothing."""
    created = await create_user(folder, endpoint_url, LOCAL_ADMIN, "Local developer", "admin")
    if not isinstance(created, User | EmailTaken):
        raise StackError(f"The local admin cannot be stored: {created}.")
