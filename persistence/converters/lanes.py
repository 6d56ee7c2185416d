"""Between lanes and their items: settings, rate and places."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

from domain.lanes.lane import PLACE, RATE, SETTINGS, Lane, LaneSettings, Place
from domain.results import StorageUnavailable
from headrace.authoring.rate import Rate
from persistence.converters.attributes import string_of, to_attribute

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

    from domain.lanes.lane import Mode
    from persistence.converters.attributes import Item

CHANGED = "changed"
"""The partition of the index of lanes with settings."""


def settings_to_item(name: str, settings: LaneSettings) -> dict[str, Attribute]:
    """The settings of a lane as an item."""
    rate = {"count": settings.rate.count, "seconds": settings.rate.per.total_seconds()} if settings.rate else None
    values = {"mode": settings.mode, "limit": settings.limit, "rate": rate, "version": settings.version}
    item = {name: to_attribute(value) for name, value in values.items() if value is not None}
    return {**item, "lane": {"S": name}, "item": {"S": SETTINGS}, "kind": {"S": CHANGED}}


def items_to_lane(name: str, items: Iterable[Item]) -> Lane | StorageUnavailable:
    """The lane that its items make."""
    settings, places, next_start = LaneSettings(), list[Place](), None
    try:
        for item in items:
            match string_of(item, "item"):
                case text if text == SETTINGS:
                    settings = _settings(item)
                case text if text == RATE:
                    next_start = _moment(item, "next_start")
                case str(text) if text.startswith(PLACE):
                    places.append(_place(item, text))
                case _:
                    pass  # Of a newer version.
        return Lane(name=name, settings=settings, places=tuple(places), next_start=next_start)
    except (ValueError, TypeError, KeyError) as error:
        return StorageUnavailable(reason="rejected", detail=f"the lane cannot be read: {type(error).__name__}")


def _settings(item: Item) -> LaneSettings:
    rate = item.get("rate")
    members = rate["M"] if isinstance(rate, dict) else None
    return LaneSettings(
        limit=_number(item["limit"]) if "limit" in item else None,
        rate=Rate(int(members["count"]["N"]), per=timedelta(seconds=float(members["seconds"]["N"])))
        if members
        else None,
        mode=cast("Mode", string_of(item, "mode")),  # checked where it is built
        version=_number(item["version"]),
    )


def _rate(members: Mapping[str, Mapping[str, str]]) -> Rate:
    return Rate(int(members["count"]["N"]), per=timedelta(seconds=float(members["seconds"]["N"])))


def _place(item: Item, text: str) -> Place:
    return Place(
        number=int(text.removeprefix(PLACE)),
        holder=string_of(item, "holder") or "",
        token=string_of(item, "token") or "",
        since=_moment(item, "since"),
    )


def _number(attribute: object) -> int:
    return int(attribute["N"]) if isinstance(attribute, dict) else 0


def _moment(item: Item, name: str) -> datetime:
    return datetime.fromisoformat(string_of(item, name) or "")
