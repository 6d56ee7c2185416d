"""What tests of commands in this process share."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Restore what a command makes of this process's environment, such as another region."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
