"""Writes what CloudFormation needs to import tables and bucket into a new stack (docs/operations.md, "Adopt tables").

`python -m scripts.adopt JOBS_TABLE USERS_TABLE USER_EMAILS_TABLE PRINCIPALS_TABLE FILES_TABLE LANES_TABLE
JOB_STEPS_TABLE SCHEDULES_TABLE WEBHOOKS_TABLE WEBHOOK_SECRETS_TABLE BLOB_BUCKET` writes to `.aws-sam/adopt` a template
of only these, as template.yaml declares them, and the list of resources to import. Deploying template.yaml to that
stack then adds the rest.
"""

import json
import sys
from collections.abc import Mapping

from pydantic import JsonValue

from headrace.emulator.cloudformation import ROOT, TEMPLATE, resolved

FOLDER = ROOT / ".aws-sam" / "adopt"
RESOURCES = (
    "JobsTable", "UsersTable", "UserEmailsTable", "PrincipalsTable", "FilesTable", "LanesTable", "JobStepsTable",
    "SchedulesTable", "WebhooksTable", "WebhookSecretsTable", "BlobBucket",
)  # fmt: skip
_ANY = {"JwtIssuer": "https://issuer.example.com", "JwtAudience": "headrace", "CursorKey": "0" * 32}
"""Required parameters that the tables do not use; all others keep their defaults, so deletion protection is on."""


def template() -> dict[str, JsonValue]:
    """The template of these alone, under their logical ids of template.yaml."""
    resources = resolved(TEMPLATE, _ANY)
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {name: resources[name] for name in RESOURCES}}


def resources_to_import(names: Mapping[str, str]) -> list[JsonValue]:
    """The resources to import, in the form of `create-change-set`; `names` are the existing ones by logical id."""
    return [
        {
            "ResourceType": "AWS::S3::Bucket" if logical_id == "BlobBucket" else "AWS::DynamoDB::Table",
            "LogicalResourceId": logical_id,
            "ResourceIdentifier": {"BucketName" if logical_id == "BlobBucket" else "TableName": names[logical_id]},
        }
        for logical_id in RESOURCES
    ]


def main(arguments: list[str]) -> int:
    """Write both files; returns 0, or 2 when the number of table names is wrong."""
    if len(arguments) != len(RESOURCES):
        print(f"usage: python -m scripts.adopt {' '.join(name.upper() for name in RESOURCES)}", file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    names = dict(zip(RESOURCES, arguments, strict=True))
    documents = {"template.json": template(), "resources.json": resources_to_import(names)}
    for name, document in documents.items():
        (FOLDER / name).write_text(json.dumps(document, indent=2))
        print((FOLDER / name).relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
