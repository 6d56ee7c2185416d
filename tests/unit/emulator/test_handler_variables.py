"""Handlers' variables: which source is preferred, what a file may not set, and what is wrong with one."""

from pathlib import Path

import pytest

from headrace.emulator.database import StackError
from headrace.emulator.handler_variables import (
    MAX_BYTES,
    HandlerVariables,
    Sources,
    profile_variables,
    read_variables,
    sources,
)

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def file(name: str, content: str | bytes) -> Path:
    path = Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def values(*files: Path, **shell: str) -> dict[str, str]:
    return read_variables(sources(files, None, shell, Path.cwd()), frozenset()).values


def problem(*files: Path) -> str:
    with pytest.raises(StackError) as failed:
        values(*files)
    assert SECRET not in str(failed.value)
    return str(failed.value)


def test_without_a_file_the_variables_are_those_of_the_shell() -> None:
    assert values(SHOP_URL="shell") == {"SHOP_URL": "shell"}


def test_the_shell_is_preferred_to_the_projects_file() -> None:
    file(".env", "SHOP_URL=file\nSHOP_KEY='a b' # comment\nexport EMPTY=\n")
    assert values(SHOP_URL="shell") == {"SHOP_URL": "shell", "SHOP_KEY": "a b", "EMPTY": ""}


def test_named_files_replace_the_projects_and_the_last_one_is_preferred() -> None:
    file(".env", "ONLY_HERE=1\nSHOP_URL=project\n")
    one, two = file("one.env", "SHOP_URL=one\nONE=1\n"), file("two.env", "SHOP_URL=two\n")
    assert values(one, two) == {"SHOP_URL": "two", "ONE": "1"}
    assert values(one, two, SHOP_URL="shell") == {"SHOP_URL": "shell", "ONE": "1"}


def test_a_named_file_must_exist() -> None:
    assert problem(Path("no.env")) == "The file of environment variables no.env does not exist."


def test_a_folder_is_no_file() -> None:
    Path(".env").mkdir()
    assert problem().startswith("The file of environment variables .env cannot be read: ")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f"A=1\n\n{SECRET} x\n", 3),
        (f"A=1\n# comment\nB='{SECRET}\n", 3),
        (f"{SECRET}\n", 1),
        (f"\r\n\r\n={SECRET}\r\n", 3),
        (f"A={SECRET}\0\n", 1),
    ],
)
def test_a_malformed_file_is_told_by_its_line_and_not_by_its_text(content: str, line: int) -> None:
    assert problem(file("bad.env", content)) == f"bad.env:{line}: this is not NAME=VALUE."


def test_a_file_that_is_not_text_or_too_large_is_refused() -> None:
    assert problem(file("latin.env", b"A=1\nB=\xe9\n")) == "latin.env:2: this is not UTF-8."
    assert "1,048,576 bytes" in problem(file("large.env", "#" * (MAX_BYTES + 1)))


def test_what_headrace_sets_itself_is_left_out_with_a_note_that_names_the_line() -> None:
    content = f"JOBS_TABLE={SECRET}\nSHOP_KEY=1\nAWS_PROFILE={SECRET}\nPYTHONPATH=x\nAWS_BUCKET=b\n"
    shell = {"JOBS_TABLE": "shell", "AWS_SESSION_TOKEN": SECRET, "AWS_PROFILE": "p", "POWERTOOLS_DEV": "1"}
    found = read_variables(sources((file("my.env", content),), None, shell, Path.cwd()), {"JOBS_TABLE"})
    assert found.values == {"SHOP_KEY": "1", "AWS_BUCKET": "b"}
    assert found.notes == (
        "my.env:1: JOBS_TABLE has no effect: Headrace sets it itself",
        "my.env:3: AWS_PROFILE has no effect: handlers get real AWS credentials and their region by --aws-profile",
        "my.env:4: PYTHONPATH has no effect: it is the function's runtime that reads it",
    )


def test_values_are_in_no_representation() -> None:
    given = Sources(shell={"SHOP_KEY": SECRET})
    assert SECRET not in repr(given) + repr(read_variables(given, frozenset()))


def test_a_file_that_cannot_be_read_anew_changes_nothing() -> None:
    written = file("my.env", "A=1\n")
    variables = HandlerVariables(Sources(files=(written,)), frozenset())
    variables.read()
    written.write_text("A=2\nB\n")
    with pytest.raises(StackError):
        variables.read()
    assert variables() == {"A": "1"}


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    text = f"[profile shop]\nregion = eu-central-1\naws_secret_access_key = {SECRET}\n[profile bare]\n"
    shell = {"AWS_CONFIG_FILE": str(file("config", text).absolute()), "AWS_REGION": "eu-west-1"}
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    return shell


def test_a_profile_gives_its_region_and_no_credentials(shell: dict[str, str]) -> None:
    assert profile_variables(Sources(shell=shell)) is None
    found = {name: profile_variables(Sources(shell=shell, profile=name)) or {} for name in ("shop", "bare")}
    assert found["shop"] == {
        "AWS_PROFILE": "shop", "AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": shell["AWS_CONFIG_FILE"],
    }  # fmt: skip
    assert found["bare"]["AWS_REGION"] == "eu-west-1"


def test_an_unknown_profile_is_refused_with_those_that_there_are(shell: dict[str, str]) -> None:
    with pytest.raises(StackError, match=r"There is no AWS profile 'shpo' in .*; there are: .*shop"):
        profile_variables(Sources(shell=shell, profile="shpo"))
