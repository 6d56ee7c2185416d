"""Links that sign in to the page: once, for a few minutes, and from any process."""

import json
import os
import stat
import webbrowser
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from click.testing import CliRunner

from headrace.cli.ui import ui
from headrace.emulator.page_links import LIFETIME, issue, leading_file, page_link, redeem
from headrace.emulator.state import Folder, Running

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path / ".headrace")
    folder.create()
    return folder


def test_a_code_works_once(folder: Folder) -> None:
    code = issue(folder, "ada@example.com", NOW)
    assert redeem(folder, code, NOW) == "ada@example.com"
    assert redeem(folder, code, NOW) is None


def test_of_many_at_once_one_is_let_in(folder: Folder) -> None:
    code = issue(folder, "ada@example.com", NOW)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: redeem(folder, code, NOW), range(50)))
    assert [each for each in answers if each] == ["ada@example.com"]


def test_a_code_ends(folder: Folder) -> None:
    code = issue(folder, "ada@example.com", NOW)
    late = NOW + LIFETIME + timedelta(seconds=1)
    assert redeem(folder, code, late) is None
    assert redeem(folder, code, NOW) is None, "and is gone then"


@pytest.mark.parametrize("code", ["", "x", "../token-key.pem", "x" * 10_000, "\ud800", "é"])
def test_what_was_never_issued_is_refused(folder: Folder, code: str) -> None:
    issue(folder, "ada@example.com", NOW)
    assert redeem(folder, code, NOW) is None


def test_the_folder_tells_no_code_and_only_its_owner_reads_it(folder: Folder) -> None:
    code = issue(folder, "ada@example.com", NOW)
    (file,) = (folder.path / "page-codes").iterdir()
    assert code not in file.name + file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["email"] == "ada@example.com"


def test_codes_that_nobody_used_are_removed(folder: Folder) -> None:
    old = issue(folder, "ada@example.com", NOW)
    (folder.path / "page-codes" / "damaged").write_text("{")
    issue(folder, "ada@example.com", NOW + LIFETIME + timedelta(seconds=1))
    assert len(list((folder.path / "page-codes").iterdir())) == 1
    assert redeem(folder, old, NOW) is None


def test_the_code_is_behind_the_hash_which_is_never_sent(folder: Folder) -> None:
    link = page_link(folder, "http://127.0.0.1:8080", "ada@example.com", NOW)
    assert link.startswith("http://127.0.0.1:8080/ui#code=")


def test_a_browser_is_given_a_file_that_only_its_owner_reads_and_that_ends_with_the_link(folder: Folder) -> None:
    link = page_link(folder, "http://127.0.0.1:8080", "ada@example.com", NOW)
    code = link.partition("#code=")[2]
    file = leading_file(folder, link)
    assert f"url={link}" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert code not in file.as_uri()
    issue(folder, "ada@example.com", NOW)
    assert file.exists(), "another link does not end it"
    assert redeem(folder, code, NOW) == "ada@example.com"
    assert not file.exists()


def test_a_file_whose_link_nobody_used_is_removed(folder: Folder) -> None:
    file = leading_file(folder, page_link(folder, "http://127.0.0.1:8080", "ada@example.com", NOW))
    issue(folder, "ada@example.com", NOW + LIFETIME + timedelta(seconds=1))
    assert not file.exists()


def test_the_command_gives_the_browser_no_code(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.note(Running(url="http://127.0.0.1:8080", endpoint_url="", pid=os.getpid()))
    monkeypatch.chdir(folder.path.parent)
    given: list[str] = []
    monkeypatch.setattr(webbrowser, "open", given.append)
    printed = CliRunner().invoke(ui, []).output.splitlines()[0]
    assert printed.startswith("http://127.0.0.1:8080/ui#code=")
    (url,) = given
    assert url.startswith("file:///")
    assert printed in Path(unquote(urlsplit(url).path)).read_text()
