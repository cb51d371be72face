"""What the terminal shows when a run is over: steps, gates, what to look at, caveats, and last the verdict.

Foreign text goes in as `Text`, never as markup, and without terminal sequences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from llmload.capacity import Alternative, Recommendation
from llmload.domain import PartFigures, RunResult, StepResult
from llmload.plain_text import plain
from llmload.reporters import serving_sections
from llmload.reporters.changes import climbs, compared_with
from llmload.reporters.figures import MISSING, amount, bare_milliseconds, percent
from llmload.reporters.part_sections import (
    AXES,
    Axis,
    cached_share,
    latency_words,
    mean_input_tokens,
    p95_words,
    parts_by,
    slo_of_part,
)
from llmload.reporters.step_columns import Speed, latencies_of, speed_of, tokens_per_s
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.wording import (
    Reading,
    caveats,
    figures,
    finding_cause,
    finding_figures,
    finding_remedy,
    finding_subject,
    readings,
    senders,
    sentence,
    tally,
    urgency,
    worst,
)
from llmload.timeline import GpuSeries
from llmload.verdict import Caveat, Finding, Status

_ENGLISH = texts_in(Language.EN)
_STYLES = {
    Status.PASS: "bold green",
    Status.FAIL: "bold red",
    Status.ERROR: "bold red",
    Status.INCONCLUSIVE: "bold yellow",
    Status.INCOMPARABLE: "bold yellow",
    Status.NOT_GATED: "bold",
}
_INDENT = 4
_MOST_GPUS = 8
_MOST_OTHERS = 3
_MOST_PARTS = 24
_LONGEST_NAME = 40


def render(run: RunResult, console: Console) -> None:
    """Print the whole run, the gravest last, so that it stands next to the verdict line and the prompt.

    What the terminal's encoding lacks is shown as an escape, so that a report never ends in a traceback.
    """
    draw(console, lambda: _show(run, console))


def draw(console: Console, show: Callable[[], None]) -> None:
    """Let `show` print to the console, in what its encoding has."""
    with console.capture() as capture:
        show()
    console.file.write(capture.get().encode(console.encoding, "backslashreplace").decode(console.encoding))


def _show(run: RunResult, console: Console) -> None:
    told = sorted(readings(run, _ENGLISH), key=urgency, reverse=True)
    if run.steps:
        console.print(_steps_table(run), "")
    _print_parts(run, console)
    for words in filter(None, (climbs(run, _ENGLISH), compared_with(run, _ENGLISH))):
        _print(Text(sentence(plain(words))).append("\n"), console)
    for where, words in senders(run, _ENGLISH, least=2):
        _print(Text(sentence(plain(f"Sent by {words}"))).append(f"  {where}\n", style="dim"), console)
    beside = [*_server_lines(run), *_gpu_lines(run.gpus)]
    for line in beside:
        _print(line, console)
    if beside:
        console.print("")
    if told:
        console.print(_gates_table(told), "")
    _print_recommendation(run.recommendation, console)
    for notice in run.notices:
        _print(Text.assemble(("note ", "cyan"), sentence(plain(notice))), console)
    for finding in run.findings:
        _print_finding(finding, console)
    for where, caveat in reversed(caveats(run, _ENGLISH)):
        _print_caveat(caveat, where, console)
    for reading in told:
        if reading.status is not Status.PASS:
            _print_reading(reading, console)
    console.print(Rule(style="dim"))
    _print(verdict_line(run), console)


def verdict_line(run: RunResult) -> Text:
    """What the run came to, its exit code, the count of gates and why."""
    line = Text(run.status.value.upper(), style=_STYLES[run.status])
    line.append(f" {plain(run.header.title)}, exit code {run.exit_code}. ", style="default")
    return line.append(f"{sentence(tally(run, _ENGLISH))} {sentence(plain(run.because))}", style="default")


def _steps_table(run: RunResult) -> Table:
    table = _table(_title(run))
    axis = run.steps[0].step.axis
    table.add_column(axis, justify="right")
    speed, latencies = speed_of(run.steps), latencies_of(run.steps)
    for name in ("n", "errors", "goodput", "tok/s" if speed == "output_tps" else "input tok/s"):
        table.add_column(name, justify="right")
    for metric in latencies:
        table.add_column(f"{metric.replace('_due', ' since due')} ms\np50/p95", justify="right")
    table.add_column("verdict", overflow="fold")
    for step in run.steps:
        status = worst(step)
        label = step.step.label.removeprefix(axis).strip()
        table.add_row(label, *_figures(step, speed, latencies), Text(status.value, style=_STYLES[status]))
    return table


def _parts_table(run: RunResult, axis: Axis, found: Sequence[tuple[StepResult, PartFigures]]) -> Table:
    """The figures of each part; columns of which nobody told anything are left out."""
    table = _table(Text(_ENGLISH[f"parts.by_{axis}"]))
    told = [_part(run, step, part) for step, part in found[:_MOST_PARTS]]
    names = (
        "step",
        axis,
        "slo",
        "n",
        "errors",
        "goodput",
        "ttft ms\np50/p95",
        "tpot ms\np50/p95",
        "e2e ms\np95",
        "input\nmean",
    )
    kept = [place for place in range(len(told[0])) if any(row[place] != MISSING for row in told)]
    for place in kept:
        are_words = axis == "class" and place in (1, 2)
        table.add_column((*names, "cached\ninput")[place], justify="left" if are_words else "right", overflow="fold")
    for row in told:
        table.add_row(*(Text(row[place]) for place in kept))
    return table


def _part(run: RunResult, step: StepResult, part: PartFigures) -> list[str]:
    metrics = part.metrics
    return [
        step.step.label.removeprefix("concurrency "),
        plain(part.name, _LONGEST_NAME),
        slo_of_part(run, part),
        amount(metrics.attempts),
        percent(metrics.error_rate),
        percent(metrics.goodput),
        *(latency_words(metrics, name).replace(" / ", "/") for name in ("ttft", "tpot")),
        p95_words(metrics, "e2e"),
        amount(mean_input_tokens(metrics)),
        percent(cached_share(metrics)),
    ]


def _print_parts(run: RunResult, console: Console) -> None:
    for axis in AXES:
        if found := parts_by(axis, run):
            console.print(_parts_table(run, axis, found))
            if (more := len(found) - _MOST_PARTS) > 0:
                _print(Text(_ENGLISH["parts.more"].format(count=f"{more:,}"), style="dim"), console)
            console.print("")


def _gates_table(told: Sequence[Reading]) -> Table:
    table = _table(Text("Gates"))
    for name in ("verdict", "gate", "at"):
        table.add_column(name, overflow="fold")
    for name in ("observed", "interval", "n", "eff. n"):
        table.add_column(name, justify="right", overflow="fold")
    for reading in told:
        promise = f"{reading.promise} (advisory)" if reading.is_advisory else reading.promise
        words = (promise, reading.step, reading.observed, reading.interval, reading.n, reading.effective_n)
        status = Text(reading.status.value, style=_STYLES[reading.status])
        table.add_row(status, *(Text(plain(word.removeprefix("concurrency "))) for word in words))
    return table


def _table(title: Text) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        collapse_padding=True,
        header_style="dim",
    )


def _title(run: RunResult) -> Text:
    if run.target is None:
        return Text(plain(run.header.title))
    server = " ".join(filter(None, (run.target.framework, run.target.version)))
    return Text(plain(f"{run.header.title}: {run.target.model} on {server} at {run.target.url}", 150))


def _figures(step: StepResult, speed: Speed, latencies: Sequence[str]) -> list[str]:
    metrics = step.metrics
    rates = [amount(metrics.attempts), percent(metrics.error_rate), percent(metrics.goodput)]
    return [*rates, amount(tokens_per_s(step, speed)), *(_latency(step, metric) for metric in latencies)]


def _latency(step: StepResult, metric: str) -> str:
    summary = step.metrics.latency.get(metric)
    if summary is None:
        return MISSING
    return f"{bare_milliseconds(summary.p50_ms)}/{bare_milliseconds(summary.p95_ms)}"


def _server_lines(run: RunResult) -> Iterator[Text]:
    """The server's queue and cache at their fullest, and whether it tells the same as the client; none if unknown."""
    told = [step.server for step in run.steps if step.server is not None]
    waiting = max((each.waiting_max for each in told if each.waiting_max is not None), default=None)
    cache = max((each.kv_cache_share for each in told if each.kv_cache_share is not None), default=None)
    preempted = [each.preemptions for each in told if each.preemptions is not None]
    words = [
        "" if waiting is None else f"up to {amount(waiting)} waiting" if waiting else "none waiting",
        "" if cache is None else f"KV cache up to {percent(cache)}",
        f"preemptions {amount(sum(preempted))}" if preempted else "",
    ]
    sentences = [", ".join(filter(None, words)), serving_sections.agreement(run, _ENGLISH)]
    if any(sentences):
        yield Text.assemble(("server ", "cyan"), " ".join(sentence(each) for each in sentences if each))


def _gpu_lines(gpus: Sequence[GpuSeries]) -> Iterator[Text]:
    """What each GPU did over the run; a name that the GPU before has too is not said again."""
    before = ""
    for gpu in gpus[:_MOST_GPUS]:
        yield _gpu_line(gpu, "" if gpu.name == before else f"{gpu.name}: ")
        before = gpu.name
    if (more := len(gpus) - _MOST_GPUS) > 0:
        yield Text(f"and {more:,} more GPU{'s' if more > 1 else ''}, in the reports", style="dim")


def _gpu_line(gpu: GpuSeries, name: str) -> Text:
    gib = 2**30
    memory = (None if size is None else size / gib for size in (gpu.peak_memory_bytes, gpu.memory_total_bytes))
    words = [
        f"{percent(gpu.mean_utilisation)} busy",
        f"{_of(*memory)} GiB",
        f"{amount(gpu.peak_temperature_c)} °C",
        f"{_of(gpu.mean_power_w, gpu.power_limit_w)} W",
        f"{amount(None if gpu.energy_j is None else gpu.energy_j / 1000)} kJ",
    ]
    if gpu.throttled_share:
        words.append(f"slowed down in {percent(gpu.throttled_share)} of the samples")
    told = ", ".join(word for word in words if not word.startswith(MISSING)) or "told nothing"
    return Text.assemble((f"GPU {gpu.index} ", "cyan"), sentence(plain(f"{name}{told}")))


def _of(value: float | None, total: float | None) -> str:
    return amount(value) if value is None or total is None else f"{amount(value, total)} of {amount(total)}"


def _print_recommendation(found: Recommendation | None, console: Console) -> None:
    """How many GPUs, the sum that it comes from, and what else would do; all of it is in the reports."""
    if found is None:
        return
    _print(Text.assemble(("recommendation ", "cyan"), (sentence(plain(found.headline)), "bold")), console)
    if found.advice is not None:
        for words in (plain(found.advice.calculation_formula), sentence(plain(found.advice.reasoning))):
            _print(Text(words, style="dim"), console, _INDENT)
    others = [f"{other.count:,} × {other.gpu_model}{_monthly(other)}" for other in found.alternatives[:_MOST_OTHERS]]
    if others:
        lead = "On other GPUs:" if found.advice is None else "Or"
        _print(Text(sentence(plain(f"{lead} {', '.join(others)}"))), console, _INDENT)
    for hint in found.hints:
        _print(Text(sentence(plain(hint.text))), console, _INDENT)
    console.print("")


def _monthly(other: Alternative) -> str:
    cost = other.estimated_monthly_cost_usd
    return "" if cost is None else f" (USD {amount(cost)} a month)"


def _print_reading(reading: Reading, console: Console) -> None:
    warning = f" ({reading.weight})" if reading.weight else ""
    head = Text.assemble((reading.status.value.upper(), _STYLES[reading.status]), f"{warning} {plain(reading.gate)}")
    _print(head.append(f"  {plain(reading.step)}", style="dim"), console)
    if reading.because:
        _print(Text(sentence(plain(reading.because))), console, _INDENT)
    _print(Text(sentence(figures(reading, _ENGLISH)), style="dim"), console, _INDENT)
    if reading.remedy:
        _print(_todo(reading.remedy), console, _INDENT)


def _print_finding(finding: Finding, console: Console) -> None:
    told = (finding_figures(finding, _ENGLISH), finding_cause(finding, _ENGLISH))  # each has its own room
    words = " ".join(sentence(plain(text)) for text in told)
    _print(Text.assemble(("finding ", "yellow"), f"{plain(finding_subject(finding, _ENGLISH))}: {words}"), console)
    if remedy := finding_remedy(finding, _ENGLISH):
        _print(_todo(remedy), console, _INDENT)


def _print_caveat(caveat: Caveat, where: str, console: Console) -> None:
    word, style = ("invalid", "bold red") if caveat.is_fatal else ("caveat", "yellow")
    head = Text.assemble((f"{word} ", style), f"{plain(caveat.rule)}: {sentence(plain(caveat.figure))}")
    _print(head.append(f"  {where}", style="dim"), console)
    if caveat.remedy:
        _print(_todo(caveat.remedy), console, _INDENT)


def _todo(remedy: str) -> Text:
    return Text.assemble(("To do: ", "bold"), sentence(plain(remedy)))


def _print(text: Text, console: Console, indent: int = 0) -> None:
    console.print(Padding(text, (0, 0, 0, indent)), highlight=False)
