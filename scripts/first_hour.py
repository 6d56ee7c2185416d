"""Walks through a developer's first hour by the real commands, and prints how long each step takes.

    .venv/bin/python -m scripts.first_hour

A job type of one's own is written, fails, its traceback is read from the output of `headrace dev`, it is broken
further, mended by hot reload, and succeeds. Exits with 1 when a step goes wrong, when a reload takes more than 2 s or
all of it more than 3 minutes. It works in a temporary folder, with the `headrace` that is installed beside this Python.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HEADRACE = str(Path(sys.executable).with_name("headrace"))
MOST_SECONDS, MOST_RELOAD_SECONDS, PATIENCE_SECONDS = 180.0, 2.0, 60.0
JOB_FAILED = 7

PACKAGE = '''"""The job types of a shop."""

from headrace import Handler
from my_jobs.orders import total_of_order

JOB_TYPES: tuple[Handler, ...] = (total_of_order,)
'''
ORDERS = '''"""Orders."""

import logging

from pydantic import BaseModel

from headrace import job_type

PRICES = {"apple": 3, "pear": 4}


class Order(BaseModel):
    """What is bought."""

    items: list[str]


class Total(BaseModel):
    """What it costs."""

    total: int


@job_type("orders.total", max_attempts=1)
def total_of_order(order: Order) -> Total:
    """Add up an order."""
    logging.getLogger(__name__).info("adding up %d items", len(order.items))
    return Total(total=sum(PRICES[item] for item in order.items))
'''
FAULTY = ("PRICES[item]", "PRICE[item]")
UNFINISHED = ("PRICES[item]", "PRICES[item")
PAYLOAD = '{"items": ["apple", "pear"]}'


class WrongError(Exception):
    """A step did not show what it should."""


class Stack:
    """`headrace dev`, and what it shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "JOB_TYPES": "my_jobs"}
        self._shown = folder / "shown.txt"
        with self._shown.open("w") as shown:
            self.process = subprocess.Popen(
                [HEADRACE, "dev", "--port", "0"], cwd=folder, env=self.environment, stdout=shown, stderr=shown
            )
        self._seen = 0

    def shows(self, pattern: str) -> re.Match[str]:
        """Wait until something that the stack has shown since the last change or submission matches."""
        ends = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < ends:
            found = re.compile(pattern).search(self._shown.read_text(), self._seen)
            if found:
                return found
            time.sleep(0.02)
        raise WrongError(f"`headrace dev` does not show {pattern!r}, but:\n{self._shown.read_text()[self._seen :]}")

    def _look_from_here(self) -> None:
        self._seen = len(self._shown.read_text())

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command in the stack's folder."""
        self._look_from_here()
        ran = subprocess.run(
            [HEADRACE, *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        if ran.returncode != code:
            raise WrongError(f"headrace {arguments[0]} exited with {ran.returncode}: {ran.stdout}{ran.stderr}")
        return ran.stdout

    def write(self, file: str, code: str) -> None:
        """Save a file of the package."""
        self._look_from_here()
        path = self.folder / "my_jobs" / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print how long it takes."""
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:6.2f} s  {name}", flush=True)


def reload_seconds(stack: Stack) -> float:
    """How long the reload that the stack now shows took."""
    return float(stack.shows(r"reloaded: my_jobs/orders\.py \((\d+\.\d) s\)")[1])


def first_hour(stack: Stack) -> float:
    """Take every step; returns the seconds of the slowest reload."""
    with step("the stack starts"):
        stack.shows("ready http")
    with step("a job fails"):
        stack.run("submit", "orders.total", "--payload", PAYLOAD, "--wait", code=JOB_FAILED)
    with step("its log line, traceback and message are shown"):
        stack.shows("INFO     adding up 2 items")
        stack.shows(r"orders\.total +1/1 failed")
        stack.shows(r"my_jobs/orders\.py:28 in \S*<genexpr>\n +return Total\(total=sum\(PRICE\[item\]")
        stack.shows("NameError: name 'PRICE' is not defined")
    with step("a syntax error is shown with its line"):
        stack.write("orders.py", ORDERS.replace(*UNFINISHED))
        stack.shows(r"my_jobs/orders\.py:28\n +return Total\(total=sum\(PRICES\[item for")
    with step("a job is submitted meanwhile, and waits"):
        job = stack.run("submit", "orders.total", "--payload", PAYLOAD).split()[0]
    with step("the fix is loaded"):
        stack.write("orders.py", ORDERS)
        mended = reload_seconds(stack)
    with step("the job succeeds, at its first attempt"):
        stack.shows(rf"{job[:8]} orders\.total +1/1 succeeded")
    with step("a second change is loaded"):
        stack.write("orders.py", ORDERS.replace('"pear": 4', '"pear": 5'))
        changed = reload_seconds(stack)
    with step("a job runs the new code"):
        if '"total": 8' not in (told := stack.run("submit", "orders.total", "--payload", PAYLOAD, "--wait")):
            raise WrongError(f"the new price is not in the result: {told}")
    with step("headrace logs shows the job"):
        if "adding up 2 items" not in stack.run("logs", job):
            raise WrongError("headrace logs does not show what the handler logged")
    return max(mended, changed)


def main() -> int:
    """Run the script; returns its exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="first-hour-") as temporary:
        folder = Path(temporary)
        (folder / "my_jobs").mkdir()
        (folder / "my_jobs" / "__init__.py").write_text(PACKAGE)
        (folder / "my_jobs" / "orders.py").write_text(ORDERS.replace(*FAULTY))
        stack = Stack(folder)
        try:
            reload = first_hour(stack)
        except WrongError as wrong:
            print(wrong, file=sys.stderr)
            return 1
        finally:
            stack.process.send_signal(signal.SIGINT)
            stack.process.wait(PATIENCE_SECONDS)
    took = time.monotonic() - began
    print(f"{took:6.2f} s  in all; the slowest reload took {reload:.1f} s")
    return 1 if took > MOST_SECONDS or reload > MOST_RELOAD_SECONDS else 0


if __name__ == "__main__":
    sys.exit(main())
