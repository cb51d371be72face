"""Tables for the terminal: how far B lies from A over their pairs, and how much a server varies by itself."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmload.analysis.calibration import Calibration
from llmload.analysis.pairs import FIGURES, PairedFigure
from llmload.plain_text import plain
from llmload.promises import LATENCIES, SHARES
from llmload.reporters.figures import MISSING, amount, milliseconds, percent


def render_pairs(rows: Sequence[PairedFigure], confidence: float, console: Console) -> None:
    """A, B, and the change from A to B with its bounds; a row that no relative gate speaks of is not judged."""
    pairs = max((row.pairs for row in rows), default=0)
    many = f"{pairs} pair{'' if pairs == 1 else 's'}"
    table = _table(f"B against A, {many}, each bound at {percent(confidence)} confidence")
    table.add_column("step")
    table.add_column("figure")
    for name in ("A", "B", "change", "interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    shown = ""
    for row in rows:
        step = "" if row.step.label == shown else row.step.label
        shown = row.step.label
        verdict = "not judged" if row.verdict is None else row.verdict.status.value
        between = MISSING if row.low is None else f"{_signed(row.low)} to {_signed(row.high)}"
        cells = (step, row.figure, in_unit(row.figure, row.a), in_unit(row.figure, row.b), _signed(row.change), between)
        table.add_row(*(Text(plain(cell)) for cell in (*cells, verdict)))
    console.print(table, "")


def render_calibration(calibration: Calibration, gated: Sequence[str], console: Console) -> None:
    """The usual figures and the `gated` ones; all others are in the file."""
    title = f"{plain(calibration.scenario)}: the same server against itself, {calibration.pairs} pairs"
    table = _table(title)
    table.add_column("step")
    table.add_column("figure")
    noises = [noise for step in calibration.steps.values() for noise in step.values()]
    pairs, runs = (noises[0].by_pairs, noises[0].by_runs) if noises else ((), ())
    for name in ("mean", "CV of runs", "CV in pairs"):
        table.add_column(name, justify="right")
    for n in pairs:
        table.add_column(f"margin\n{n} pairs", justify="right")
    for n in runs:
        table.add_column(f"margin\n{n} runs", justify="right")
    for label, step in calibration.steps.items():
        shown = ""
        for figure in (each for each in dict.fromkeys((*FIGURES, *gated)) if each in step):
            noise = step[figure]
            shares = (noise.cv, noise.paired_cv, *noise.by_pairs.values(), *noise.by_runs.values())
            cells = ("" if shown else label, figure, in_unit(figure, noise.middle), *(f"{s:.1%}" for s in shares))
            table.add_row(*(Text(plain(cell)) for cell in cells))
            shown = label
    console.print(table, "")


def in_unit(figure: str, value: float | None) -> str:
    """A figure in the words of a gate, such as p95(ttft), in its unit."""
    subject = figure.partition("(")[2].rstrip(")") or figure
    if subject in LATENCIES:
        return milliseconds(value)
    if subject in SHARES:
        return percent(value)
    return amount(value)


def _signed(share: float | None) -> str:
    return MISSING if share is None else f"{share:+.1%}"


def _table(title: str) -> Table:
    return Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        header_style="dim",
    )
