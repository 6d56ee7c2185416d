"""A local stack of its own, for a benchmark that speaks HTTP to it."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from headrace.emulator.directory import LOCAL_ADMIN, ensure_local_admin
from headrace.emulator.stack import Options, running_stack
from headrace.emulator.state import Folder
from headrace.emulator.template import Stack
from headrace.emulator.tokens import local_authority

OTHER = "other@example.com"


@asynccontextmanager
async def client_of_a_stack(
    adapt: Callable[[Stack], Stack] = lambda stack: stack, allowed_hosts: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """A client, signed in as an admin, of a stack that `adapt` has changed and that ends with the block."""
    async with clients_of_a_stack(adapt, allowed_hosts) as (client, _):
        yield client


@asynccontextmanager
async def clients_of_a_stack(
    adapt: Callable[[Stack], Stack], allowed_hosts: str = ""
) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """The same, and a client of another user."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Folder(Path(temporary))
        options = Options(port=0, log_level="WARNING", allowed_hosts=allowed_hosts)
        async with running_stack(folder, options, adapt) as running:
            await ensure_local_admin(folder, running.endpoint_url)
            async with _client(running.url, folder, LOCAL_ADMIN) as admin, _client(running.url, folder, OTHER) as other:
                (await admin.post("/v1/users", json={"email": OTHER, "name": "Other"})).raise_for_status()
                yield admin, other


def _client(url: str, folder: Folder, email: str) -> httpx.AsyncClient:
    token = local_authority(folder).mint(email, datetime.now(UTC), timedelta(hours=1))
    return httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=35)
