"""What tests of commands in this process share, and of what calls cost."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from functions.runtime import LazyClient
from tests.integration.metering import Meter


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Restore what a command makes of this process's environment, such as another region."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
async def metered(ministack_client: LazyClient, ministack_url: str) -> AsyncIterator[tuple[LazyClient, Meter]]:
    client, meter = LazyClient(ministack_url), Meter()
    events = (await client()).meta.events
    events.register("provide-client-params.dynamodb", meter.ask)  # type: ignore[arg-type]  # it may return
    events.register("after-call.dynamodb", meter.note)
    yield client, meter
    await client.close()
