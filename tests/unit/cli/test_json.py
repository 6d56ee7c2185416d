"""Whatever prints data prints it as JSON too."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from headrace.cli.main import main

FOR_SHELLS = "headrace completion"


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        here = f"{path} {name}"
        if isinstance(command, click.Group):
            yield from commands(command, here)
        else:
            yield here, command


COMMANDS = dict(commands(main, "headrace"))


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {FOR_SHELLS}))
def test_every_command_has_json(name: str) -> None:
    assert "--json" in {option for each in COMMANDS[name].params for option in each.opts}


def test_a_script_for_shells_is_none_and_its_help_says_so() -> None:
    assert "there is no --json" in " ".join(CliRunner().invoke(main, ["completion", "--help"]).stdout.split())


def test_a_new_project_is_described_on_stdout(tmp_path: Path) -> None:
    created = CliRunner().invoke(main, ["new", str(tmp_path / "my-shop"), "--json"])
    assert json.loads(created.stdout) == {"folder": str(tmp_path / "my-shop"), "package": "my_shop"}
