"""Parts of what a link leads to: an attempt that runs here reads a deployment's files without fetching them whole."""

from dataclasses import dataclass

import httpx

TIMEOUT_SECONDS = 60.0
"""Without a byte received."""


@dataclass(frozen=True)
class Gone:
    """The link leads nowhere, or no longer."""


@dataclass(frozen=True)
class NoResponse:
    """The store did not respond."""

    reason: str


def ranges(url: str, start: int, length: int) -> bytes | Gone | NoResponse:
    """A part of what the link leads to."""
    try:
        with _client(url) as client:
            response = client.get(url, headers={"range": f"bytes={start}-{start + length - 1}"})
    except httpx.HTTPError as error:
        return _no_response(error)
    return response.content if response.is_success else Gone()


def size_of(url: str) -> int | Gone | NoResponse:
    """How many bytes the link leads to. It is signed for GET alone, so that the body is begun and left."""
    try:
        with _client(url) as client, client.stream("GET", url) as response:
            if not response.is_success:
                return Gone()
            return int(response.headers.get("content-length", "0"))
    except httpx.HTTPError as error:
        return _no_response(error)


def _client(url: str) -> httpx.Client:
    # Loading the CA certificates takes longer than most transfers here, and plain HTTP needs none.
    return httpx.Client(timeout=TIMEOUT_SECONDS, verify=not url.lower().startswith("http:"))


def _no_response(error: httpx.HTTPError) -> NoResponse:
    return NoResponse(reason=str(error) or type(error).__name__)
