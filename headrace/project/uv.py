"""The uv that is installed beside this Python: it resolves, locks and installs packages."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def uv() -> str:
    """Its path, in the environment that Headrace is installed in."""
    return str(Path(sys.executable).with_name("uv"))


def uv_environment() -> Mapping[str, str]:
    """As pip does, it trusts the certificates that the machine trusts, also behind a company's proxy."""
    return {"UV_SYSTEM_CERTS": "1", **os.environ}
