"""`headrace completion`: prints the script with which a shell completes commands and options."""

import click
from click.shell_completion import get_completion_class

VARIABLE = "_HEADRACE_COMPLETE"
"""The environment variable that click reads for the command `headrace`."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands and options in SHELL. It is for the shell alone, so there is no --json.

    \b
    bash:  eval "$(headrace completion bash)"    in ~/.bashrc
    zsh:   eval "$(headrace completion zsh)"     in ~/.zshrc, after compinit
    fish:  headrace completion fish | source     in ~/.config/fish/config.fish
    """  # noqa: D301 - the escape is click's mark of a paragraph that it must not wrap
    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(context.find_root().command, {}, "headrace", VARIABLE).source())
