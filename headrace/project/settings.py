"""Reads `headrace.toml`: which package holds a project's job types, and what they need of a deployment."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from headrace.authoring.frozen import Frozen

FILE = "headrace.toml"
MAX_BYTES = 256 * 1024
RESERVED_VARIABLES = frozenset({
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
})  # fmt: skip
"""Lambda sets these itself (Lambda Developer Guide, "Defined runtime environment variables")."""

_REFERENCE = r"\$\{([^!{}][^{}]*)\}"

PackageName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=28)]
"""As the template's parameter JobTypes has it."""
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]+$", max_length=128)]
ParameterName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$", max_length=64)]
Text = Annotated[str, Field(max_length=4096)]
"""May refer to parameters and resources of the template, `${Bucket}`, as `Fn::Sub` does."""
Action = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$", max_length=128)]


class Parameter(Frozen):
    """A parameter of the template: its value is given at a deployment, which may differ from stack to stack."""

    description: str = Field(default="", max_length=1000)
    type: Literal["String", "Number", "AWS::SSM::Parameter::Value<String>"] = "String"
    default: str | int | float | None = None
    """None: every deployment must give a value."""
    secret: bool = False
    """Whether CloudFormation hides the value (`NoEcho`)."""
    allowed_values: tuple[str, ...] = Field(default=(), max_length=100)
    allowed_pattern: str | None = Field(default=None, max_length=500)


class Right(Frozen):
    """What the functions that run the job types may do on AWS: a statement of an IAM policy that allows."""

    actions: tuple[Action, ...] = Field(min_length=1, max_length=100)
    """Such as `s3:GetObject`."""
    resources: tuple[Text, ...] = Field(min_length=1, max_length=100)
    """ARNs, in which `${Bucket}` refers to a parameter."""
    conditions: Mapping[str, Mapping[str, str | tuple[str, ...]]] = Field(default_factory=dict, max_length=20)
    """As IAM's `Condition` has them: by operator, by key."""


class Project(Frozen):
    """What `headrace.toml` says, and the folder that it lies in."""

    root: Path
    job_types: PackageName
    """The package whose tuple `JOB_TYPES` lists the job types."""
    environment: Mapping[VariableName, Text] = Field(default_factory=dict, max_length=50)
    """Environment variables of the functions that run the job types, as their deployment has them."""
    parameters: Mapping[ParameterName, Parameter] = Field(default_factory=dict, max_length=50)
    rights: tuple[Right, ...] = Field(default=(), max_length=50)

    @field_validator("environment")
    @classmethod
    def _is_not_lambdas_own(cls, environment: Mapping[str, str]) -> Mapping[str, str]:
        reserved = sorted(RESERVED_VARIABLES & environment.keys())
        if reserved:
            raise ValueError(f"names {', '.join(reserved)}, which Lambda sets itself; use another name")
        return environment

    @property
    def known_environment(self) -> dict[str, str]:
        """The environment variables whose values are known without a deployment: of texts and defaults."""
        defaults = {name: spec.default for name, spec in self.parameters.items() if spec.default is not None}
        return {
            name: re.sub(_REFERENCE, lambda found: str(defaults[found[1]]), text)
            for name, text in self.environment.items()
            if defaults.keys() >= set(referred(text))
        }


class InvalidProject(Frozen):
    """The file cannot be used; `reason` is a sentence that names file and key."""

    reason: str


def read_project(root: Path) -> Project | InvalidProject:
    """Read the `headrace.toml` of a folder."""
    path = root / FILE
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            return InvalidProject(reason=f"{path} has more than {MAX_BYTES} bytes")
        document = tomllib.loads(content.decode())
    except OSError as error:
        return InvalidProject(reason=f"{path} cannot be read: {error.strerror}")
    except ValueError as error:
        return InvalidProject(reason=f"{path} is not TOML: {error}")
    if "root" in document:
        return InvalidProject(reason=f"{path}: unknown key `root`; there are: {', '.join(_keys(Project))}")
    try:
        return Project.model_validate({**document, "root": root})
    except ValidationError as error:
        flaws = sorted(error.errors(include_url=False), key=lambda flaw: flaw["type"] != "extra_forbidden")
        return InvalidProject(reason=f"{path}: {_sentence(flaws[0])}")  # A misspelt key also misses: name the spelling.


def project_root(start: Path) -> Path | None:
    """The folder with a `headrace.toml` that is `start` or the nearest above it."""
    return next((folder for folder in (start, *start.parents) if (folder / FILE).is_file()), None)


def referred(text: str) -> Iterator[str]:
    """The names that a text refers to, `Bucket` of `s3://${Bucket}/x`; as in `Fn::Sub`, `${!x}` is no reference."""
    yield from re.findall(_REFERENCE, text)


def values_of(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """The values of one key of a right's condition: one text, or several."""
    return (given,) if isinstance(given, str) else given


def _sentence(flaw: ErrorDetails) -> str:
    """What is wrong, without the value: it may be a secret."""
    location = [str(part) for part in flaw["loc"] if part != "[key]"]
    key = ".".join(location)
    if flaw["type"] == "extra_forbidden":
        known = _keys(_MODELS.get(location[0], Project) if len(location) > 1 else Project)
        near = get_close_matches(location[-1], known, 1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(known)}"
        return f"unknown key `{key}`; {hint}"
    if flaw["type"] == "missing":
        return f"the key `{key}` is missing"
    told = flaw["msg"].removeprefix("Value error, ")
    return f"`{key}` {told}" if flaw["type"] == "value_error" else f"`{key}` is not accepted: {told}"


_MODELS: Mapping[str, type[Frozen]] = {"parameters": Parameter, "rights": Right}


def _keys(model: type[Frozen]) -> list[str]:
    return [name for name in model.model_fields if name != "root"]
