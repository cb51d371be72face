"""Tables for the terminal: how far B lies from A over their pairs, and how much a server varies by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from llmload.analysis.calibration import Calibration, Noise
from llmload.analysis.pairs import FIGURES, PairedFigure
from llmload.plain_text import plain
from llmload.promises import LATENCIES, SHARES
from llmload.reporters.figures import MISSING, amount, milliseconds, percent


def render_pairs(rows: Sequence[PairedFigure], confidence: float, console: Console) -> None:
    """A, B, and the change from A to B with its bounds, step by step; what no relative gate speaks of is not judged."""
    for step in dict.fromkeys(row.step for row in rows):
        mine = [row for row in rows if row.step == step]
        pairs = max(row.pairs for row in mine)
        many = f"{pairs} pair{'' if pairs == 1 else 's'}"
        table = _table(f"B against A at {step.label}, {many}, each bound at {percent(confidence)} confidence")
        table.add_column("figure")
        for name in ("A", "B", "change", "interval"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("verdict")
        for row in mine:
            table.add_row(*(Text(plain(cell)) for cell in _cells(row)))
        console.print(table, "")


def _cells(row: PairedFigure) -> tuple[str, ...]:
    between = MISSING if row.low is None else f"{_signed(row.low)} to {_signed(row.high)}"
    verdict = "not judged" if row.verdict is None else row.verdict.status.value
    return (
        row.figure,
        in_unit(row.figure, row.a),
        in_unit(row.figure, row.b),
        _signed(row.change),
        between,
        verdict,
    )


def render_calibration(calibration: Calibration, gated: Sequence[str], console: Console) -> None:
    """The usual figures and the `gated` ones, step by step; all others are in the file."""
    for label, noises in calibration.steps.items():
        shown = [figure for figure in dict.fromkeys((*FIGURES, *gated)) if figure in noises]
        if shown:
            title = f"{calibration.scenario} at {label}, the same server against itself, {calibration.pairs} pairs"
            console.print(_noise_table(plain(title), {figure: noises[figure] for figure in shown}), "")


def _noise_table(title: str, noises: Mapping[str, Noise]) -> Table:
    table = _table(title)
    table.add_column("figure", no_wrap=True)
    first = next(iter(noises.values()))
    margins = (*(f"{n} pairs" for n in first.by_pairs), *(f"{n} runs" for n in first.by_runs))
    for name in ("mean", "CV of\nruns", "CV in\npairs", *(f"margin\n{of}" for of in margins)):
        table.add_column(name, justify="right", no_wrap=True)
    for figure, noise in noises.items():
        shares = (noise.cv, noise.paired_cv, *noise.by_pairs.values(), *noise.by_runs.values())
        cells = (figure, in_unit(figure, noise.middle), *(f"{share:.1%}" for share in shares))
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


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
