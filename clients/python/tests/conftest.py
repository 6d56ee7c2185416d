"""The stack that tests talk to: `HEADRACE_URL` and `HEADRACE_TOKEN` say which; without them, they are skipped."""

import os

import pytest


@pytest.fixture(scope="session")
def stack() -> tuple[str, str]:
    """Its address and a token."""
    url, token = os.environ.get("HEADRACE_URL"), os.environ.get("HEADRACE_TOKEN")
    if not url or not token:
        pytest.skip("needs HEADRACE_URL and HEADRACE_TOKEN; `make clients` sets them")
    return url, token
