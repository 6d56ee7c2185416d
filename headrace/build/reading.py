"""Reads one Python file for its dependencies: the modules that it imports and the AWS services that it uses.

No code is run. Something that cannot be determined (a service's name in a variable) is reported as a problem with its
location, instead of guessing.
"""

import ast
import dataclasses
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Literal

DECLARATION = "AWS_SERVICES"
"""A tuple of this name in a file lists the services of clients whose service cannot be determined from the code."""
SDKS: dict[str, "Sdk"] = {"boto3": "boto3", "botocore": "boto3", "aioboto3": "aioboto3", "aiobotocore": "aioboto3"}
_STUBS: dict[str, "Sdk"] = {"mypy_boto3_": "boto3", "types_boto3_": "boto3", "types_aiobotocore_": "aioboto3"}
_MAKERS: dict[str, "Kind"] = {"client": "client", "create_client": "client", "resource": "resource"}
_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})

Sdk = Literal["boto3", "aioboto3"]
Kind = Literal["client", "resource"]


@dataclasses.dataclass(frozen=True)
class Where:
    """A location in the sources: the file, relative to the project or the artifact, and the line."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclasses.dataclass(frozen=True)
class Import:
    """An import of `module`, and of `names` from it, which may be modules too."""

    module: str
    names: tuple[str, ...]
    where: Where
    lazy: bool
    """Whether it is inside a function, so that importing the file does not execute it."""
    optional: bool
    """Whether the file works without it: inside `try … except ImportError`, or only on some platforms."""


@dataclasses.dataclass(frozen=True)
class Client:
    """A client (or boto3 resource) of an AWS service that the file creates or declares."""

    service: str
    kind: Kind
    sdk: Sdk
    where: Where
    certain: bool
    """False when the file imports no AWS SDK, so that `.client("x")` may be anything."""


@dataclasses.dataclass(frozen=True)
class Reading:
    """The findings in one file. `problems` are sentences that begin with file and line."""

    imports: tuple[Import, ...]
    clients: tuple[Client, ...]
    problems: tuple[str, ...]


def read(source: bytes, file: str, module: str, *, is_package: bool, whole: bool = True) -> Reading:
    """Read `source`; unless `whole`, only its imports at module level, and no clients.

    A file that this version of Python cannot parse yields one problem and nothing else.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line, why = (error.lineno, error.msg) if isinstance(error, SyntaxError) else (1, str(error))
        return Reading((), (), (f"{file}:{line} is not Python that can be read: {why}",))
    package = module if is_package else module.rpartition(".")[0]
    reader = _Reader(file, package, _Names.of(tree)) if whole else _AtOnce(file, package, _NO_NAMES)
    reader.visit(tree)
    return reader.reading()


@dataclasses.dataclass(frozen=True)
class _Names:
    """The AWS SDKs that a file imports, and its names for their modules and for their functions that create clients."""

    sdks: frozenset[Sdk]
    modules: frozenset[str]
    makers: dict[str, Kind]

    @classmethod
    def of(cls, tree: ast.AST) -> "_Names":
        sdks: set[Sdk] = set()
        modules: set[str] = set()
        makers: dict[str, Kind] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    sdk = _sdk(alias.name)
                    if sdk is not None:
                        sdks.add(sdk)
                        modules.add(alias.asname or alias.name.split(".")[0])
            elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
                sdk = _sdk(node.module)
                if sdk is not None:
                    sdks.add(sdk)
                    makers |= {a.asname or a.name: _MAKERS[a.name] for a in node.names if a.name in _MAKERS}
        return cls(frozenset(sdks), frozenset(modules), makers)


_NO_NAMES = _Names(frozenset(), frozenset(), {})


def _sdk(module: str) -> Sdk | None:
    root = module.partition(".")[0]
    stubs = (sdk for prefix, sdk in _STUBS.items() if root.startswith(prefix))
    return SDKS.get(root) or next(stubs, None)


class _Reader(ast.NodeVisitor):
    def __init__(self, file: str, package: str, names: _Names) -> None:
        self._file = file
        self._package = package
        self._names = names
        self._functions = 0
        self._optional = 0
        self._imports: list[Import] = []
        self._clients: list[Client] = []
        self._unread: list[str] = []
        self._problems: list[str] = []
        self._understood: set[ast.expr] = set()
        self._declares = False

    def reading(self) -> Reading:
        unread = () if self._declares else self._unread
        return Reading(tuple(self._imports), tuple(self._clients), (*self._problems, *unread))

    # ---- imports ----

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._import(node, alias.name, ())

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            parents = self._package.split(".")
            kept = parents[: len(parents) - node.level + 1]
            module = ".".join([*kept, module] if module else kept)
        self._import(node, module, tuple(alias.name for alias in node.names if alias.name != "*"))

    def _import(self, node: ast.stmt | ast.expr, module: str, names: tuple[str, ...]) -> None:
        where = Where(self._file, node.lineno)
        self._imports.append(Import(module, names, where, lazy=self._functions > 0, optional=self._optional > 0))

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._functions += 1
        self.generic_visit(node)
        self._functions -= 1

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the visitor's naming

    def visit_If(self, node: ast.If) -> None:
        if _called(node.test) == "TYPE_CHECKING":
            self._visit_all(node.orelse)
        elif _names_in(node.test) & {"platform", "sys", "os"}:
            self._visit_optional([node.test, *node.body, *node.orelse])
        else:
            self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        caught = [_caught(handler) for handler in node.handlers]
        if any(names is None or names & _IMPORT_ERRORS for names in caught):
            self._visit_optional([*node.body, *node.handlers])
        else:
            self._visit_all([*node.body, *node.handlers])
        self._visit_all([*node.orelse, *node.finalbody])

    def visit_With(self, node: ast.With) -> None:
        managers = {name for item in node.items for name in _names_in(item.context_expr)}
        if "suppress" in managers and managers & _IMPORT_ERRORS:
            self._visit_optional([*node.items, *node.body])
        else:
            self.generic_visit(node)

    def _visit_optional(self, nodes: list[ast.AST] | list[ast.stmt]) -> None:
        self._optional += 1
        self._visit_all(nodes)
        self._optional -= 1

    def _visit_all(self, nodes: list[ast.AST] | list[ast.stmt]) -> None:
        for node in nodes:
            self.visit(node)

    # ---- clients ----

    def visit_Call(self, node: ast.Call) -> None:
        kind = self._maker(node.func)
        if kind is not None and (node.args or node.keywords):
            self._understood.add(node.func)
            self._client(node, kind, _service_argument(node))
        elif _called(node.func) in {"import_module", "__import__"} and node.args:
            name = _text(node.args[0])
            if name and not name.startswith("."):
                self._import(node, name, ())
        for maker, following in _pairs(node.args):
            handed_on = self._maker(maker)
            # Passed to a function that calls it: asyncio.to_thread(boto3.client, "s3"), partial(boto3.client, "s3").
            if handed_on is not None and (self._of_sdk(maker) or _text(following)):
                self._understood.add(maker)
                self._client(node, handed_on, following)
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._of_sdk(node) and node.attr in _MAKERS and node not in self._understood:
            self._not_read(node)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and self._of_sdk(node) and node not in self._understood:
            self._not_read(node)

    def _maker(self, node: ast.expr) -> Kind | None:
        if isinstance(node, ast.Attribute):
            return _MAKERS.get(node.attr)
        return self._names.makers.get(node.id) if isinstance(node, ast.Name) else None

    def _of_sdk(self, maker: ast.expr) -> bool:
        """Whether this is `boto3.client` itself, under any name, and not the `client` of another object."""
        if isinstance(maker, ast.Attribute):
            return isinstance(maker.value, ast.Name) and maker.value.id in self._names.modules
        return isinstance(maker, ast.Name) and maker.id in self._names.makers

    def _client(self, node: ast.expr, kind: Kind, argument: ast.expr | None) -> None:
        service = _text(argument)
        if service is not None:
            self._found(service, kind, node)
        elif self._names.sdks:
            self._not_read(node)

    def _found(self, service: str, kind: Kind, node: ast.expr | ast.stmt) -> None:
        where = Where(self._file, node.lineno)
        sdks: frozenset[Sdk] = self._names.sdks or frozenset({"boto3"})
        certain = bool(self._names.sdks)
        self._clients.extend(Client(service, kind, sdk, where, certain) for sdk in sorted(sdks))

    def _not_read(self, node: ast.expr) -> None:
        self._unread.append(
            f"{self._file}:{node.lineno}: the AWS service of `{_shown(node)}` cannot be read there; write its name as "
            f'a literal, or list what it may be at the top of the file, as {DECLARATION} = ("s3",)'
        )

    # ---- the declaration ----

    def visit_Assign(self, node: ast.Assign) -> None:
        self._declaration(node.targets, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._declaration([node.target], node.value)
        self.generic_visit(node)

    def _declaration(self, targets: list[ast.expr], value: ast.expr | None) -> None:
        if self._functions or not any(isinstance(each, ast.Name) and each.id == DECLARATION for each in targets):
            return
        self._declares = True
        elements = value.elts if isinstance(value, ast.Tuple | ast.List | ast.Set) else [value]
        for element in elements:
            service = _text(element)
            if service is not None and element is not value:
                self._found(service, "client", targets[0])
                self._found(service, "resource", targets[0])
            else:
                self._problems.append(
                    f"{self._file}:{targets[0].lineno}: {DECLARATION} must be a tuple of literal names of AWS "
                    f'services, such as ("s3", "ses")'
                )


class _AtOnce(_Reader):
    """Reads imports at module level only: skips expressions and function bodies."""

    def visit(self, node: ast.AST) -> None:
        if not isinstance(node, ast.expr | ast.FunctionDef | ast.AsyncFunctionDef):
            super().visit(node)


def _caught(handler: ast.ExceptHandler) -> set[str] | None:
    """The names of the exceptions that a handler catches; None for a bare `except`."""
    return None if handler.type is None else _names_in(handler.type)


def _names_in(node: ast.AST) -> set[str]:
    """The last part of every name: `sys` and `platform` of `sys.platform`."""
    return {_called(each) for each in ast.walk(node) if isinstance(each, ast.Name | ast.Attribute)}


def _called(function: ast.expr) -> str:
    """The last part of a dotted name: `client` of `boto3.client`."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _service_argument(call: ast.Call) -> ast.expr | None:
    named = [keyword.value for keyword in call.keywords if keyword.arg == "service_name"]
    return next(iter([*named, *call.args]), None)


def _pairs(arguments: list[ast.expr]) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    return zip_longest(arguments, arguments[1:])


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _shown(node: ast.expr) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - one line of a terminal


def module_of(file: Path) -> tuple[str, bool]:
    """The dotted module name of a file in a folder of packages, and whether the module is a package."""
    is_package = file.stem == "__init__"
    parts = file.parent.parts if is_package else (*file.parent.parts, file.stem)
    return ".".join(parts), is_package
