"""Proves an artifact: does what AWS does before it serves, in an interpreter that can import nothing else.

The function's handler is imported with the environment that template.yaml gives it, every module of ours and whatever
our functions import later is imported, and a client is made for each AWS service that was found. `artifact_check.py`
does it, in a process of its own; this starts it and makes sentences of what it says.

An artifact for another architecture, or for a version of Python that is not here, is proven with this Python: its
sources, with the compiled modules of the same releases for this machine. What that cannot show is whether the
target's own compiled modules load.
"""

import dataclasses
import importlib.metadata
import json
import subprocess
import sys
import sysconfig
from pathlib import Path

from functions.settings import JOB_TYPES_VARIABLE
from headrace.build.needs import Needs
from headrace.build.reading import module_of
from headrace.emulator.database import local_credentials
from headrace.emulator.template import LambdaFunction, load_stack

CHECK = Path(__file__).with_name("artifact_check.py")
SECONDS = 120
"""Imports that take longer would not start on Lambda either (10 s); a slow machine gets some patience."""
PARAMETERS = {"JwtIssuer": "https://issuer.invalid", "JwtAudience": "headrace", "CursorKey": "0" * 64}
"""For the template's parameters without a default."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """The interpreter of a proof. `foreign` when it is not the target's own, so that compiled modules are borrowed."""

    python: str
    target: str
    foreign: bool
    lender: str | None = None
    """The folder with the compiled modules to borrow; by default that of this environment."""


def declared_function(name: str, job_types: str) -> LambdaFunction:
    """What template.yaml says of a function: handler and environment, with a package of job types."""
    return load_stack({**PARAMETERS, "JobTypes": job_types}).functions[name]


def prove(function: LambdaFunction, artifact: Path, needs: Needs, machine: Machine, hint: str = "") -> tuple[str, ...]:
    """Sentences that say why the artifact would not work; none when it does.

    `hint` ends a sentence about a package that is missing.
    """
    unlike = unlike_here(artifact) if machine.foreign and machine.lender is None else ()
    if unlike:
        sys.stderr.write(
            f"WARNING: {function.name} not tried for {machine.target}: {', '.join(unlike)} cannot be installed on this "
            f"machine, and the check borrows its compiled modules\n"
        )
        return ()
    order = json.dumps(_order(function, artifact, needs, machine))
    try:
        checked = subprocess.run(
            [machine.python, "-I", "-S", "-B", str(CHECK)],
            input=order, capture_output=True, text=True, timeout=SECONDS, check=False, env={},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return (
            f"{function.name} was not imported within {SECONDS} s: a module waits for something when it is imported",
        )
    if checked.returncode != 0:
        last = (checked.stderr.strip().splitlines() or ["nothing was said"])[-1]
        return (f"{function.name} ended its interpreter (code {checked.returncode}) when it was imported: {last}",)
    failures: list[dict[str, str]] = json.loads(checked.stdout.splitlines()[-1])
    return tuple(_sentence(function.name, failure, hint) for failure in failures)


def _order(function: LambdaFunction, artifact: Path, needs: Needs, machine: Machine) -> dict[str, object]:
    entry_point = function.handler.rpartition(".")[0]
    return {
        "artifact": str(artifact.resolve()),
        "compiled": (machine.lender or sysconfig.get_path("platlib")) if machine.foreign else None,
        "environment": {
            **local_credentials(),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "LAMBDA_TASK_ROOT": str(artifact.resolve()),
            "_HANDLER": function.handler,
            **function.environment,
        },
        "handler": function.handler,
        "own": [
            {"module": module_of(file)[0], "where": file.as_posix()}
            for file in _job_types_first(needs.own, entry_point, function.environment[JOB_TYPES_VARIABLE])
        ],
        "later": [
            {"module": each.module, "names": each.names, "where": str(each.where)}
            for each in needs.imports
            if each.lazy
        ],
        "clients": [{**dataclasses.asdict(client), "where": str(client.where)} for client in needs.clients],
    }


def _job_types_first(files: tuple[Path, ...], entry_point: str, job_types: str) -> list[Path]:
    """A job type that cannot be imported is to be named, and not what imports it. The entry point has its own turn."""
    imported = (file for file in files if module_of(file)[0] != entry_point)
    return sorted(imported, key=lambda file: (file.parts[0] != job_types, file.name == "__init__.py", file))


def _sentence(function: str, failure: dict[str, str], hint: str) -> str:
    where, what, error = failure["where"], failure["what"], failure["error"]
    match failure["stage"]:
        case "own":
            missing = error.startswith(("ImportError", "ModuleNotFoundError"))
            return f"{where} cannot be imported in the artifact of {function}: {error}{hint if missing else ''}"
        case "later":
            return f"{where} imports {what}, which the artifact of {function} cannot import: {error}"
        case "client":
            return f"{where}: no client for {what} can be made in the artifact of {function}: {error}"
        case _:
            return f"{function} does not start with the environment that template.yaml gives it: {error}"


def unlike_here(artifact: Path) -> tuple[str, ...]:
    """The releases with compiled modules that this environment has not, or has in another version."""
    return tuple(
        f"{name} {version}"
        for name, version, compiled in map(_release, sorted(artifact.glob("*.dist-info")))
        if compiled and version != _version_here(name)
    )


def _release(folder: Path) -> tuple[str, str, bool]:
    """Name and version of an installed release, and whether it was built for one kind of machine."""
    name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
    return name, version, "Root-Is-Purelib: false" in (folder / "WHEEL").read_text()


def _version_here(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
