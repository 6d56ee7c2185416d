"""Finds what a function's artifact must keep: the modules that its code reaches, and the AWS services of its clients.

Our own code and packages added by a deployment are read completely, including imports inside functions. In the
packages that Headrace brings (`EXAMINED`) only imports at module level are followed: later imports of what
`slimming.NEVER_IMPORTED` lists were found to serve other uses. If a module that is removed by default is reached
nevertheless, it has not been examined, so it is read completely too.
"""

import dataclasses
import difflib
import sys
from pathlib import Path

from headrace.build.reading import SDKS, Client, Import, Reading, module_of, read

EXAMINED = frozenset({
    "aioboto3", "aiobotocore", "aiofiles", "aiohappyeyeballs", "aiohttp", "aioitertools", "aiosignal", "annotated_doc",
    "annotated_types", "anyio", "attr", "attrs", "aws_lambda_powertools", "boto3", "botocore", "dateutil", "fastapi",
    "frozenlist", "idna", "jmespath", "mangum", "multidict", "opentelemetry", "propcache", "pydantic", "pydantic_core",
    "s3transfer", "six", "starlette", "typing_extensions", "typing_inspection", "urllib3", "wrapt", "yarl",
})  # fmt: skip
"""The packages installed by Headrace's own requirements. Packages added by a deployment are not slimmed."""
_AWS = frozenset({*SDKS, "s3transfer"})
"""Packages whose own clients are ignored: they are of services for credentials, which no function uses."""
_LATE = {"s3": {"boto3": "boto3.s3.inject", "aioboto3": "aioboto3.s3.inject"}}
"""The module that an SDK imports when it creates a client of a service."""


@dataclasses.dataclass(frozen=True)
class Needs:
    """What an artifact must keep, and the problems found. `problems` are sentences, to be shown one per line."""

    files: frozenset[Path]
    """The files of all reached modules, relative to the artifact."""
    own: tuple[Path, ...]
    """Those files that are our own code."""
    clients: tuple[Client, ...]
    imports: tuple[Import, ...]
    """The imports of our own code that it requires."""
    problems: tuple[str, ...]

    @property
    def services(self) -> frozenset[str]:
        """The services whose models are needed."""
        return frozenset(client.service for client in self.clients)

    @property
    def resources(self) -> frozenset[str]:
        """The services that are also used as boto3 resources."""
        return frozenset(client.service for client in self.clients if client.kind == "resource")


@dataclasses.dataclass(frozen=True)
class Definitions:
    """Job types in the artifact of a function that does not run them: it imports their package, and calls nothing."""

    package: str
    code: frozenset[str]
    """The top-level names of the package and of what it imports from beside it."""


def find_needs(
    artifact: Path,
    own: frozenset[str],
    removable: frozenset[Path],
    hint: str = "",
    definitions: Definitions | None = None,
) -> Needs:
    """Find everything that the packages `own` in the folder `artifact` reach.

    `removable` are the files, relative to the artifact, that are removed when nothing reaches them. `hint` says what to
    do about a missing package. Of `definitions` only what importing their package imports is followed.
    """
    walk = _Walk(artifact, own, removable, hint, definitions)
    walk.read_own()
    return walk.needs()


class _Walk:
    def __init__(
        self,
        artifact: Path,
        own: frozenset[str],
        removable: frozenset[Path],
        hint: str,
        definitions: Definitions | None,
    ) -> None:
        self._artifact = artifact
        self._own = own
        self._hint = hint
        self._definitions = definitions
        self._defined = definitions.code if definitions is not None else frozenset[str]()
        self._removable = removable
        self._known = frozenset(folder.name for folder in (artifact / "botocore" / "data").iterdir() if folder.is_dir())
        self._files: set[Path] = set()
        self._waiting: list[Path] = []
        self._listed: dict[Path, frozenset[str]] = {}
        self._clients: dict[tuple[str, str, str], Client] = {}
        self._imports: list[Import] = []
        self._problems: list[str] = []

    def read_own(self) -> None:
        if self._definitions is not None:
            self._reach(self._definitions.package)
        for package in sorted(self._own - self._defined):
            for path in sorted((self._artifact / package).rglob("*.py")):
                self._reach_file(path.relative_to(self._artifact))
            self._reach_file(Path(f"{package}.py"))
        self._follow()
        for client in tuple(self._clients.values()):
            late = _LATE.get(client.service, {}).get(client.sdk)
            if late is not None:
                self._reach(late)
        self._follow()

    def needs(self) -> Needs:
        own = tuple(sorted(file for file in self._files if _top(file) in self._own))
        return Needs(
            frozenset(self._files), own, tuple(self._clients.values()), tuple(self._imports), tuple(self._problems)
        )

    def _follow(self) -> None:
        while self._waiting:
            file = self._waiting.pop()
            package = _top(file)
            whole = package not in EXAMINED or file in self._removable
            module, is_package = module_of(file)
            source = (self._artifact / file).read_bytes()
            reading = read(source, file.as_posix(), module, is_package=is_package, whole=whole)
            if package in self._own:
                self._take_own(reading, runs=package not in self._defined)
            else:
                self._take_foreign(reading, package)

    def _take_own(self, reading: Reading, *, runs: bool) -> None:
        self._problems.extend(reading.problems)
        for each in reading.imports:
            if runs or not each.lazy:
                self._take_import(each)
        for client in reading.clients:
            if client.service in self._known:
                self._take_client(client)
            elif client.certain:
                self._problems.append(self._no_such_service(client))

    def _take_import(self, each: Import) -> None:
        reached = self._reach_import(each)
        if each.optional:
            return
        self._imports.append(each)
        if not reached and each.module.split(".")[0] not in sys.stdlib_module_names:
            self._problems.append(
                f"{each.where} imports {each.module}, which no package of the artifact has{self._hint}"
            )

    def _take_foreign(self, reading: Reading, package: str) -> None:
        for each in reading.imports:
            self._reach_import(each)
        if package not in _AWS:
            for client in reading.clients:
                if client.service in self._known:
                    self._take_client(client)

    def _take_client(self, client: Client) -> None:
        has_resources = (self._artifact / "boto3" / "data" / client.service).is_dir()
        if client.kind == "client" or has_resources:
            self._clients.setdefault((client.service, client.kind, client.sdk), client)

    def _no_such_service(self, client: Client) -> str:
        near = difflib.get_close_matches(client.service, sorted(self._known), n=1)
        hint = f"; is it {near[0]}?" if near else ""
        return f"{client.where}: botocore knows no AWS service named {client.service!r}{hint}"

    def _reach_import(self, each: Import) -> bool:
        there = self._reach(each.module)
        for name in each.names:
            self._reach(f"{each.module}.{name}")
        return there

    def _reach(self, module: str) -> bool:
        """Record a module and its parent packages as reached; returns whether the module is in the artifact."""
        parts = module.split(".")
        return all(self._reach_one(Path(*parts[:length])) for length in range(1, len(parts) + 1))

    def _reach_one(self, path: Path) -> bool:
        beside = self._beside(path.parent)
        if path.name in beside:
            self._reach_file(path / "__init__.py")
            return True
        if f"{path.name}.py" in beside:
            self._reach_file(path.with_suffix(".py"))
            return True
        return f"{path.name}.so" in beside

    def _beside(self, folder: Path) -> frozenset[str]:
        """The names in a folder of the artifact; compiled modules also without tags: `_x.so` for `_x.abi3.so`."""
        if folder not in self._listed:
            there = self._artifact / folder
            names = {path.name for path in there.iterdir()} if there.is_dir() else set()
            compiled = {f"{name.split('.')[0]}.so" for name in names if name.endswith(".so")}
            self._listed[folder] = frozenset(names | compiled)
        return self._listed[folder]

    def _reach_file(self, file: Path) -> None:
        if file not in self._files and (self._artifact / file).is_file():
            self._files.add(file)
            self._waiting.append(file)


def _top(file: Path) -> str:
    """The top-level name that a file is imported by: `shop` of `shop/prices.py` and of `shop.py`."""
    return file.parts[0].removesuffix(".py")
