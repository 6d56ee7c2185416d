"""A proxy that loses answers: the server has done what it was asked, and the client hears nothing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from urllib.parse import urlsplit


@contextmanager
def losing_every_other_answer(url: str) -> Iterator[str]:
    """Serve `url` at another address; of the connections there, every other one is cut when the answer comes."""
    parts, numbers = urlsplit(url), count()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    near, _ = server.accept()
                    far = socket.create_connection((parts.hostname or "", parts.port or 80))
                    loses = next(numbers) % 2 == 0
                    threading.Thread(target=_forward, args=(near, far, False), daemon=True).start()
                    threading.Thread(target=_forward, args=(far, near, loses), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


def _forward(source: socket.socket, target: socket.socket, loses: bool) -> None:
    with suppress(OSError), source, target:
        while (part := source.recv(65536)) and not loses:
            target.sendall(part)
        for each in (source, target):
            each.shutdown(socket.SHUT_RDWR)
