"""What the terminal shows while a window runs: a panel, or one line where there is no terminal to redraw."""

from __future__ import annotations

from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from llmload.plain_text import plain
from llmload.progress import Progress, Waiting
from llmload.reporters.figures import amount, milliseconds, percent
from llmload.reporters.gpu_now import lines_of
from llmload.units import format_duration


def panel(progress: Progress | Waiting) -> Panel:
    """A picture, to be drawn in place; of a fixed height while windows run."""
    if isinstance(progress, Waiting):
        return Panel(Text(line(progress)), border_style="cyan")
    figures = Table.grid(padding=(0, 2))
    figures.add_row("requests", _done(progress), "in flight", amount(progress.in_flight), "left", _left(progress))
    first, output = _first(progress), _output(progress)
    figures.add_row(
        "TTFT p50 / p95" if first else "",
        first,
        "goodput",
        percent(progress.goodput),
        "output" if output else "",
        output,
    )
    body = Table.grid(expand=True)
    body.add_row(ProgressBar(total=max(1, progress.planned), completed=min(progress.done, progress.planned)))
    body.add_row(figures)
    for words in lines_of(progress.gpus):
        body.add_row(Text(words))
    title = Text(f"{plain(progress.step)}, {progress.phase.value}")
    return Panel(body, title=title, title_align="left", border_style="cyan")


def line(progress: Progress | Waiting) -> str:
    """The same figures in one line for logs."""
    if isinstance(progress, Waiting):
        return f"waiting for the server: {progress.elapsed_s:.0f} s of {format_duration(progress.limit_s)}"
    first = _first(progress).replace(" / ", ", p95 ")
    told = (
        f"{_done(progress)} requests",
        f"{progress.in_flight} in flight",
        _output(progress),
        f"TTFT p50 {first}" if first else "",
        f"goodput {percent(progress.goodput)}",
        f"{_left(progress)} left",
    )
    words = f"{plain(progress.step)}, {progress.phase.value}: {', '.join(filter(None, told))}"
    return "; ".join((words, *lines_of(progress.gpus)))


def _first(progress: Progress) -> str:
    """p50 and p95 of TTFT; "" before the first one is known, and where answers have none, such as embeddings."""
    known = progress.ttft_p50_ms, progress.ttft_p95_ms
    return "" if None in known else " / ".join(map(milliseconds, known))


def _output(progress: Progress) -> str:
    """Empty as long as nothing has come, and where answers are no text."""
    none_yet = progress.ttft_p50_ms is None and progress.output_events_per_s <= 0
    return "" if none_yet else f"{amount(progress.output_events_per_s)} events/s"


def _done(progress: Progress) -> str:
    return f"{progress.done:,} / {progress.planned:,}"


def _left(progress: Progress) -> str:
    """Time to the end of the window at the pace so far."""
    if progress.done <= 0 or progress.elapsed_s <= 0:
        return "n/a"
    seconds = progress.elapsed_s / progress.done * max(0, progress.planned - progress.done)
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
