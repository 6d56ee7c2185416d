"""Moves money between accounts in a table."""

from headrace import Done, If, JobContext, Retry, Update, job_type
from pydantic import BaseModel


class Transfer(BaseModel):
    """Who pays whom."""

    source: str
    target: str
    cents: int


class Moved(BaseModel):
    """The transfer was made."""


@job_type("bank.transfer", settings=("ACCOUNTS_TABLE",))
async def transfer(order: Transfer, context: JobContext) -> Done[Moved]:
    """Move money from one account to another."""
    table, funds = context.settings["ACCOUNTS_TABLE"], If(at_least={"cents": order.cents})
    take = Update(table=table, key={"id": order.source}, add={"cents": -order.cents}, condition=funds)
    give = Update(table=table, key={"id": order.target}, add={"cents": order.cents}, condition=If())
    return Done(Moved(), writes=[take, give], otherwise=Retry(reason="not enough money yet"))
