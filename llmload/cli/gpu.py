"""`llmload gpu`: what GPUs there are and what they are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from llmload.cli.gpu_table import Look
    from llmload.telemetry.gpu import GpuReader

_EVERY_S = 1.0
_LOOK_S = 5.0
"""What one look may take before it is told as one that brought nothing."""


def gpu(
    watch: Annotated[bool, typer.Option("--watch", help="Look again each second, until Ctrl-C.")] = False,
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Page of a DCGM exporter, like http://host:9400/metrics; else this machine."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print an array and nothing else; with --watch one a line.")
    ] = False,
) -> None:
    """Show the GPUs of this machine, or those that a DCGM exporter tells of.

    A machine without a GPU is an answer: exit code 0, as when Ctrl-C ends --watch. An exporter that does not answer
    is exit code 5.

    Example: llmload gpu --watch
    """
    import sys
    from contextlib import closing, suppress

    from llmload.telemetry.gpu import open_here

    with closing(open_here() if url is None else _exporter(url)) as reader:
        if not reader.gpus:
            print("[]" if json else reader.note, flush=True)
            if json:
                print(f"llmload: {reader.note}", file=sys.stderr)
            return
        looks = _looks(reader)
        with suppress(KeyboardInterrupt), closing(looks):
            if not watch:
                _told(json)(next(looks))
            elif json or not sys.stdout.isatty():
                _follow(looks, _told_in_lines(json))
            else:
                _follow_live(looks)


def _exporter(url: str) -> GpuReader:
    from llmload.errors import TargetError
    from llmload.telemetry.gpu import NoGpus, open_exporter

    reader = open_exporter(url)
    if isinstance(reader, NoGpus) and (why := reader.why) is not None:
        raise TargetError("--url", why.because, why.remedy)
    return reader


def _looks(reader: GpuReader) -> Generator[Look]:
    """One look after another, each asked of a thread that a driver may hang in."""
    from datetime import UTC, datetime

    from llmload.cli.gpu_table import look_of
    from llmload.telemetry.recorder import Recorder
    from llmload.telemetry.ticker import ticking

    taken: list[Look] = []

    def look() -> None:
        recorder = Recorder()
        reader.read(recorder)
        taken[:] = [look_of(reader.gpus, datetime.now(UTC), *recorder.take())]

    with ticking(look, 24 * 3600, "gpus", 1.0) as ticker:
        while True:
            taken.clear()
            ticker.look_now(_LOOK_S)
            nothing = look_of(reader.gpus, datetime.now(UTC), (), (f"no figure came within {_LOOK_S:g} s",))
            yield taken[0] if taken else nothing


def _told(json: bool) -> Callable[[Look], None]:
    """How one look is printed."""
    import sys

    from llmload.cli import gpu_table

    def table(look: Look) -> None:
        from rich.console import Console

        if sys.stdout.isatty():
            Console().print(gpu_table.panel(look))
        else:
            print("\n".join(gpu_table.lines(look)))

    def document(look: Look) -> None:
        print(gpu_table.document(look, indent=2))

    return document if json else table


def _told_in_lines(json: bool) -> Callable[[Look], None]:
    from llmload.cli import gpu_table

    def line(look: Look) -> None:
        print(gpu_table.document(look) if json else "\n".join(gpu_table.timed_lines(look)), flush=True)

    return line


def _follow(looks: Iterator[Look], show: Callable[[Look], None]) -> None:
    import signal
    import time

    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell began in the background would ignore it
    due_s = time.monotonic()
    for look in looks:
        show(look)
        due_s = max(due_s + _EVERY_S, time.monotonic())
        time.sleep(max(due_s - time.monotonic(), 0))


def _follow_live(looks: Iterator[Look]) -> None:
    from rich.live import Live

    from llmload.cli import gpu_table

    with Live(auto_refresh=False) as live:
        _follow(looks, lambda look: live.update(gpu_table.panel(look), refresh=True))
