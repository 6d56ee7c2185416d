"""Request and response models of the user routes."""

from typing import Annotated

from pydantic import BaseModel, Field

from domain.users.quota import MAX_A_MINUTE, MAX_UNFINISHED
from domain.users.user import MAX_EMAIL, Role, User
from functions.api.http.forms import Form
from functions.api.http.times import Moment


class CreateUser(Form):
    """A user to add."""

    email: Annotated[str, Field(strict=True, max_length=2 * MAX_EMAIL)]
    name: Annotated[str, Field(strict=True, min_length=1, max_length=200)]
    role: Role = "member"


class QuotaForm(Form):
    """A user's limits. 0 sets none; null, or no member, leaves it to the deployment's parameter."""

    unfinished: Annotated[
        int | None, Field(strict=True, ge=0, le=MAX_UNFINISHED, description="Jobs that have not ended")
    ] = None
    submissions_per_minute: Annotated[int | None, Field(strict=True, ge=0, le=MAX_A_MINUTE)] = None


class ChangeUser(Form):
    """The changes to make to a user; absent members stay unchanged."""

    email: Annotated[str, Field(strict=True, max_length=2 * MAX_EMAIL)] | None = None
    name: Annotated[str, Field(strict=True, min_length=1, max_length=200)] | None = None
    role: Role | None = None
    disabled: Annotated[bool | None, Field(strict=True)] = None
    quota: QuotaForm | None = Field(default=None, description="The whole quota")


class QuotaView(BaseModel):
    """A user's limits, where an admin has decided; null where the deployment's parameter holds."""

    unfinished: int | None
    submissions_per_minute: int | None


class UserView(BaseModel):
    """A user."""

    id: str
    email: str
    name: str
    role: Role
    disabled: bool
    quota: QuotaView
    version: int
    created_at: Moment
    updated_at: Moment


class UserList(BaseModel):
    """A page of users; of a search by email, none or one."""

    items: list[UserView]
    next: str | None = None


def user_view(user: User) -> UserView:
    """Convert a user to its response model."""
    own = {name: getattr(user, name) for name in UserView.model_fields if name != "quota"}
    quota = QuotaView(unfinished=user.quota.unfinished, submissions_per_minute=user.quota.submissions_per_minute)
    return UserView.model_construct(**own, quota=quota)
