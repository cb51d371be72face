"""`llmload ab`: two servers, or two ways to start one, measured in turns and judged against each other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.errors import UsageError

if TYPE_CHECKING:
    from llmload.cli.pairing import Pair, Source
    from llmload.scenario.asked import Scenario

USUAL_PAIRS = 5

_NOT_JUDGED = "The change is told, not judged: no gate of B is like `p95(ttft) within 5% of baseline`.\n"


def ab(
    files: Annotated[list[Path], typer.Argument(metavar="A [B]", help="Scenario of A, and of B where it is another.")],
    sets_a: Annotated[list[str], typer.Option("--set-a", help="Overwrite one value of A.")] = [],  # noqa: B006 - typer copies it
    sets_b: Annotated[list[str], typer.Option("--set-b", help="Overwrite one value of B.")] = [],  # noqa: B006
    pairs: Annotated[
        int | None, typer.Option(min=1, help=f"Pairs of runs; decision.repeats of B, or {USUAL_PAIRS}, unless given.")
    ] = None,
    store: options.Store = options.DEFAULT_STORE,
    out: Annotated[Path | None, typer.Option(help="Directory for reports, in place of spec.reports.dir.")] = None,
    sets: options.Sets = [],  # noqa: B006
    env_file: options.EnvFile = None,
    progress: Annotated[bool, typer.Option(help="Show progress while it runs.")] = True,
    json: options.Json = False,
    lang: options.Lang = None,
    log_format: options.LogFormat = "text",
    log_level: options.LogLevel = "warning",
) -> None:
    """Measure A and B in turns (A B B A ...) on fresh servers where they are ours to start, and judge B against A.

    Each turn climbs the whole ladder with one window of load.requests at each step; A and B may differ in spec.target.
    B's relative gates are decided by pairs, its absolute ones by itself. Exit code: B's, or 5 where A was not measured.

    Example: llmload ab main.yaml branch.yaml --pairs 8

    Example: llmload ab chat.yaml --set-b 'spec.target.launch.command=[vllm, serve, m, --max-num-seqs, "64"]'
    """
    from llmload.cli import logs
    from llmload.cli.display import display
    from llmload.cli.execution import Order, tell
    from llmload.cli.pairing import check_sides, load_side, measure_pairs, scrubber_of, telling_errors
    from llmload.cli.report_files import tell_troubles

    a, b = _sources(files, [*sets, *sets_a], [*sets, *sets_b])
    env = options.environment(env_file)
    language = options.language(lang, env)
    of_b = load_side(b, pairs, env, USUAL_PAIRS)
    of_a = load_side(a, of_b.decision.repeats, env, USUAL_PAIRS)
    check_sides(of_a, of_b)
    scrub = scrubber_of((of_a, of_b), env)
    logs.configure(log_format, log_level, scrub)
    with telling_errors(scrub):
        with display(progress and not json) as show:
            order = Order(store, out, None, env, show, language=language)
            names = (scrub(str(a)), scrub(str(b)))
            pair = measure_pairs((of_a, of_b), names, order, lambda found: tell(found.b, of_b, order))
        _print(pair, of_b, store, is_json=json)
        tell_troubles(pair.reports, scrub)
    raise typer.Exit(exit_code_of(pair))


def _sources(files: list[Path], sets_a: list[str], sets_b: list[str]) -> tuple[Source, Source]:
    """A and B; one file is both where what is put over it differs."""
    from llmload.cli.pairing import Source

    if len(files) > 2:
        raise UsageError("ab", f"takes one or two files, not {len(files)}", "Compare more runs with `llmload compare`")
    if len(files) == 1 and sets_a == sets_b:
        remedy = "Name a second file, or write --set-b PATH=VALUE; `llmload calibrate` measures a server against itself"
        raise UsageError("ab", "A and B are the same", remedy)
    return Source(files[0], sets_a), Source(files[-1], sets_b)


def exit_code_of(pair: Pair) -> int:
    """B's, unless A left nothing to compare it with or a report could not be written."""
    from llmload.analysis.conclusions import worst_code

    return worst_code((pair.b.exit_code, *((5,) if _unmeasured(pair) else ()), *pair.reports.exit_codes))


def _unmeasured(pair: Pair) -> str:
    """Why A could not be measured, as a whole or at a step where B is held against it; "" where it was."""
    from llmload.promises import Change
    from llmload.verdict import Status

    if pair.a.status is Status.ERROR:
        return pair.a.because
    held = {v.step for step in pair.b.steps for v in step.verdicts if isinstance(v.gate.promise, Change)}
    spoilt = ((step, caveat) for step in pair.a.steps for caveat in step.caveats if caveat.is_fatal)
    found = (f"could not measure {s.step.label}: {c.rule}: {c.figure}" for s, c in spoilt if s.step.label in held)
    return next(found, "")


def _print(pair: Pair, scenario: Scenario, store: Path, *, is_json: bool) -> None:
    """The document of B alone, or tables, the verdict last."""
    from rich.console import Console

    from llmload.analysis.pairs import paired_figures
    from llmload.cli.stored import print_json, print_tables, print_text
    from llmload.plain_text import plain
    from llmload.promises import Change
    from llmload.reporters.pair_tables import render_pairs

    if why := _unmeasured(pair):
        print(f"llmload: A: {plain(why)}", file=sys.stderr)
    if is_json:
        print_json(pair.b)
        return
    confidence = scenario.decision.confidence
    render_pairs(paired_figures(pair.a, pair.b, confidence), confidence, Console())
    if not any(isinstance(gate.promise, Change) for gate in scenario.gates):
        print_text(_NOT_JUDGED)
    print_tables(pair.b)
    print_text(f"Reports of B: {', '.join(str(path) for path in pair.reports.files) or 'none'}\n")
    print_text(f"Stored as {pair.a.header.run_id} (A) and {pair.b.header.run_id} (B) in {store}\n")
