"""Entry point: finds the command, and turns every failure into a message and an exit code.

Exit codes: 0 done, 1 failed with a clear message, 2 wrong usage, 3 the gate refused,
130 interrupted.
"""

from __future__ import annotations

import difflib
import gc
import importlib
import os
import sys
from collections.abc import Sequence

import click

from assistant import __version__
from assistant.errors import AssistantError

COMMANDS = {
    "chat": "Open the terminal app (the default).",
    "ask": "Answer one turn; piped text and TEXT join.",
    "route": "Show which task a turn is routed to.",
    "history": "List, show, search, export and import conversations.",
    "feedback": "List, add, edit, undo, import and export feedback.",
    "privacy": "Show, export or erase everything about a conversation.",
    "explain": "Say why a turn was routed and answered as it was.",
    "eval": "Measure how well a task is answered, and compare.",
    "train": "Train an adapter on examples.",
    "refine": "Make adapters better by your feedback, if they measurably are.",
    "adapters": "List, check, switch, import and export trained adapters.",
    "models": "List, fetch, check and recommend models.",
    "bench": "Measure speed, start, memory and quality on this machine.",
    "doctor": "Check the installation and say what is wrong.",
    "config": "Show and change settings.",
}
_NOT_YET = {"serve"}
_OWN_FLAGS = {"-h", "--help", "--version", "--debug"}


class LazyGroup(click.Group):
    """A group whose commands live in modules that are imported only when needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"assistant.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List commands from the table above, so that help imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="assistant")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """A private assistant that runs wholly on this machine.

    Without a command it opens the terminal app; anything that is no command is asked as it is:
    assistant "what is a monad?"
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(LazyGroup.get_command(ctx.command, ctx, "chat"))  # type: ignore[arg-type]


def with_default_command(arguments: Sequence[str], *, piped: bool) -> list[str]:
    """Return the arguments with ``ask`` in front when they are a bare prompt.

    Raises:
        click.UsageError: a single word that looks like a mistyped command.
    """
    rest = [a for a in arguments if a != "--debug"]
    debug = ["--debug"] * (len(arguments) - len(rest))
    if not rest:
        return [*debug, "ask"] if piped else list(arguments)
    first = rest[0]
    if first in COMMANDS or first in _OWN_FLAGS:
        return [*debug, *rest]
    if first in _NOT_YET:
        raise click.UsageError(
            f"'{first}' is not part of version {__version__} yet. "
            f"To ask it as a question: assistant ask {first}"
        )
    if len(rest) == 1 and " " not in first:
        close = difflib.get_close_matches(first, COMMANDS, n=1, cutoff=0.75)
        if close:
            raise click.UsageError(
                f"No command '{first}'. Did you mean '{close[0]}'? "
                f"To ask it as a question: assistant ask {first}"
            )
    return [*debug, "ask", *rest]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit."""
    # Libraries make hundreds of thousands of objects as they load, none of them garbage. With the usual
    # thresholds the collector goes through all of them several times, and again while one types.
    gc.set_threshold(5_000, 10, 200)
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    stdout = sys.stdout
    code: int | str | None
    try:
        code = _run(given)
    except (KeyboardInterrupt, click.Abort):
        code = _fail("Interrupted.", 130)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except AssistantError as error:
        if debug:
            raise
        code = _fail(str(error), error.exit_code)
    except SystemExit as end:
        # When whoever read our output has gone (`… | head`), click makes stdout quiet and exits
        # with 1; that is no failure.
        code = end.code if sys.stdout is stdout else 0
    except Exception as error:  # the outermost boundary: a person reads what comes out here
        if debug:
            raise
        code = _fail(
            f"Unexpected error: {type(error).__name__}: {error}\n"
            "Run the same with --debug for details, and please report it.",
            1,
        )
    sys.exit(code)


def _run(given: list[str]) -> int:
    piped = sys.stdin is not None and not sys.stdin.closed and not sys.stdin.isatty()
    result = cli.main(
        args=with_default_command(given, piped=piped), prog_name="assistant", standalone_mode=False
    )
    return result if isinstance(result, int) else 0


def _fail(message: str, code: int) -> int:
    from assistant.sanitize import clean

    first, _, rest = clean(message).partition("\n")
    click.echo(click.style("Error: ", fg="red") + first, err=True, color=_colour())
    if rest:
        click.echo(rest, err=True)
    return code


def _colour() -> bool | None:
    """``False`` when NO_COLOR is set, else let click look at the terminal."""
    return False if os.environ.get("NO_COLOR") else None
