"""Request and response models of the webhook routes."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from domain.webhooks.endpoint import FINAL_STATUSES, Disabled, Enabled, Endpoint, EndpointWishes
from domain.webhooks.repository import EndpointNotFound
from domain.webhooks.service import Created
from domain.webhooks.signing import Signer
from functions.api.http.forms import Form
from functions.api.http.ids import is_id
from functions.api.http.links import link
from functions.api.http.problems import refuse
from functions.api.http.times import Moment
from functions.api.webhooks.notify import CheckedUrl, Includes, Statuses, once

TypeName = Annotated[str, Field(strict=True, min_length=1, max_length=64)]
Types = Annotated[list[TypeName], Field(max_length=50, description="Only jobs of these types; empty for all")]
Description = Annotated[str, Field(strict=True, max_length=200)]


class CreateWebhook(Form):
    """An endpoint to add."""

    url: CheckedUrl
    statuses: Statuses = Field(default_factory=lambda: list(FINAL_STATUSES))
    types: Types = Field(default_factory=list)
    include: Includes = Field(default_factory=list)
    description: Description = ""


class ChangeWebhook(Form):
    """The changes to make to an endpoint; absent members stay unchanged."""

    url: CheckedUrl | None = None
    statuses: Statuses | None = None
    types: Types | None = None
    include: Includes | None = None
    description: Description | None = None
    enabled: Annotated[
        bool | None, Field(strict=True, description="false stops deliveries; true begins again, also after a failure")
    ] = None


class WebhookView(BaseModel):
    """An endpoint."""

    id: str
    url: str
    statuses: list[str]
    types: list[str]
    include: list[str]
    description: str
    status: Literal["enabled", "disabled"]
    failing_since: Moment | None = Field(description="The first failure after the last success")
    disabled_at: Moment | None
    disabled_reason: str | None = Field(description="gone (it answered 410), failing (for three days), or requested")
    version: int
    created_at: Moment
    updated_at: Moment
    links: dict[str, str]


class NewWebhookView(WebhookView):
    """A new endpoint, with the secret that its deliveries are signed by. It is not shown again."""

    secret: str


class WebhookList(BaseModel):
    """Every endpoint, the oldest first."""

    items: list[WebhookView]


class SecretView(BaseModel):
    """A new secret, which is not shown again. Until the previous one ends, deliveries are signed by both."""

    secret: str
    previous_until: Moment | None


def checked_id(webhook_id: str) -> str:
    """The id of a path, refused if no webhook can have it."""
    if not is_id(webhook_id):
        raise refuse(EndpointNotFound())
    return webhook_id


def wishes_of(form: CreateWebhook) -> EndpointWishes:
    """Convert a form to the domain's model."""
    return EndpointWishes(
        url=form.url,
        statuses=once(form.statuses),
        types=once(form.types),
        include=once(form.include),
        description=form.description,
    )


def changed(wishes: EndpointWishes, form: ChangeWebhook) -> EndpointWishes:
    """The wishes, with the changes that the form has."""
    return EndpointWishes(
        url=wishes.url if form.url is None else form.url,
        statuses=wishes.statuses if form.statuses is None else once(form.statuses),
        types=wishes.types if form.types is None else once(form.types),
        include=wishes.include if form.include is None else once(form.include),
        description=wishes.description if form.description is None else form.description,
    )


def webhook_view(endpoint: Endpoint) -> WebhookView:
    """Convert an endpoint to its response model."""
    return WebhookView.model_validate(_shared(endpoint))


def new_webhook_view(created: Created) -> NewWebhookView:
    """Convert a new endpoint to its response model, with the secret."""
    return NewWebhookView.model_validate({**_shared(created.endpoint), "secret": created.signer.secret})


def secret_view(signer: Signer) -> SecretView:
    """Show a new secret, this once."""
    return SecretView(secret=signer.secret, previous_until=signer.previous_until)


def _shared(endpoint: Endpoint) -> dict[str, object]:
    own = {name: getattr(endpoint, name) for name in WebhookView.model_fields if name in Endpoint.model_fields}
    itself = link(f"/v1/webhooks/{endpoint.id}")
    return {
        **own,
        "statuses": list(endpoint.statuses),
        "types": list(endpoint.types),
        "include": list(endpoint.include),
        **_state(endpoint.state),
        "links": {"self": itself, "deliveries": f"{itself}/deliveries"},
    }


def _state(state: Enabled | Disabled) -> dict[str, object]:
    match state:
        case Enabled(status=status, failing_since=since):
            return {"status": status, "failing_since": since, "disabled_at": None, "disabled_reason": None}
        case Disabled(status=status, since=since, reason=reason):
            return {"status": status, "failing_since": None, "disabled_at": since, "disabled_reason": reason}
