"""Request and response models of the user routes."""

from typing import Annotated

from pydantic import BaseModel, Field

from domain.users.user import MAX_EMAIL, Role, User
from functions.api.http.forms import Form
from functions.api.http.times import Moment


class CreateUser(Form):
    """A user to add."""

    email: Annotated[str, Field(strict=True, max_length=2 * MAX_EMAIL)]
    name: Annotated[str, Field(strict=True, min_length=1, max_length=200)]
    role: Role = "member"


class ChangeUser(Form):
    """The changes to make to a user; absent members stay unchanged."""

    email: Annotated[str, Field(strict=True, max_length=2 * MAX_EMAIL)] | None = None
    name: Annotated[str, Field(strict=True, min_length=1, max_length=200)] | None = None
    role: Role | None = None
    disabled: Annotated[bool | None, Field(strict=True)] = None


class UserView(BaseModel):
    """A user."""

    id: str
    email: str
    name: str
    role: Role
    disabled: bool
    version: int
    created_at: Moment
    updated_at: Moment


class UserList(BaseModel):
    """A page of users; of a search by email, none or one."""

    items: list[UserView]
    next: str | None = None


def user_view(user: User) -> UserView:
    """Convert a user to its response model."""
    return UserView.model_construct(**{name: getattr(user, name) for name in UserView.model_fields})
