"""Users, straight in the tables: the way to the first admin, locally and on AWS."""

import os

from domain.results import StorageUnavailable
from domain.users.repository import EmailTaken
from domain.users.service import UserService
from domain.users.user import InvalidEmail, Role, User
from functions.runtime import LazyClient, new_id, now, user_repository
from functions.settings import Settings
from local.stack import credentials_for


async def create_user(
    settings: Settings, email: str, name: str, role: Role
) -> User | InvalidEmail | EmailTaken | StorageUnavailable:
    """Add a user through the repository, without the API."""
    os.environ.update(credentials_for(settings.endpoint_url or ""))
    client = LazyClient(settings.endpoint_url)
    try:
        return await UserService(user_repository(settings, client), now, new_id).create(email, name, role)
    finally:
        await client.close()
