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


@asynccontextmanager
async def client_of_a_stack(
    adapt: Callable[[Stack], Stack] = lambda stack: stack, allowed_hosts: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """A client, signed in as an admin, of a stack that `adapt` has changed and that ends with the block."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Folder(Path(temporary))
        options = Options(port=0, log_level="WARNING", allowed_hosts=allowed_hosts)
        async with running_stack(folder, options, adapt) as running:
            await ensure_local_admin(folder, running.endpoint_url)
            token = local_authority(folder).mint(LOCAL_ADMIN, datetime.now(UTC), timedelta(hours=1))
            headers = {"authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=35) as client:
                yield client
