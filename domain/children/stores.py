"""What an attempt needs of the stores for its children."""

from dataclasses import dataclass

from domain.children.repository import ChildReader, CountRepository
from domain.jobs.documents import Documents
from domain.jobs.repository import JobRepository
from domain.lanes.lanes import Lanes
from domain.ports import NewId


@dataclass(frozen=True)
class ChildStores:
    """Jobs, written one by one and read in batches, their documents, and which of them have ended."""

    jobs: JobRepository
    reader: ChildReader
    counts: CountRepository
    documents: Documents
    new_id: NewId
    lanes: Lanes | None = None
