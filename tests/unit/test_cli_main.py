"""The entry point: which command it finds, and how every failure reads."""

from __future__ import annotations

import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from cli_fakes import Program, Run

from assistant import __version__
from assistant.cli.main import COMMANDS, cli, main, with_default_command
from assistant.errors import AssistantError, Cancelled, EngineError, UsageError


@pytest.fixture
def run(program: Program) -> Run:
    """Return a function that runs the program at a terminal; it returns code, stdout, stderr."""
    program.may_fail = True
    return program


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Return a function that makes ``assistant doctor`` raise what it is given."""

    def arrange(error: BaseException) -> None:
        @click.command("doctor")
        def command() -> None:
            raise error

        monkeypatch.setattr("assistant.cli.doctor.command", command)

    return arrange


# -- which command ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "piped", "meant"),
    [
        (["what is a monad?"], False, ["ask", "what is a monad?"]),
        (["what", "is", "a", "monad?"], False, ["ask", "what", "is", "a", "monad?"]),
        (["hello"], False, ["ask", "hello"]),
        (["list"], True, ["ask", "list"]),
        (["--json", "hi"], False, ["ask", "--json", "hi"]),
        (["-t", "qa", "hi"], False, ["ask", "-t", "qa", "hi"]),
        (["model", "trains", "are", "fun"], False, ["ask", "model", "trains", "are", "fun"]),
        (["ask", "history"], False, ["ask", "history"]),
        (["history", "list"], False, ["history", "list"]),
        (["history", "list"], True, ["history", "list"]),
        ([], True, ["ask"]),
        ([], False, []),
        (["--debug", "hi"], False, ["--debug", "ask", "hi"]),
        (["ask", "hi", "--debug"], False, ["--debug", "ask", "hi"]),
        (["--help"], True, ["--help"]),
        (["--version"], False, ["--version"]),
    ],
)
def test_a_bare_prompt_becomes_ask(given: list[str], piped: bool, meant: list[str]) -> None:
    assert with_default_command(given, piped=piped) == meant


@pytest.mark.parametrize(
    ("typo", "meant"), [("histroy", "history"), ("model", "models"), ("docter", "doctor")]
)
def test_a_mistyped_command_is_not_asked_as_a_question(run: Run, typo: str, meant: str) -> None:
    code, out, err = run(typo)
    assert (code, out) == (2, "")
    assert f"No command '{typo}'. Did you mean '{meant}'?" in err
    assert f"assistant ask {typo}" in err


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"assistant, version {__version__}\n", "")


def test_without_a_terminal_the_app_says_what_to_do(run: Run) -> None:
    code, _, err = run("chat")
    assert code == 2
    assert "needs a terminal" in err
    assert "assistant ask" in err


# -- exit codes and messages -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (EngineError("It broke.", "Mend it."), 1, "Error: It broke.\nMend it.\n"),
        (UsageError("Not so."), 2, "Error: Not so.\n"),
        (Cancelled("Stopped."), 130, "Error: Stopped.\n"),
        (KeyboardInterrupt(), 130, "\nError: Interrupted.\n"),  # after the ^C of the terminal
        (click.Abort(), 130, "Error: Interrupted.\n"),
    ],
)
def test_exit_codes(
    run: Run,
    failing: Callable[[BaseException], None],
    error: BaseException,
    code: int,
    text: str,
) -> None:
    failing(error)
    assert run("doctor") == (code, "", text)


def test_wrong_usage_is_exit_code_2(run: Run) -> None:
    for arguments in (("doctor", "--wrong"), ("config", "nothing"), ("ask", "--max-tokens", "0")):
        code, out, err = run(*arguments)
        assert (code, out) == (2, "")
        assert "Error" in err
        assert "Usage: assistant" in err


def test_an_unexpected_error_shows_no_traceback(
    run: Run, failing: Callable[[BaseException], None]
) -> None:
    failing(ZeroDivisionError("by zero"))
    code, out, err = run("doctor")
    assert (code, out) == (1, "")
    assert err.startswith("Error: Unexpected error: ZeroDivisionError: by zero\n")
    assert "--debug" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), AssistantError("It broke.")])
def test_debug_shows_the_traceback(
    run: Run, failing: Callable[[BaseException], None], error: Exception
) -> None:
    failing(error)
    with pytest.raises(type(error)):
        main(["--debug", "doctor"])


def test_control_characters_in_an_error_do_not_reach_the_terminal(
    run: Run, failing: Callable[[BaseException], None]
) -> None:
    failing(AssistantError("No model '\x1b]0;owned\x07\x9b2Jx'."))
    assert run("doctor")[2] == "Error: No model 'x'.\n"


@pytest.mark.parametrize("arguments", ["--help", "config show", "config show --json"])
def test_a_reader_that_has_gone_is_no_failure(arguments: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "assistant", *arguments.split()],
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("no_color", "red"), [("1", False), ("", True), (None, True)])
def test_colour_obeys_no_color(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, red: bool
) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    assert importlib.import_module("assistant.cli.main")._fail("It broke.", 1) == 1
    assert ("\x1b[31m" in screen.getvalue()) is red
    assert "It broke." in screen.getvalue()


# -- help ------------------------------------------------------------------------------------------


def every_command() -> Iterator[tuple[str, click.Command]]:
    def walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            with click.Context(command) as ctx:
                for child in command.list_commands(ctx):
                    found = command.get_command(ctx, child)
                    assert found is not None
                    yield from walk(f"{name} {child}".strip(), found)

    yield from walk("", cli)


@pytest.mark.parametrize(("name", "command"), list(every_command()), ids=lambda value: str(value))
def test_every_command_and_every_option_has_a_help_text(
    run: Run, name: str, command: click.Command
) -> None:
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"
    code, out, err = run(*name.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: assistant {name}".rstrip())


def test_all_commands_are_listed_in_help(run: Run) -> None:
    out = run("--help")[1]
    for name, help_text in COMMANDS.items():
        assert f"  {name}" in out
        assert help_text in out
    assert run("-h")[1] == out


@pytest.mark.parametrize(
    "command", ["", "ask", "route", "history list", "feedback add", "models pull", "config set"]
)
def test_help_loads_nothing_heavy(command: str, tmp_path: Path) -> None:
    code = (
        "import sys, json\n"
        "from assistant.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = ('torch', 'transformers', 'langchain_core', 'pydantic', 'sqlite_utils', 'textual',"
        " 'peft', 'numpy', 'sklearn', 'rich')\n"
        "print(json.dumps([name for name in heavy if name in sys.modules]), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command.split(), "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout.startswith("Usage: assistant")
    assert json.loads(done.stderr) == []
