"""The setting JOB_TYPES names a package; whatever is wrong with it is told in one sentence."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from functions.job_types import InvalidJobTypes, load_job_types
from headrace.emulator.stack import parameters
from headrace.emulator.state import Folder
from headrace.emulator.template import load_stack

DEFINED = """
from pydantic import BaseModel

from headrace import JobContext, JobType


class Nothing(BaseModel):
    pass


class Pack:
    definition = JobType[Nothing, Nothing](name="shop.pack", summary="Pack", payload=Nothing, result=Nothing)

    async def run(self, _payload: Nothing, _context: JobContext) -> Nothing:
        return Nothing()
"""
Shop = Callable[[str], None]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Writes `shop/__init__.py`; `shop/packing.py` has one job type."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "packing.py").write_text(DEFINED)

    def write(source: str) -> None:
        (tmp_path / "shop" / "__init__.py").write_text(source)

    yield write
    for name in [name for name in sys.modules if name.split(".")[0] == "shop"]:
        del sys.modules[name]


def refusal(package: str = "shop") -> str:
    with pytest.raises(InvalidJobTypes) as refused:
        load_job_types(package)
    return str(refused.value)


def test_the_job_types_of_a_package_are_loaded(shop: Shop) -> None:
    shop("from shop.packing import Pack\nJOB_TYPES = (Pack(),)")
    assert load_job_types("shop").names() == ("shop.pack",)
    assert load_job_types("shop").handler("webhook.deliver") is not None, "Headrace's own is beside them"


def test_the_built_in_ones_are_the_default() -> None:
    assert {"csv.profile", "http.request"} <= set(load_job_types("job_types").names())


@pytest.mark.parametrize("package", ["no_such_shop", "", "shop.packing", "..", "a b"])
def test_a_package_that_is_not_there_is_named(package: str) -> None:
    assert refusal(package).startswith(f"JOB_TYPES={package}: there is no package of that name here")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "shop/__init__.py has no tuple JOB_TYPES"),
        ("JOB_TYPES = []", "shop/__init__.py has a list, where a tuple is needed, named JOB_TYPES"),
        (
            "def pack(_: object) -> None: ...\nJOB_TYPES = (pack,)",
            "member 1 of JOB_TYPES in shop/__init__.py is the function pack, which is no job type without @job_type(…)",
        ),
        ("JOB_TYPES = (7,)", "member 1 of JOB_TYPES in shop/__init__.py is no job type, but of type int"),
        (
            "from shop.packing import Pack\nJOB_TYPES = (Pack(), Pack)",
            "member 2 of JOB_TYPES in shop/__init__.py is the class Pack, where an instance is needed: Pack()",
        ),
        (
            "from shop.packing import Pack\nJOB_TYPES = (Pack(), Pack())",
            "shop/__init__.py has job types registered twice: shop.pack",
        ),
        (
            "\nimport no_such_module",
            "shop/__init__.py:2 cannot be imported: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("import json\n1 / 0", "shop/__init__.py:2 cannot be imported: ZeroDivisionError: division by zero"),
        ("json.loads('{')", "shop/__init__.py:1 cannot be imported: NameError"),
        ("x = 1\ndef run(:\n", "shop/__init__.py:2 cannot be imported: SyntaxError"),
    ],
    ids=[
        "no tuple",
        "a list",
        "a function",
        "a number",
        "a class",
        "twice",
        "missing module",
        "error",
        "name",
        "syntax",
    ],
)
def test_what_is_wrong_with_a_package_is_told_with_its_place(shop: Shop, source: str, told: str) -> None:
    shop(source)
    sentence = refusal()
    assert sentence.startswith(f"JOB_TYPES=shop: {told}")
    assert "\n" not in sentence


def test_an_error_in_a_module_of_the_package_is_found_there(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "shop" / "packing.py").write_text("import json\n\njson.loads('{')\n")
    shop("import shop.packing")
    assert refusal().startswith("JOB_TYPES=shop: shop/packing.py:3 cannot be imported: JSONDecodeError")


def test_the_local_stack_gives_every_function_the_package_that_its_shell_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given, package in (("shop", "shop"), ("", "job_types")):
        monkeypatch.setenv("JOB_TYPES", given)
        stack = load_stack(parameters(Folder(tmp_path)))
        assert {each.environment["JOB_TYPES"] for each in stack.functions.values()} == {package}
