"""The Python of README works as printed, block after block, against the stack."""

import re
import subprocess
import sys
from pathlib import Path

import headrace_client

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_blocks_print_what_they_should(stack: tuple[str, str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 4
    done = subprocess.run([sys.executable, "-c", "".join(blocks)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("{'rows': 2, ")
    assert any(line.startswith("succeeded") for line in lines)
    assert "30" in lines
    assert lines[-1] == "invalid_payload ['/payload/csv']"
    assert sum(bool(re.fullmatch(r"[0-9a-f-]{36} \w+", line)) for line in lines) >= 32


def test_every_method_and_error_is_in_the_readme() -> None:
    names = {name for name in dir(headrace_client.Client) if not name.startswith("_")} - {"close"}
    errors = {name for name in headrace_client.__all__ if _is_error(getattr(headrace_client, name))}
    for name in names | errors:
        assert re.search(rf"`[^`]*\b{name}\b", README), name


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def test_the_first_block_is_short() -> None:
    first = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    assert len(first.splitlines()) <= 10


def test_the_client_imports_nothing_heavy() -> None:
    heavy = {"anyio", "boto3", "botocore", "headrace", "pydantic"}
    code = f"import sys, headrace_client; sys.exit(str({heavy} & set(sys.modules) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
