"""Tables that a deleted stack left behind can be adopted by a new stack."""

from headrace.emulator.cloudformation import TEMPLATE, mapping, resolved
from scripts.adopt import main, resources_to_import, template
from tests.conftest import PARAMETERS

TABLES = {
    "JobsTable": "old-jobs",
    "UsersTable": "old-users",
    "UserEmailsTable": "old-emails",
    "PrincipalsTable": "old-principals",
    "FilesTable": "old-files",
    "LanesTable": "old-lanes",
    "JobStepsTable": "old-steps",
    "SchedulesTable": "old-schedules",
    "WebhooksTable": "old-webhooks",
    "WebhookSecretsTable": "old-webhook-secrets",
}
NAMES = {**TABLES, "BlobBucket": "old-blobs"}


def test_every_table_and_bucket_that_a_deleted_stack_leaves_is_adopted() -> None:
    tables = {
        name: mapping(spec)
        for name, spec in resolved(TEMPLATE, PARAMETERS).items()
        if mapping(spec)["Type"] in {"AWS::DynamoDB::Table", "AWS::S3::Bucket"}
    }
    kept = {name for name, spec in tables.items() if "Retain" in str(spec.get("DeletionPolicy"))}
    assert set(mapping(template()["Resources"])) == kept


def test_the_tables_are_imported_as_the_template_declares_them() -> None:
    declared = resolved(TEMPLATE, PARAMETERS)
    for name, spec in mapping(template()["Resources"]).items():
        assert mapping(spec) == declared[name]
        assert not {"TableName", "BucketName"} & set(mapping(mapping(spec)["Properties"])), (
            "CloudFormation takes it from the list"
        )


def test_the_tables_are_found_by_their_names() -> None:
    entries = [mapping(entry) for entry in resources_to_import(NAMES)]
    found = {str(entry["LogicalResourceId"]): entry["ResourceIdentifier"] for entry in entries}
    assert found.pop("BlobBucket") == {"BucketName": "old-blobs"}
    assert found == {name: {"TableName": table} for name, table in TABLES.items()}


def test_a_wrong_number_of_names_writes_nothing() -> None:
    assert main(["jobs", "users"]) == 2
