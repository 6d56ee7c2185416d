"""`headrace check` fails what would break jobs in flight, and says what to do."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir
from pathlib import Path
from typing import Protocol

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from domain.jobs.catalogue import Catalogue
from functions.job_types import load_job_types
from headrace.authoring.job_type import Handler
from headrace.authoring.upcasts import Upcast
from headrace.cli.check.lock import Lock, findings, lock_of, lock_text
from headrace.cli.main import main
from headrace.emulator.cloudformation import ROOT
from tests.fakes.handlers import a_handler


class V1(BaseModel):
    """The first form."""

    total: int = 0


class V1WithMore(V1):
    note: str = ""


class V2(BaseModel):
    total: str


UP: Mapping[int, Upcast] = {1: dict}


def charge(
    payload: type[BaseModel] = V1,
    version: int = 1,
    upcasts: Mapping[int, Upcast] | None = None,
    aliases: tuple[str, ...] = (),
    name: str = "orders.charge",
) -> Handler:
    return a_handler(name, payload=payload, payload_version=version, upcasts=upcasts, aliases=aliases)


def found(before: tuple[Handler, ...], now: tuple[Handler, ...]) -> list[tuple[bool, str]]:
    lock = lock_of(Catalogue(before), Lock())
    return [(each.breaking, f"{each.type} {each.what}") for each in findings(lock, Catalogue(now))]


OLD = charge()


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (OLD, (), "orders.charge is gone: no worker would run its unfinished jobs"),
        (OLD, (charge(V2),), "orders.charge payloads of version 1 may not be accepted any more"),
        (OLD, (charge(V2, name="orders.pay", aliases=("orders.charge",)),), "orders.pay payloads of version 1 may not"),
        (
            charge(V2, 2, UP),
            (OLD,),
            "orders.charge has payload_version=1, lower than 2: newer jobs would be left waiting",
        ),
        (charge(V2, 2, UP), (charge(V2, 3, {2: dict}),), "orders.charge has no upcast from version 1 any more: "),
        (
            charge(aliases=("orders.old",)),
            (OLD,),
            "orders.charge has no alias orders.old any more: no worker would run",
        ),
    ],
    ids=["removed", "payload", "renamed and changed", "lowered", "upcast", "alias"],
)
def test_what_breaks_jobs_in_flight_is_found(before: Handler, now: tuple[Handler, ...], told: str) -> None:
    ((breaking, text),) = [each for each in found((before,), now) if each[0]]
    assert breaking
    assert text.startswith(told)


RENAMED = "orders.pay was named orders.charge, which is an alias now"


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ((OLD,), []),
        ((charge(V1WithMore),), ["orders.charge accepts more payloads than before, or has other defaults"]),
        ((charge(V2, 2, UP),), ["orders.charge has payloads of version 2"]),
        ((charge(V2, 3, {1: dict, 2: dict}),), ["orders.charge has payloads of version 3"]),
        ((OLD, charge(name="orders.new")), ["orders.new is new"]),
        ((charge(name="orders.pay", aliases=("orders.charge",)),), [RENAMED]),
        ((charge(aliases=("orders.old",)),), ["orders.charge has the alias orders.old"]),
    ],
    ids=["nothing", "optional member", "new version", "two versions", "new type", "renamed", "alias"],
)  # fmt: skip
def test_what_jobs_in_flight_survive_only_asks_for_an_update(now: tuple[Handler, ...], told: list[str]) -> None:
    assert found((OLD,), now) == [(False, text) for text in told]


def test_the_lock_file_keeps_the_older_payloads_that_are_upcast() -> None:
    first = lock_of(Catalogue([OLD]), Lock())
    second = lock_of(Catalogue([charge(V2, 2, UP, name="orders.pay", aliases=("orders.charge",))]), first)
    assert list(second.types) == ["orders.pay"]
    assert second.types["orders.pay"].payloads.keys() == {1, 2}
    assert lock_of(Catalogue([charge(V2, 3, {2: dict})]), first).types["orders.charge"].payloads.keys() == {3}
    assert Lock.model_validate_json(lock_text(second)) == second


def test_prose_is_not_locked_also_where_members_have_its_names() -> None:
    class Described(BaseModel):
        """Another text."""

        title: int
        total: int = 0

    schema = lock_of(Catalogue([charge(Described)]), Lock()).types["orders.charge"].payloads[1]
    assert schema == {
        "type": "object",
        "properties": {"title": {"type": "integer"}, "total": {"type": "integer", "default": 0}},
        "required": ["title"],
    }


def test_the_lock_file_of_the_built_in_job_types_is_up_to_date() -> None:
    """If this fails: `headrace check` says what to do."""
    lock = Lock.model_validate_json((ROOT / "job_types.lock.json").read_text())
    catalogue = load_job_types("job_types")
    assert not [each for each in findings(lock, catalogue) if each.breaking]
    assert lock_text(lock_of(catalogue, lock)) == (ROOT / "job_types.lock.json").read_text()


ORDERS = """
from pydantic import BaseModel
from headrace import job_type

class Order(BaseModel):
    total: {type}{default}

@job_type("orders.charge"{arguments})
def charge(order: Order) -> Order:
    "Charge."
    return order

JOB_TYPES = (charge,)
"""


class Write(Protocol):
    """Writes the job type again."""

    def __call__(self, type: str, arguments: str = "", default: str = "") -> None: ...


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes the package of job types `checked_jobs` in a folder that commands run in."""
    monkeypatch.setenv("JOB_TYPES", "checked_jobs")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = list(sys.path)

    def write(type: str, arguments: str = "", default: str = "") -> None:
        sys.modules.pop("checked_jobs", None)
        (tmp_path / "checked_jobs").mkdir(exist_ok=True)
        source = ORDERS.format(type=type, arguments=arguments, default=default)
        (tmp_path / "checked_jobs" / "__init__.py").write_text(source)

    with chdir(tmp_path):
        yield write
    sys.modules.pop("checked_jobs", None)
    sys.path[:] = path


def told(*arguments: str) -> tuple[int, str, str]:
    sys.modules.pop("checked_jobs", None)
    done = CliRunner().invoke(main, ["check", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_a_change_is_checked_fails_and_passes_as_a_new_version(write: Write) -> None:
    write("int")
    assert told() == (
        1, "", "headrace: there is no job_types.lock.json; `headrace check --update` writes it, and it is committed\n",
    )  # fmt: skip
    assert told("--update") == (0, "changed  orders.charge is new\n", "wrote job_types.lock.json\n")
    assert told("--locked") == (0, "", "1 job types are as job_types.lock.json has them\n")
    write("str")
    code, stdout, stderr = told()
    step = "upcasts={1: a function from the old document to the new}"
    assert code == 1
    assert stdout.splitlines() == [
        "BREAKS   orders.charge payloads of version 1 may not be accepted any more",
        "         /total: its type changed from integer to string",
        f"         -> raise payload_version to 2 and add the step {step}",
        "changed  orders.charge has another result, which clients read",
    ]
    assert "`headrace check --update --accept orders.charge` accepts that" in stderr
    write("str", ", payload_version=2, upcasts={1: lambda order: {'total': str(order['total'])}}")
    assert told()[0] == 0
    assert told("--locked")[0] == 1
    assert told("--update")[0] == 0
    assert json.loads(Path("job_types.lock.json").read_text())["types"]["orders.charge"]["payloads"].keys() == {
        "1",
        "2",
    }


def test_a_breaking_change_is_written_only_when_its_type_is_accepted(write: Write) -> None:
    write("int")
    told("--update")
    before = Path("job_types.lock.json").read_text()
    write("str")
    assert (
        told("--update")[0]
        == told("--update", "--accept", "orders.other")[0]
        == told("--accept", "orders.charge")[0]
        == 1
    )
    assert Path("job_types.lock.json").read_text() == before
    assert told("--update", "--accept", "orders.charge")[0] == 0
    assert told("--locked")[0] == 0


def test_a_compatible_change_passes_and_asks_for_an_update(write: Write) -> None:
    write("int")
    told("--update")
    write("int", default=" = 7")
    code, stdout, stderr = told("--json")
    assert code == 0
    assert [each["breaking"] for each in json.loads(stdout)] == [False, False]
    assert stderr == "job_types.lock.json has to be updated: `headrace check --update` writes it\n"


@pytest.mark.parametrize("content", ["{", '{"format": 2, "types": {}}', "<<<<<<< ours", "\xff"])
def test_a_file_that_is_no_lock_file_is_refused(write: Write, content: str) -> None:
    write("int")
    Path("job_types.lock.json").write_bytes(content.encode("latin-1"))
    code, _, stderr = told()
    assert code == 5
    assert "job_types.lock.json is no lock file of this version of Headrace; resolve its conflicts" in stderr


def test_job_types_that_cannot_be_are_told_in_one_sentence(write: Write) -> None:
    write("int", ", payload_version=2")
    code, _, stderr = told()
    assert code == 1
    assert "checked_jobs/__init__.py:8 cannot be imported: InvalidJobType: checked_jobs.charge (" in stderr
    assert "orders.charge has payload_version=2 and no upcast from version 1" in stderr
