"""What the terminal shows when a run is over: steps, gates, caveats with remedies, and last, where the eye is, the verdict.

Foreign text goes in as `Text`, never as markup, and without terminal sequences.
"""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from llmload.domain import Caveat, RunResult, Status, StepResult
from llmload.reporters.escaping import plain
from llmload.reporters.figures import MISSING, amount, bare_milliseconds, percent
from llmload.reporters.wording import Reading, figures, readings, sentence, tally, worst

_STYLES = {
    Status.PASS: "bold green",
    Status.FAIL: "bold red",
    Status.ERROR: "bold red",
    Status.INCONCLUSIVE: "bold yellow",
    Status.INCOMPARABLE: "bold yellow",
    Status.NOT_GATED: "bold",
}
_INDENT = 4
_LATENCY_COLUMNS = (("ttft", "p50"), ("ttft", "p95"), ("tpot", "p50"), ("tpot", "p95"), ("e2e", "p95"))


def render(run: RunResult, console: Console) -> None:
    """Print the whole run; what passed comes first, so that what did not stands next to the verdict line."""
    if run.steps:
        console.print(_steps_table(run))
    for reading in reversed(readings(run)):
        _print_reading(reading, console)
    for caveat in run.caveats:
        _print_caveat(caveat, "the run", console)
    for step in run.steps:
        for caveat in step.caveats:
            _print_caveat(caveat, step.step.label, console)
    for notice in run.notices:
        _print(Text.assemble(("note ", "cyan"), plain(notice)), console)
    console.print(Rule(style="dim"))
    _print(verdict_line(run), console)


def verdict_line(run: RunResult) -> Text:
    """The run in one line: what it came to, the count of gates, why, and the exit code."""
    line = Text(run.status.value.upper(), style=_STYLES[run.status])
    line.append(f" {plain(run.header.scenario)}: {tally(run)}. {sentence(plain(run.because))} ", style="default")
    return line.append(f"Exit code {run.exit_code}.", style="default")


def _steps_table(run: RunResult) -> Table:
    table = Table(title=_title(run), title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 1))
    table.add_column("step", no_wrap=True)
    for name in ("n", "errors", "goodput", "tok/s", *(f"{metric} {stat}" for metric, stat in _LATENCY_COLUMNS)):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("verdict")
    for step in run.steps:
        status = worst(step)
        table.add_row(step.step.label, *_figures(step), Text(status.value, style=_STYLES[status]))
    table.caption = "latencies in ms over the requests that succeeded"
    table.caption_justify = "left"
    return table


def _title(run: RunResult) -> Text:
    if run.target is None:
        return Text(plain(run.header.scenario))
    server = " ".join(filter(None, (run.target.framework, run.target.version)))
    return Text(plain(f"{run.header.scenario}: {run.target.model} on {server} at {run.target.url}", 150))


def _figures(step: StepResult) -> list[str]:
    metrics = step.metrics
    rates = [
        amount(metrics.attempts),
        percent(metrics.error_rate),
        percent(metrics.goodput),
        amount(metrics.output_tps),
    ]
    return rates + [_latency(step, metric, stat) for metric, stat in _LATENCY_COLUMNS]


def _latency(step: StepResult, metric: str, stat: str) -> str:
    summary = step.metrics.latency.get(metric)
    if summary is None:
        return MISSING
    return bare_milliseconds(summary.p50_ms if stat == "p50" else summary.p95_ms)


def _print_reading(reading: Reading, console: Console) -> None:
    warning = " (warning only)" if reading.is_warning else ""
    head = Text.assemble((reading.status.value.upper(), _STYLES[reading.status]), f"{warning} {plain(reading.gate)}")
    _print(head.append(f"  {plain(reading.step)}", style="dim"), console)
    if reading.status is not Status.PASS and reading.because:
        _print(Text(sentence(plain(reading.because))), console, _INDENT)
    _print(Text(sentence(figures(reading)), style="dim"), console, _INDENT)
    if reading.remedy:
        _print(_todo(reading.remedy), console, _INDENT)


def _print_caveat(caveat: Caveat, where: str, console: Console) -> None:
    word, style = ("invalid", "bold red") if caveat.is_fatal else ("caveat", "yellow")
    head = Text.assemble((f"{word} ", style), f"{plain(caveat.rule)}: {sentence(plain(caveat.figure))}")
    _print(head.append(f"  {where}", style="dim"), console)
    if caveat.remedy:
        _print(_todo(caveat.remedy), console, _INDENT)


def _todo(remedy: str) -> Text:
    return Text.assemble(("To do: ", "bold"), sentence(plain(remedy)))


def _print(text: Text, console: Console, indent: int = 0) -> None:
    if not console.encoding.lower().startswith("utf"):
        text.plain = text.plain.encode(console.encoding, "backslashreplace").decode(console.encoding)
    console.print(Padding(text, (0, 0, 0, indent)), highlight=False)
