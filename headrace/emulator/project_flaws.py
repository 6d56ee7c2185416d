"""What a project may not declare or contain, because Headrace's template or its packages have it already.

All that reads `headrace.toml` says the same sentences: the commands, pytest and the build.
"""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from pydantic import JsonValue

from headrace.emulator.cloudformation import ROOT, mapping, written
from headrace.project.code import code_beside
from headrace.project.settings import FILE, Project, Right, referred, values_of

FUNCTION = "AWS::Serverless::Function"
OWN_NAMES = frozenset({"domain", "functions", "headrace", "headrace_pytest", "persistence"})
"""The top-level names of Headrace's own code, which every artifact has."""
BUILT_IN = "job_types"
"""The package of the built-in job types; it is shipped only when imported."""


def project_flaws(project: Project) -> tuple[str, ...]:
    """A sentence for everything that a build of the project would refuse before it begins; none if nothing.

    Where Headrace is installed without the extra `local`, as for tests alone, no template can be read to compare with.
    """
    declares = project.environment or project.parameters or project.rights
    compared = declares and find_spec("samtranslator") is not None
    return (*names_taken(project.root), *(declaration_flaws(written(), project) if compared else ()))


def names_taken(folder: Path) -> tuple[str, ...]:
    """A sentence for each package or module beside the job types that has the name of one of Headrace's own."""
    if folder == ROOT:
        return ()
    taken = sorted({*OWN_NAMES, BUILT_IN} & code_beside(folder).keys())
    return tuple(f"{folder / name} has the name of a package of Headrace; give it another" for name in taken)


def declaration_flaws(template: Mapping[str, JsonValue], project: Project) -> tuple[str, ...]:
    """A sentence for each declaration that does not fit Headrace's template, as `cloudformation.written` gives it."""
    return (
        *_taken_parameters(template, project),
        *_taken_variables(template, project),
        *_unknown_references(template, project),
        *_unused_parameters(project),
    )


def own_variables(template: Mapping[str, JsonValue]) -> frozenset[str]:
    """The environment variables that Headrace's template gives any function."""
    functions = (mapping(spec) for spec in mapping(template["Resources"]).values() if mapping(spec)["Type"] == FUNCTION)
    declared = (mapping(template["Globals"])["Function"], *(function["Properties"] for function in functions))
    return frozenset(name for spec in declared for name in _variables(mapping(spec)))


def _taken_parameters(template: Mapping[str, JsonValue], project: Project) -> Iterable[str]:
    taken = sorted(project.parameters.keys() & {*mapping(template["Parameters"]), *mapping(template["Resources"])})
    return (f"{FILE}: the parameter {name} has the name of one of Headrace's own; give it another" for name in taken)


def _taken_variables(template: Mapping[str, JsonValue], project: Project) -> Iterable[str]:
    taken = sorted(own_variables(template) & project.environment.keys())
    return (f"{FILE}: `environment.{name}` is a setting of Headrace itself; give it another name" for name in taken)


def _variables(properties: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return mapping(mapping(properties.get("Environment", {})).get("Variables", {}))


def _texts(project: Project) -> dict[str, str]:
    """Every text in which the project may refer to something, by its key."""
    rights = {f"rights.{n}": right for n, right in enumerate(project.rights)}
    return {
        **{f"environment.{name}": text for name, text in project.environment.items()},
        **{f"{key}.resources.{n}": text for key, right in rights.items() for n, text in enumerate(right.resources)},
        **{f"{key}.conditions.{n}": text for key, right in rights.items() for n, text in enumerate(_conditions(right))},
    }


def _conditions(right: Right) -> tuple[str, ...]:
    keys = (key for operator in right.conditions.values() for key in operator.values())
    return tuple(value for given in keys for value in values_of(given))


def _unknown_references(template: Mapping[str, JsonValue], project: Project) -> Iterable[str]:
    known = {*mapping(template["Parameters"]), *mapping(template["Resources"]), *project.parameters}
    return (
        f"{FILE}: `{key}` refers to {name}, which is no parameter; declare it as [parameters.{name}]"
        for key, text in _texts(project).items()
        for name in referred(text)
        if name.partition(".")[0] not in known and not name.startswith("AWS::")
    )


def _unused_parameters(project: Project) -> Iterable[str]:
    used = {name for text in _texts(project).values() for name in referred(text)}
    unused = sorted(project.parameters.keys() - used)
    return (f"{FILE}: nothing refers to the parameter {name}; write ${{{name}}} where it is used" for name in unused)
