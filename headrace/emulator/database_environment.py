"""The Python environment of the embedded database, apart from Headrace's own: MiniStack pins another botocore.

In a clone `make setup` makes it, in `.tools/`. Where Headrace is installed, the first start of a stack does, in the
user's cache, so that all projects share it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from headrace.emulator.cloudformation import FILES, ROOT
from headrace.project.uv import uv, uv_environment

IS_CLONE = FILES == ROOT
_LOCK = FILES / "requirements" / "ministack.txt"


def database_folder() -> Path:
    """Where the environment is, or will be: in the cache one for each lock and version of Python."""
    if IS_CLONE:
        return ROOT / ".tools" / "ministack"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    return cache / "headrace" / f"ministack-{digest}-{sys.version_info.major}.{sys.version_info.minor}"


def database_python() -> Path:
    """Its interpreter, which exists once it is installed."""
    return database_folder() / "bin" / "python"


def install_database() -> str | None:
    """Install it; returns why that cannot be done. Of several processes at once, the first to finish wins."""
    folder = database_folder()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{folder.parent} cannot be written: {error.strerror}"
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="installing-") as temporary:
        made = Path(temporary) / "environment"
        python = str(made / "bin" / "python")
        for command in (
            [uv(), "venv", "--quiet", "--relocatable", "--python", sys.executable, str(made)],
            [uv(), "pip", "sync", "--quiet", "--python", python, "--require-hashes", str(_LOCK)],
        ):
            done = subprocess.run(command, env=uv_environment(), capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return done.stderr.strip()
        with suppress(OSError):  # Another process was faster.
            shutil.move(made, folder)
    return None
