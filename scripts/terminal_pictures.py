"""Makes docs/images/terminal-*.png: what `headrace dev` shows of a job that fails, is mended and succeeds.

    .venv/bin/python -m scripts.terminal_pictures

The commands are the real ones, in terminals of 80 x 24 and 120 x 40; `make docs` runs it.
"""

import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from headrace.emulator.cloudformation import ROOT
from scripts.terminal_screen import Size, page

HEADRACE = str(Path(sys.executable).with_name("headrace"))
IMAGES = ROOT / "docs" / "images"
SIZES = (Size(80, 24), Size(120, 40))
PATIENCE_SECONDS = 180.0
PAYLOAD = '{"items": ["apple", "pear"]}'
ORDERS = '''"""Orders."""

import logging
from datetime import timedelta

from headrace import Backoff, job_type
from pydantic import BaseModel

PRICES = {"apple": 3}


class Order(BaseModel):
    """What is bought."""

    items: list[str]


class Total(BaseModel):
    """What it costs."""

    total: int


def price_of(item: str) -> int:
    """The price of one."""
    return PRICES[item]


@job_type("orders.total", max_attempts=2, backoff=Backoff(base=timedelta(seconds=2)))
def total_of_order(order: Order) -> Total:
    """Add up an order."""
    logging.getLogger(__name__).info("adding up %d items", len(order.items))
    return Total(total=sum(map(price_of, order.items)))
'''
MENDED = ORDERS.replace('{"apple": 3}', '{"apple": 3, "pear": 4}')


class Terminal:
    """A program in a terminal of a size, and all that it has written to it."""

    def __init__(self, size: Size, folder: Path, *command: str) -> None:
        own, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color"}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "JOB_TYPES"):
            environment.pop(name, None)
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdin=its, stdout=its, stderr=its)
        os.close(its)
        self._written = b""
        self._reading = threading.Thread(target=self._read, args=(own,), daemon=True)
        self._reading.start()

    @property
    def output(self) -> str:
        """What it has written so far."""
        return self._written.decode(errors="replace")

    def shows(self, pattern: str) -> re.Match[str]:
        """Wait until it does."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends:
            if found := re.search(pattern, self.output):
                return found
            time.sleep(0.02)
        raise RuntimeError(f"the terminal does not show {pattern!r}, but:\n{self.output}")

    def _read(self, own: int) -> None:
        try:
            while part := os.read(own, 65536):
                self._written += part
        except OSError:  # The other end is closed: the program has ended.
            os.close(own)


@contextmanager
def dev(size: Size, folder: Path) -> Iterator[Terminal]:
    """`headrace dev` in a terminal, when it is ready."""
    terminal = Terminal(size, folder, HEADRACE, "dev", "--port", "0")
    try:
        terminal.shows(r"ready http\S+")
        yield terminal
    finally:
        terminal.process.send_signal(signal.SIGINT)
        terminal.process.wait(PATIENCE_SECONDS)


def output_of_a_failing_job(size: Size) -> str:
    """What the terminal has shown when the job has failed, the code was mended, and the job has succeeded."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "my-jobs"
        subprocess.run([HEADRACE, "new", str(folder)], check=True, capture_output=True)
        code = folder / "my_jobs" / "orders.py"
        code.write_text(ORDERS)
        with dev(size, folder) as terminal:
            job = _headrace(folder, "submit", "orders.total", "--payload", PAYLOAD).split()[0]
            terminal.shows(f"headrace retry {job}")
            code.write_text(MENDED)
            terminal.shows(r"reloaded: \S+orders\.py")
            _headrace(folder, "retry", job)
            terminal.shows("succeeded.*ran +[0-9.]+ m?s")
            return f"$ headrace dev\n{terminal.output}"


def _headrace(folder: Path, *arguments: str) -> str:
    return subprocess.run([HEADRACE, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Write the pictures; where there is no Chromium, those that are there stay."""
    path = shutil.which("chromium")
    if path is None:
        sys.stderr.write("chromium is not installed: the pictures of the terminal stay as they are\n")
        return 0
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for size in SIZES:
            shown = browser.new_page(viewport={"width": 1400, "height": 1000}, device_scale_factor=1.5)
            shown.set_content(page(output_of_a_failing_job(size), size))
            shown.locator("pre").screenshot(path=IMAGES / f"terminal-{size.text}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
