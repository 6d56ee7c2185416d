"""The committed generated files are up to date."""

import pytest

from headrace.emulator.cloudformation import ROOT
from scripts.generate import generated

GENERATED = generated()


@pytest.mark.parametrize("path", GENERATED)
def test_a_generated_file_is_current(path: str) -> None:
    assert (ROOT / path).read_text() == GENERATED[path], "run `make docs`"


def test_every_module_of_the_synchronous_client_is_a_generated_one() -> None:
    kept = {path.relative_to(ROOT).as_posix() for path in (ROOT / "clients" / "python").glob("**/_sync/*.py")}
    assert kept
    assert kept <= set(GENERATED)


def test_every_sample_is_a_generated_one() -> None:
    kept = {f"events/samples/{path.name}" for path in (ROOT / "events/samples").glob("*.json")}
    assert kept <= set(GENERATED)
