"""The features of the API: what makes the routes of one is imported when a request first needs them.

A cold start pays for the routes of the request that caused it: FastAPI spends half a millisecond on each route, and
pydantic as much on each of the models of its bodies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True)
class Feature:
    """Routes that belong together."""

    paths: tuple[str, ...]
    """The paths that its routes serve, as patterns of `fnmatch`: at least these; more do no harm."""
    routers: Callable[[], tuple[APIRouter, ...]]

    def serves(self, path: str) -> bool:
        """Whether one of its routes may serve `path`."""
        return any(fnmatchcase(path, pattern) for pattern in self.paths)


class Features:
    """Which features an application has included so far."""

    def __init__(self, app: FastAPI, features: tuple[Feature, ...]) -> None:
        self._app = app
        self._waiting = list(features)
        self._included: list[APIRouter] = []

    def include(self, path: str | None = None) -> None:
        """Include the features that may serve `path`; all of them without one, for the OpenAPI document."""
        for feature in [each for each in self._waiting if path is None or each.serves(path)]:
            self._waiting.remove(feature)
            for router in feature.routers():
                self._app.include_router(router)
                self._included.append(router)

    def routes(self) -> tuple[BaseRoute, ...]:
        """The routes of the features included."""
        return (*self._app.routes, *(route for router in self._included for route in router.routes))


class OnDemand:
    """ASGI middleware: includes the features that a request needs before it is routed."""

    def __init__(self, app: ASGIApp, features: Features) -> None:
        self._app = app
        self._features = features

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._features.include(scope["path"])
        await self._app(scope, receive, send)
