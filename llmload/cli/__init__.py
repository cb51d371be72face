"""The command line: one file per verb, and the only place that prints or exits.

Verb modules import nothing heavy at their top, so that `llmload --help` stays fast; their work is imported inside.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
import traceback
from typing import Annotated, NoReturn

import typer

from llmload import __version__
from llmload.errors import LlmloadError


def new_app() -> typer.Typer:
    """The application, without its verbs yet."""
    application = typer.Typer(
        name="llmload",
        help="CI for LLM serving: declare a server and its promises, measure it, fail the build when one is broken.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback()(_before_the_verb)
    return application


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        print(f"llmload {__version__}")
        raise typer.Exit


def _before_the_verb(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    pass


app = new_app()

READER_GONE = 141
"""What a shell shows for a command that wrote to a closed pipe. Verbs that carry a verdict keep the verdict's code."""


class VerdictExit(SystemExit):
    """Ends a verb with a code that means what METRICS.md says, 1 included: any other 1 comes from a library."""


def main() -> None:
    """Run one verb; every exit code is one of METRICS.md's or READER_GONE. 1 leaves here only as a VerdictExit, of
    `llmload compare`.
    """
    gc.set_threshold(50_000)  # start-up makes objects that stay; collecting among them took a fifth of `validate`
    _open_what_is_closed()
    if "GITHUB_ACTIONS" in os.environ:
        from llmload.cli.runner_log import keep_commands_out

        keep_commands_out()
    from llmload.cli import verbs

    verbs.register(app)
    try:
        app()
    except LlmloadError as error:
        print(f"llmload: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except VerdictExit:
        raise
    except SystemExit as ended:  # 1 is how typer and rich end a verb whose reader is gone, as in `llmload plan | head`
        sys.exit(READER_GONE if ended.code == 1 else ended.code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(READER_GONE)
    except OSError as error:
        if not _is_full(error):
            _die(error)
        print(f"llmload: the output cannot be written ({error.strerror})", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(READER_GONE)
    except Exception as error:
        _die(error)


def _is_full(error: OSError) -> bool:
    """Whether a write to no file of ours, and so to stdout, found no room."""
    return error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _die(error: Exception) -> NoReturn:
    """The last line of defence: 70 is "a defect of ours", and 1 must never mean "slower"."""
    traceback.print_tb(error.__traceback__, file=sys.stderr)
    name = type(error).__name__
    print(f"llmload: internal error: {name}. Please report it with the lines above.", file=sys.stderr)
    sys.exit(70)


def _open_what_is_closed() -> None:
    """Give `llmload ... >&-` a stdout and a stderr that nobody reads, before a file of ours gets their numbers."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
