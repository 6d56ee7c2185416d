"""Makes the template of a project: Headrace's own, with what `headrace.toml` declares, over built artifacts."""

from collections.abc import Mapping

from pydantic import JsonValue

from headrace.authoring.frozen import Frozen
from headrace.emulator.cloudformation import mapping
from headrace.emulator.project_flaws import FUNCTION, declaration_flaws
from headrace.project.settings import Parameter, Project, Right, referred, values_of

POLICY = "job-types"
_REVISION = "raise ConfigRevision with it"
"""SAM publishes no version of a function because a parameter changed its value (docs/deploy.md, "Change a setting")."""


class Unmergeable(Frozen):
    """What `headrace.toml` declares does not fit the template; each of `problems` is a sentence."""

    problems: tuple[str, ...]


def merged(template: Mapping[str, JsonValue], project: Project) -> dict[str, JsonValue] | Unmergeable:
    """Headrace's template, as `cloudformation.written` gives it, with a project's declarations and its artifacts.

    Rights and environment variables go to the functions whose metadata say `RunsJobs`. Each function's code is the
    folder with its name beside the template.
    """
    problems = declaration_flaws(template, project)
    if problems:
        return Unmergeable(problems=problems)
    resources = mapping(template["Resources"])
    functions = {name: mapping(spec) for name, spec in resources.items() if mapping(spec)["Type"] == FUNCTION}
    running = {name: spec for name, spec in functions.items() if _runs_jobs(spec)}
    changed: dict[str, JsonValue] = {
        **{name: _function(name, spec, project if name in running else None) for name, spec in functions.items()},
        **{role: _role(mapping(resources[role]), project.rights) for role in map(_role_of, running.values())},
    }
    return {
        **template,
        "Parameters": _parameters(mapping(template["Parameters"]), project),
        "Globals": _without_code(mapping(template["Globals"])),
        "Resources": {**resources, **changed},
    }


def _parameters(own: Mapping[str, JsonValue], project: Project) -> dict[str, JsonValue]:
    job_types: dict[str, JsonValue] = {**mapping(own["JobTypes"]), "Default": project.job_types}
    in_environment = {name for text in project.environment.values() for name in referred(text)}
    added = {name: _parameter(spec, name in in_environment) for name, spec in project.parameters.items()}
    return {**own, "JobTypes": job_types, **added}


def _parameter(spec: Parameter, in_environment: bool) -> JsonValue:
    description = "; ".join(part for part in (spec.description, _REVISION if in_environment else "") if part)
    found: dict[str, JsonValue | None] = {
        "Type": spec.type,
        "Description": description or None,
        "Default": spec.default,
        "NoEcho": True if spec.secret else None,
        "AllowedValues": list(spec.allowed_values) or None,
        "AllowedPattern": spec.allowed_pattern,
    }
    return {key: value for key, value in found.items() if value is not None}


def _without_code(declared: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    function = {key: value for key, value in mapping(declared["Function"]).items() if key != "CodeUri"}
    return {**declared, "Function": function}


def _function(name: str, spec: Mapping[str, JsonValue], project: Project | None) -> JsonValue:
    """A function with its artifact; with a project's environment, when it runs the job types."""
    properties: dict[str, JsonValue] = {**mapping(spec["Properties"]), "CodeUri": name}
    if project is not None and project.environment:
        environment = mapping(properties.get("Environment", {}))
        variables = {key: _text(text) for key, text in project.environment.items()}
        properties["Environment"] = {
            **environment,
            "Variables": {**mapping(environment.get("Variables", {})), **variables},
        }
    metadata = {key: value for key, value in mapping(spec.get("Metadata", {})).items() if key != "BuildMethod"}
    return {**spec, "Metadata": metadata, "Properties": properties}


def _role(spec: Mapping[str, JsonValue], rights: tuple[Right, ...]) -> JsonValue:
    if not rights:
        return dict(spec)
    properties = mapping(spec["Properties"])
    policies = properties.get("Policies")
    policy: JsonValue = {
        "PolicyName": POLICY,
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [_statement(right) for right in rights]},
    }
    return {
        **spec,
        "Properties": {**properties, "Policies": [*(policies if isinstance(policies, list) else ()), policy]},
    }


def _statement(right: Right) -> JsonValue:
    conditions: dict[str, JsonValue] = {
        operator: {key: [_text(value) for value in values_of(given)] for key, given in keys.items()}
        for operator, keys in right.conditions.items()
    }
    statement: dict[str, JsonValue] = {
        "Effect": "Allow",
        "Action": list(right.actions),
        "Resource": [_text(resource) for resource in right.resources],
    }
    return {**statement, "Condition": conditions} if conditions else statement


def _text(text: str) -> JsonValue:
    return {"Fn::Sub": text} if "${" in text else text


def _runs_jobs(function: Mapping[str, JsonValue]) -> bool:
    return bool(mapping(function.get("Metadata", {})).get("RunsJobs", False))


def _role_of(function: Mapping[str, JsonValue]) -> str:
    """The logical id of a function's role; Headrace's template writes every one out."""
    match mapping(function["Properties"])["Role"]:
        case {"Fn::GetAtt": [str(role), *_]}:
            return role
        case other:
            raise TypeError(f"a function's role is not one of the template: {other}")
