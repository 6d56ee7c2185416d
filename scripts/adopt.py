"""Writes what CloudFormation needs to import existing tables into a new stack (docs/operations.md, "Adopt tables").

`python -m scripts.adopt JOBS_TABLE USERS_TABLE USER_EMAILS_TABLE` writes to `.aws-sam/adopt` a template of only these
tables, as template.yaml declares them, and the list of resources to import. Deploying template.yaml to that stack
then adds the rest.
"""

import json
import sys
from collections.abc import Mapping

from pydantic import JsonValue

from headrace.emulator.cloudformation import ROOT, TEMPLATE, resolved

FOLDER = ROOT / ".aws-sam" / "adopt"
TABLES = ("JobsTable", "UsersTable", "UserEmailsTable")
_ANY = {"JwtIssuer": "https://issuer.example.com", "JwtAudience": "headrace", "CursorKey": "0" * 32}
"""Required parameters that the tables do not use; all others keep their defaults, so deletion protection is on."""


def template() -> dict[str, JsonValue]:
    """The template of the tables alone, under their logical ids of template.yaml."""
    resources = resolved(TEMPLATE, _ANY)
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {name: resources[name] for name in TABLES}}


def resources_to_import(names: Mapping[str, str]) -> list[JsonValue]:
    """The resources to import, in the form of `create-change-set`; `names` are the existing tables by logical id."""
    return [
        {
            "ResourceType": "AWS::DynamoDB::Table",
            "LogicalResourceId": logical_id,
            "ResourceIdentifier": {"TableName": names[logical_id]},
        }
        for logical_id in TABLES
    ]


def main(arguments: list[str]) -> int:
    """Write both files; returns 0, or 2 when the number of table names is wrong."""
    if len(arguments) != len(TABLES):
        print(f"usage: python -m scripts.adopt {' '.join(name.upper() for name in TABLES)}", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    names = dict(zip(TABLES, arguments, strict=True))
    documents = {"template.json": template(), "resources.json": resources_to_import(names)}
    for name, document in documents.items():
        (FOLDER / name).write_text(json.dumps(document, indent=2))
        print((FOLDER / name).relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
