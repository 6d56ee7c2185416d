"""A table that only tests have, and companions that write to it: places of a lane, taken and given back."""

from collections.abc import Mapping

from domain.durable.step import TABLE as STEPS
from domain.jobs.change import Delete, IfAbsent, IfEqual, Key, Put
from domain.jobs.job import Job
from domain.lanes.lane import TABLE as LANES
from headrace.emulator.template import Table

TABLE = "places"
COMPANION_TABLES: Mapping[str, str] = {TABLE: "PlacesOfTests", LANES: "LanesTable", STEPS: "JobStepsTable"}
PLACES = Table(
    name=COMPANION_TABLES[TABLE],
    create={
        "TableName": COMPANION_TABLES[TABLE],
        "KeySchema": [{"AttributeName": "lane", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}],
        "AttributeDefinitions": [
            {"AttributeName": "lane", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        "BillingMode": "PAY_PER_REQUEST",
    },
    ttl_attribute=None,
)


def place(lane: str, number: int = 0) -> Key:
    return {"lane": lane, "number": number}


def taken(lane: str, job: Job, number: int = 0) -> Put:
    """Takes a place, if it is free."""
    return Put(table=TABLE, key=place(lane, number), values={"holder": job.id}, condition=IfAbsent())


def given_back(lane: str, job: Job, number: int = 0) -> Delete:
    """Gives the place back, if it is the job's."""
    return Delete(table=TABLE, key=place(lane, number), condition=IfEqual(attributes={"holder": job.id}))
