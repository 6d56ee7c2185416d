"""template.yaml as CloudFormation gets it.

AWS's own translator (`aws-sam-translator`) turns the SAM template into CloudFormation, as AWS does at
deployment. Names that CloudFormation would make up are the logical ids here.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"
REGION = "us-east-1"
ACCOUNT = "000000000000"

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
    """The template uses something that the local stack does not play; the message names it."""


class _NoManagedPolicies:
    """The template names no managed policies, so nothing has to be asked of IAM."""

    def load(self) -> dict[str, str]:
        return {}


def translated(path: Path, values: Mapping[str, str], code: str | None = None) -> dict[str, JsonValue]:
    """The CloudFormation template of a SAM template; `code` is where all functions' code would lie.

    Raises `UnsupportedTemplate` when a parameter has neither a value nor a default.
    """
    # A second of imports, which only those commands should pay that need the template.
    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse

    source = yaml_parse(path.read_text())
    if code is not None:
        source["Globals"]["Function"]["CodeUri"] = code
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # It warns of metrics that nobody reads.
    template = transform(source, _values(source.get("Parameters", {}), values), _NoManagedPolicies())
    return mapping(template)


def resolved(path: Path, values: Mapping[str, str]) -> dict[str, JsonValue]:
    """The resources, by logical id, with parameters, conditions and references resolved to local names."""
    # The translator wants code that is uploaded; the local stack runs it where it lies.
    template = translated(path, values, "s3://local/code")
    resources = {name: mapping(spec) for name, spec in mapping(template["Resources"]).items()}
    names = {name: _own_name(name, spec) for name, spec in resources.items()}
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
    return values


def _own_name(name: str, spec: Mapping[str, JsonValue]) -> str:
    """What a Ref to this resource stands for."""
    match spec["Type"]:
        case "AWS::Lambda::Alias":  # Here, a function has one version.
            return str(mapping(mapping(spec["Properties"])["FunctionName"])["Ref"])
        case "AWS::SQS::Queue":  # The Ref is its URL, and here it has none: only the mapping writes to it.
            return ""
        case _:
            return name


class _Intrinsics:
    """CloudFormation's intrinsic functions and conditions, as far as the template uses them."""

    def __init__(self, names: Mapping[str, str], conditions: Mapping[str, JsonValue]) -> None:
        self._names = names
        self._conditions = conditions

    def holds(self, condition: JsonValue) -> bool:
        """Whether a condition, given by name or as Equals, Not, And or Or, is true; None always is."""
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
                raise UnsupportedTemplate(f"not a condition that the local stack knows: {json.dumps(condition)}")

    def resolve(self, value: JsonValue) -> JsonValue:
        """`value` without intrinsic functions."""
        match value:
            case {"Ref": str(name)}:
                return self._names[name]
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return f"{name}.{attribute}"
            case {"Fn::If": [str(condition), then, otherwise]}:
                return self.resolve(then if self.holds(condition) else otherwise)
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
    """`value`, which must be a map."""
    if not isinstance(value, dict):
        raise UnsupportedTemplate(f"expected a map, found {type(value).__name__}")
    return value
