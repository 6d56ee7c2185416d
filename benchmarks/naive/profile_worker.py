"""The tutorial's worker with the job of the throughput benchmark: `csv.profile`, as Headrace runs it."""

import json
from decimal import Decimal

from benchmarks.naive import worker
from job_types.csv_profile import CsvDocument, profile


def run(job: worker.Job) -> object:
    """The profile, with numbers in the type that boto3's resource requires."""
    return json.loads(profile(CsvDocument(csv=job.payload.csv)).model_dump_json(), parse_float=Decimal)


worker.run = run  # type: ignore[assignment]  # boto3 stores any JSON
handler = worker.handler
