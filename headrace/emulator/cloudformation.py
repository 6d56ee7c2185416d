"""Translates template.yaml to CloudFormation and resolves its parameters, conditions and references.

AWS's own translator (`aws-sam-translator`) turns the SAM template into CloudFormation, as AWS does at
deployment. Where CloudFormation would generate a physical name, the logical id is used.
"""

import copy
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from pydantic import JsonValue

ROOT = Path(__file__).resolve().parents[2]
"""The folder with Headrace's packages: a clone, or where it is installed."""
_INSTALLED = ROOT / "headrace" / "shipped"
FILES = _INSTALLED if _INSTALLED.is_dir() else ROOT
"""The folder with template.yaml and `requirements/`: in a clone they lie beside the packages (see setup.py)."""
TEMPLATE = FILES / "template.yaml"
REGION = "us-east-1"
ACCOUNT = "000000000000"

PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""They choose credentials of this shell; the SDK fails when the one they name does not exist."""
NO_FILES: Mapping[str, str] = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
"""Keep the SDK from reading its files in the home folder, which it does even when it has credentials."""
_NO_VALUE = "AWS::NoValue"
_PSEUDO: Mapping[str, str] = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::StackName": "headrace",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::NoValue": _NO_VALUE,
}


class UnsupportedTemplate(ValueError):
    """The template uses something that the local stack does not support; the message says what."""


class InvalidParameter(ValueError):
    """The template does not permit a parameter's value; the message names the parameter and says why."""


class _NoManagedPolicies:
    """Stands in for SAM's loader of managed policies: the template names none, so IAM need not be queried."""

    def load(self) -> dict[str, str]:
        return {}


def translated(path: Path, values: Mapping[str, str], code: str | None = None) -> dict[str, JsonValue]:
    """Translate a SAM template to CloudFormation; `code`, if given, replaces the `CodeUri` of all functions.

    Raises `UnsupportedTemplate` when a parameter has neither a value nor a default, and `InvalidParameter` when
    CloudFormation would refuse its value.
    """
    # This import takes a second, which only commands that need the template should pay.
    from samtranslator.translator.transform import transform

    source = copy.deepcopy(_written(path))
    if code is not None:
        source["Globals"]["Function"]["CodeUri"] = code
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # It warns about its own usage metrics.
    parameters = _values(source.get("Parameters", {}), values)
    with _without_profile():
        template = transform(source, parameters, _NoManagedPolicies())
    return mapping(template)


@contextmanager
def _without_profile() -> Iterator[None]:
    """Hide this shell's AWS profile: the translator opens an SDK session, which fails if the profile is missing."""
    saved = dict(os.environ)
    for name in PROFILE_VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(NO_FILES)
    try:
        yield
    finally:
        for name in (*PROFILE_VARIABLES, *NO_FILES):
            os.environ.pop(name, None)
            if name in saved:
                os.environ[name] = saved[name]


@lru_cache(maxsize=1)
def _parsed(text: str) -> dict[str, dict[str, dict[str, JsonValue]]]:
    """Parse YAML as the translator does, but by libyaml, in a tenth of the time; cached, for tests parse it often."""
    from samtranslator.yaml_helper import intrinsics_multi_constructor

    try:
        from yaml import CSafeLoader as SafeLoader
    except ImportError:  # PyYAML was compiled without libyaml.
        from yaml import SafeLoader  # type: ignore[assignment]

    class Loader(SafeLoader):
        """Reads the short forms of CloudFormation's functions too, such as `!Sub`."""

    Loader.add_multi_constructor("!", intrinsics_multi_constructor)
    loader = Loader(text)
    try:
        source: dict[str, dict[str, dict[str, JsonValue]]] = loader.get_single_data()
    finally:
        loader.dispose()
    return source


def _written(path: Path) -> dict[str, dict[str, dict[str, JsonValue]]]:
    return _parsed(path.read_text())


def written(path: Path = TEMPLATE) -> dict[str, JsonValue]:
    """A copy of the template as it is written, with CloudFormation's functions in their long form (`Fn::Sub`)."""
    document: dict[str, JsonValue] = json.loads(json.dumps(_written(path)))
    return document


def function_folders(path: Path = TEMPLATE) -> dict[str, str]:
    """Of every function, by its logical id, its folder below `functions/`."""
    resources = _written(path)["Resources"]
    functions = {name: spec for name, spec in resources.items() if spec["Type"] == "AWS::Serverless::Function"}
    return {name: folder_of(str(mapping(spec["Properties"])["Handler"])) for name, spec in functions.items()}


def runs_jobs(function: str, path: Path = TEMPLATE) -> bool:
    """Whether a function runs the job types' code, as its metadata say; the others know only their definitions."""
    return bool(mapping(_written(path)["Resources"].get(function, {}).get("Metadata", {})).get("RunsJobs", False))


def folder_of(handler: str) -> str:
    """The folder below `functions/` of a handler: `functions.worker.handler.handler` is in `worker`."""
    return handler.split(".")[1]


def default_of(parameter: str, path: Path = TEMPLATE) -> str:
    """What the template says for a parameter that is not given."""
    return str(_written(path)["Parameters"][parameter]["Default"])


def resolved(path: Path, values: Mapping[str, str]) -> dict[str, JsonValue]:
    """Return the resources by logical id, with parameters, conditions and references resolved to local names."""
    # The translator requires uploaded code; the local stack runs the code in place and ignores this.
    template = translated(path, values, "s3://local/code")
    resources = {name: mapping(spec) for name, spec in mapping(template["Resources"]).items()}
    polled = _polled(resources)
    names = {name: _own_name(name, spec, polled) for name, spec in resources.items()}
    given = _values(mapping(template.get("Parameters", {})), values)
    intrinsics = _Intrinsics({**_PSEUDO, **given, **names}, mapping(template.get("Conditions", {})))
    return {
        name: intrinsics.resolve(spec) for name, spec in resources.items() if intrinsics.holds(spec.get("Condition"))
    }


def _values(declared: Mapping[str, JsonValue], given: Mapping[str, str]) -> dict[str, str]:
    defaults = {name: mapping(spec).get("Default") for name, spec in declared.items()}
    values = {name: str(default) for name, default in defaults.items() if default is not None}
    values |= {name: value for name, value in given.items() if name in declared}
    missing = sorted(set(declared) - set(values))
    if missing:
        raise UnsupportedTemplate(f"no value for the parameters {', '.join(missing)}")
    for name, value in values.items():
        refusal = _refusal(mapping(declared[name]), value)
        if refusal is not None:
            raise InvalidParameter(f"{name} {refusal}")
    return values


def _refusal(spec: Mapping[str, JsonValue], value: str) -> str | None:
    """Why CloudFormation would refuse this value of a parameter, as "must …"; None if it would accept it."""
    allowed = spec.get("AllowedValues")
    if isinstance(allowed, list) and value not in map(str, allowed):
        return f"must be one of {', '.join(map(str, allowed))}"
    if not re.fullmatch(str(spec.get("AllowedPattern", ".*")), value, re.DOTALL):
        return str(spec.get("ConstraintDescription", f"must match {spec.get('AllowedPattern')}"))
    if spec.get("Type") == "Number":
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            return "must be a number"
        return _outside(spec, float(value), "MinValue", "MaxValue", "")
    return _outside(spec, len(value), "MinLength", "MaxLength", " characters")


def _outside(spec: Mapping[str, JsonValue], size: float, least: str, most: str, unit: str) -> str | None:
    if least in spec and size < float(str(spec[least])):
        return f"must have at least {spec[least]}{unit}" if unit else f"must be at least {spec[least]}"
    if most in spec and size > float(str(spec[most])):
        return f"must have at most {spec[most]}{unit}" if unit else f"must be at most {spec[most]}"
    return None


def _polled(resources: Mapping[str, Mapping[str, JsonValue]]) -> frozenset[str]:
    """What event source mappings read, by logical id."""
    mappings = [spec for spec in resources.values() if spec["Type"] == "AWS::Lambda::EventSourceMapping"]
    sources = [mapping(spec["Properties"]).get("EventSourceArn") for spec in mappings]
    found = [source.get("Fn::GetAtt") for source in sources if isinstance(source, dict)]
    return frozenset(str(attribute[0]) for attribute in found if isinstance(attribute, list))


def _own_name(name: str, spec: Mapping[str, JsonValue], polled: frozenset[str]) -> str:
    """The local value of a `Ref` to this resource."""
    match spec["Type"]:
        case "AWS::Lambda::Alias":  # Locally a function has one version, so its alias is the function.
            return str(mapping(mapping(spec["Properties"])["FunctionName"])["Ref"])
        case "AWS::SQS::Queue":  # Its URL. Locally only those exist that a mapping reads; the others are files.
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}" if name in polled else ""
        case "AWS::S3::Bucket":  # The name of a bucket has no capitals.
            return name.lower()
        case _:
            return name


class _Intrinsics:
    """Evaluates those intrinsic functions and conditions of CloudFormation that the template uses."""

    def __init__(self, names: Mapping[str, str], conditions: Mapping[str, JsonValue]) -> None:
        self._names = names
        self._conditions = conditions

    def holds(self, condition: JsonValue) -> bool:
        """Whether a condition (a name, or Equals, Not, And, Or) is true; None, no condition, is always true."""
        match condition:
            case None:
                return True
            case str(name) | {"Condition": str(name)}:
                return self.holds(self._conditions[name])
            case {"Fn::Equals": [left, right]}:
                return str(self.resolve(left)) == str(self.resolve(right))
            case {"Fn::Not": [negated]}:
                return not self.holds(negated)
            case {"Fn::And": list(members)}:
                return all(self.holds(member) for member in members)
            case {"Fn::Or": list(members)}:
                return any(self.holds(member) for member in members)
            case _:
                raise UnsupportedTemplate(f"the local stack does not support this condition: {json.dumps(condition)}")

    def resolve(self, value: JsonValue) -> JsonValue:
        """Return `value` with its intrinsic functions evaluated."""
        match value:
            case {"Ref": str(name)}:
                return self._names[name]
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return f"{name}.{attribute}"
            case {"Fn::If": [str(condition), then, otherwise]}:
                return self.resolve(then if self.holds(condition) else otherwise)
            case {"Fn::Split": [str(separator), text]}:
                return list[JsonValue](str(self.resolve(text)).split(separator))
            case {"Fn::Join": [str(separator), parts]}:
                joined = self.resolve(parts)
                return separator.join(map(str, joined)) if isinstance(joined, list) else joined
            case {"Fn::Sub": str(text)}:
                for name, replacement in self._names.items():
                    text = text.replace(f"${{{name}}}", replacement)
                return text
            case dict():
                resolved = {key: self.resolve(member) for key, member in value.items()}
                return {key: member for key, member in resolved.items() if member != _NO_VALUE}
            case list():
                members = [self.resolve(member) for member in value]
                return [member for member in members if member != _NO_VALUE]
            case _:
                return value


def mapping(value: JsonValue) -> dict[str, JsonValue]:
    """Return `value` as a map; raises `UnsupportedTemplate` if it is not one."""
    if not isinstance(value, dict):
        raise UnsupportedTemplate(f"expected a map, found {type(value).__name__}")
    return value
