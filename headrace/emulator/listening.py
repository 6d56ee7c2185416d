"""Where the local stack listens for HTTP requests."""

import errno
import socket
from contextlib import AsyncExitStack

from aiohttp import web

from headrace.emulator.database import StackError


async def serve(running: AsyncExitStack, runner: web.AppRunner, host: str, port: int) -> str:
    """Serve until `running` is closed; the URL, with the port that was picked for 0. Raises `StackError`."""
    await runner.setup()
    running.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    picked: int = runner.addresses[0][1]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{picked}"


def check_port(host: str, port: int) -> None:
    """Raise `StackError` if the port is taken, before anything slow is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, UnicodeError) as error:
            raise _cannot_listen(host, port, error) from error


def _cannot_listen(host: str, port: int, error: OSError | UnicodeError) -> StackError:
    where = f"port {port} of {host}"
    if isinstance(error, UnicodeError):
        return StackError(f"Cannot listen on {where} (not a host name); choose another with --host.")
    if error.errno == errno.EADDRINUSE:
        return StackError(f"Something already listens on {where}; stop it, or choose another port with --port.")
    return StackError(f"Cannot listen on {where} ({error.strerror or error}); choose another with --port or --host.")
