"""Progress on stderr: of a run a live panel on a terminal, plain lines elsewhere; of reports the one being made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmload.plain_text import plain
from llmload.progress import Progress, Waiting
from llmload.reporters import live

LINE_EVERY_S = 5.0
"""On a pipe or in CI a line every so often is enough."""


@contextmanager
def display(is_shown: bool) -> Iterator[Callable[[Progress | Waiting], None]]:
    """Yield the function that shows progress; nothing is shown when it is not wanted."""
    if not is_shown:
        yield lambda _: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), refresh_per_second=4, transient=True) as panel:
            yield lambda progress: panel.update(live.panel(progress))
    else:
        yield _lines()


@contextmanager
def stages() -> Iterator[Callable[[str], None]]:
    """Yield the function that says what is being done now; a terminal shows it until the next, a pipe nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status("") as status:
        yield lambda stage: status.update(Text(plain(stage)))


def _lines() -> Callable[[Progress | Waiting], None]:
    shown: dict[str, float] = {}

    def show(progress: Progress | Waiting) -> None:
        of = progress.step if isinstance(progress, Progress) else ""
        last = shown.get(of)
        if last is None or not 0 <= progress.elapsed_s - last < LINE_EVERY_S:
            shown[of] = progress.elapsed_s
            print(live.line(progress), file=sys.stderr, flush=True)

    return show
