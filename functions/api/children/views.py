"""What responses say of parents and children."""

from pydantic import BaseModel, Field


class ParentView(BaseModel):
    """The job that a child belongs to."""

    job_id: str
    group: str = Field(description="The name of the parent's `call` or `map`")
    place: int = Field(description="Among the group's payloads, from 0")


class GroupView(BaseModel):
    """The children of one `call` or `map`, as far as their ends were counted."""

    name: str
    type: str
    size: int = Field(description="How many there are to be")
    begun: int = Field(description="How many are written, or about to be")
    ended: int
    failed: int = Field(description="Of those that have ended, with those that were cancelled")
