"""The secrets of a test's job."""

from collections.abc import Mapping

from domain.secrets.store import SHARED, SecretFound, SecretMissing, SecretSource, place_of


class FakeSecrets:
    """A `SecretStore` with these values, by place. A test may put a failure in place of one."""

    def __init__(self, values: Mapping[str, SecretFound]) -> None:
        self.values = dict(values)
        self.asked: list[str] = []

    async def get(self, place: str, /) -> SecretFound:
        self.asked.append(place)
        return self.values.get(place, SecretMissing())


class AnyonesSecrets:
    """A `SecretStore` with the same values for every owner, by name."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    async def get(self, place: str, /) -> SecretFound:
        name = place if place.startswith(SHARED) else place.partition("/")[2]
        return self._values.get(name, SecretMissing())


def secrets_of(owner_id: str, values: Mapping[str, str]) -> SecretSource:
    """Gives the secrets of one owner, by the names that a payload has for them."""
    store = FakeSecrets({place_of(owner_id, name): value for name, value in values.items()})
    return lambda: store
