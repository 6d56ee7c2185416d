"""Error handling for every command: any failure becomes one sentence on stderr and an exit code."""

import io
import sys
import traceback
from typing import NoReturn

import click

from headrace.cli.target import ExitCode, fail
from headrace.emulator.cloudformation import UnsupportedTemplate
from headrace.emulator.database import StackError

INTERRUPTED = 130
"""The exit code that shells report for a command ended by Ctrl-C."""


class Commands(click.Group):
    """The root command group, with the handling of arguments that are not UTF-8 and of all errors."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for number, argument in enumerate(args, 1):
            if not _is_text(argument):
                raise click.UsageError(f"argument {number} is not UTF-8")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        _escape_unencodable_output()
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except Exception as error:  # noqa: BLE001 - every failure ends in a sentence and an exit code
            _end(_leaf(error))


def _end(error: BaseException) -> NoReturn:
    from botocore.exceptions import BotoCoreError, ClientError  # Here, because it is slow to import.

    match error:
        case BrokenPipeError():
            raise error  # click exits quietly when the reader of a pipe has closed it
        case StackError():
            fail(str(error), ExitCode.ERROR)
        case UnsupportedTemplate():
            fail(f"template.yaml cannot be used: {error}", ExitCode.ERROR)
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            fail(f"{where}{error.strerror or error}", ExitCode.ERROR)
        case BotoCoreError() | ClientError():
            fail(f"AWS cannot be used: {error}; check the variables AWS_* of this shell", ExitCode.ERROR)
        case _:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{frame.filename}:{frame.lineno}"
            fail(f"a bug in Headrace: {type(error).__name__}: {error} ({place})", ExitCode.ERROR)


def _leaf(error: BaseException) -> BaseException:
    """The first error of an exception group, or the error itself."""
    return _leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _is_text(argument: str) -> bool:
    """Whether UTF-8 can encode the argument; Python represents other bytes as lone surrogates."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escape_unencodable_output() -> None:
    """Escape characters that the terminal's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
