"""Secrets in environment variables, on a developer's machine: they are in `.env`, and belong to every user."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from domain.secrets.store import SHARED, SecretMissing, SecretsOff

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.secrets.store import SecretFound

BEGINNING = "SECRET_"


class EnvironmentSecrets:
    """The `SecretStore` on variables: `stripe` is in SECRET_STRIPE, and `shared/mail-key` in SECRET_SHARED_MAIL_KEY."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    async def get(self, place: str) -> SecretFound:
        return self._environment.get(variable_of(place)) or SecretMissing()


class NoSecrets:
    """The `SecretStore` of a deployment that keeps none."""

    async def get(self, _place: str, /) -> SecretFound:
        return SecretsOff()


def variable_of(place: str) -> str:
    """The variable that holds the secret at a place, whoever owns it."""
    name = place if place.startswith(SHARED) else place.rpartition("/")[2]
    return f"{BEGINNING}{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}"
