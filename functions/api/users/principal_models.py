"""Request and response models of the principals of a user."""

from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from domain.users.principal import USUAL_SCOPES, Kind, Principal, Scope
from functions.api.http.forms import Form
from functions.api.http.times import Moment

Name = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
Scopes = Annotated[tuple[Scope, ...], Field(min_length=1, max_length=4)]


class AddPrincipal(Form):
    """A principal to add: a token's `subject`, a role's `role_arn`, or neither for an API key."""

    name: Name
    subject: Annotated[str, Field(strict=True, min_length=1, max_length=1024, description="The claim `sub`")] | None = (
        None
    )
    issuer: (
        Annotated[
            str,
            Field(strict=True, max_length=1024, description="The claim `iss`; by default that of the caller's token"),
        ]
        | None
    ) = None
    role_arn: (
        Annotated[str, Field(strict=True, max_length=1024, description="Of an IAM role, or of an IAM user")] | None
    ) = None
    scopes: Scopes = USUAL_SCOPES
    expires_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if self.subject is not None and self.role_arn is not None:
            raise ValueError("give subject or role_arn, or neither for an API key")
        if self.issuer is not None and self.subject is None:
            raise ValueError("issuer is for a subject")
        return self

    @property
    def kind(self) -> Kind:
        """What is added."""
        if self.subject is not None:
            return "token"
        return "key" if self.role_arn is None else "iam"


class ChangePrincipal(Form):
    """The changes to make to a principal; absent members stay unchanged."""

    name: Name | None = None
    scopes: Scopes | None = None
    expires_at: AwareDatetime | None = Field(default=None, description="null takes the expiry away")
    disabled: Annotated[bool | None, Field(strict=True)] = None


class RotateKey(Form):
    """How to give a key a new secret."""

    keep_previous: Annotated[bool, Field(strict=True, description="Whether the present secret stays valid")] = True


class PrincipalView(BaseModel):
    """A principal: one way of being a user."""

    id: str
    kind: str
    subject: str
    name: str
    scopes: list[str]
    expires_at: Moment | None
    disabled: bool
    created_at: Moment
    valid_secrets: int = Field(description="Of an API key; two while it is rotated")
    key: str | None = Field(default=None, description="The API key; only in the response that made it")


class PrincipalList(BaseModel):
    """All principals of a user, at most 20."""

    items: list[PrincipalView]


def principal_view(principal: Principal, key: str | None = None) -> PrincipalView:
    """Convert a principal to its response model, without the hashes of its secrets."""
    shown = {name: getattr(principal, name) for name in ("id", "kind", "subject", "name", "disabled", "created_at")}
    return PrincipalView.model_construct(
        **shown,
        scopes=list(principal.scopes),
        expires_at=principal.expires_at,
        valid_secrets=len(principal.secrets),
        key=key,
    )
