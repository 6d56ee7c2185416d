"""Tests the clients in `clients/`, and the applications in `examples/` that use them, as their users would.

`make clients` runs it. Each is installed in an environment of its own, without Headrace: what is locked, with hashes,
and a wheel of the client. There its types are checked and its tests run, against one local stack.
"""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from headrace.emulator.cloudformation import ROOT
from headrace.project.uv import uv
from scripts.examples import CLIENT, NOT_COPIED, PATIENCE_SECONDS, FailedError, clean_environment, client_wheel, run

APPLICATIONS = (Path("examples") / "django_app", Path("examples") / "fastapi_app")
HEADRACE = str(Path(sys.executable).with_name("headrace"))
EMAIL = "dev@example.com"


def test(installed: Path, folder: Path, stack: Mapping[str, str], project: Path) -> str:
    """Install what a project has locked, and the wheel; check its types and run its tests. Returns a line about it."""
    copy = Path(shutil.copytree(ROOT / project, folder / project.name, ignore=NOT_COPIED))
    if project == CLIENT:
        shutil.rmtree(copy / "src")  # The installed one is tested.
        blocks = re.findall(r"```python\n(.*?)```", (copy / "README.md").read_text(), re.DOTALL)
        (copy / "tests" / "program.py").write_text("".join(blocks))  # Its types are checked with the others.
    python = str(copy / ".venv" / "bin" / "python")
    run(copy, uv(), "venv", "--quiet", "--python", sys.executable, ".venv")
    install = (uv(), "pip", "install", "--quiet", "--python", python, "--no-deps")
    run(copy, *install, "--require-hashes", "--requirement", "requirements.lock")
    run(copy, *install, str(installed))
    run(copy, uv(), "pip", "check", "--quiet", "--python", python)
    typed = run(copy, python, "-m", "mypy", *(("tests",) if project == CLIENT else ("app.py", "tests")))
    tested = run(copy, python, "-m", "pytest", "-q", "-p", "no:cacheprovider", environment=stack)
    if "skipped" in tested:
        raise FailedError(f"tests of {project} were skipped:\n{tested}")
    return f"{project}: {typed.strip()}; {tested.strip().splitlines()[-1]}"


@contextmanager
def running_stack(folder: Path) -> Iterator[Mapping[str, str]]:
    """A local stack of its own, as the variables that say where it is."""
    log = folder / "dev.txt"
    with (
        log.open("w") as sink,
        subprocess.Popen(
            [HEADRACE, "dev", "--port", "0"], cwd=folder, env=clean_environment(), stdout=sink, stderr=sink
        ) as stack,
    ):
        try:
            ends = time.monotonic() + PATIENCE_SECONDS
            while "ready http" not in log.read_text():
                if stack.poll() is not None or time.monotonic() > ends:
                    raise FailedError(f"headrace dev does not start:\n{log.read_text()}")
                time.sleep(0.1)
            url = log.read_text().partition("ready ")[2].split()[0]
            yield {"HEADRACE_URL": url, "HEADRACE_TOKEN": run(folder, HEADRACE, "token", EMAIL).strip()}
        finally:
            stack.send_signal(signal.SIGINT)


def main() -> int:
    """Test all, side by side; 0 when all pass."""
    projects = (CLIENT, *APPLICATIONS)
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(len(projects)) as side_by_side:
        folder = Path(temporary)
        try:
            built = client_wheel(folder)
            with running_stack(folder) as stack:
                for line in side_by_side.map(partial(test, built, folder, stack), projects):
                    print(line)
        except FailedError as failed:
            print(failed)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
