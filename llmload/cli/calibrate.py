"""`llmload calibrate`: a server measured against itself, to know which differences gates can tell from noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options
from llmload.errors import TargetError

if TYPE_CHECKING:
    from llmload.analysis.calibration import Calibration
    from llmload.cli.pairing import Pair
    from llmload.scenario.asked import Scenario

USUAL_PAIRS = 6


def calibrate(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Scenario file.")],
    pairs: Annotated[int, typer.Option(min=2, help="Pairs of runs; more know the noise better.")] = USUAL_PAIRS,
    store: options.Store = options.DEFAULT_STORE,
    out: Annotated[Path | None, typer.Option(help="Directory for reports, in place of spec.reports.dir.")] = None,
    sets: options.Sets = [],  # noqa: B006 - typer copies it
    env_file: options.EnvFile = None,
    progress: Annotated[bool, typer.Option(help="Show progress while it runs.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the calibration document and nothing else.")] = False,
    log_format: options.LogFormat = "text",
    log_level: options.LogLevel = "warning",
) -> None:
    """Measure a server against itself in turns, and say how far its figures vary although nothing changed.

    Writes baselines/SCENARIO/FINGERPRINT.calibration.json into the directory of reports, where `llmload plan` finds it.
    Exit code: 0 measured, 2 bad input, 5 could not measure. Gates are not judged.

    Example: llmload calibrate chat.yaml --pairs 12
    """
    from llmload.cli import logs
    from llmload.cli.display import display
    from llmload.cli.execution import Order
    from llmload.cli.pairing import Source, load_side, measure_pairs, scrubber_of, telling_errors
    from llmload.cli.report_files import Written
    from llmload.domain import AGAINST_ITSELF

    env, source = options.environment(env_file), Source(file, sets)
    scenario = load_side(source, pairs, env, USUAL_PAIRS)
    scrub = scrubber_of([scenario], env)
    logs.configure(log_format, log_level, scrub)
    with telling_errors(scrub):
        with display(progress and not json) as show:
            order = Order(store, out, None, env, show)
            names = (scrub(f"{source}{AGAINST_ITSELF}"),) * 2
            pair = measure_pairs((scenario, scenario), names, order, lambda _: Written())
        _tell(_calibration(pair, scenario), scenario, out, is_json=json)


def _calibration(pair: Pair, scenario: Scenario) -> Calibration:
    """What the runs taught; TargetError where they taught nothing."""
    from llmload.analysis.calibration import calibration_of

    found = calibration_of(pair.a, pair.b, scenario.decision.confidence)
    if found.steps:
        return found
    why = next(
        (run.because for run in (pair.a, pair.b) if run.exit_code == 5), "no step was measured validly on both sides"
    )
    remedy = f"Read what spoilt it: llmload show {pair.b.header.run_id}"
    raise TargetError(scenario.name, f"nothing was learnt: {why}", remedy)


def _tell(calibration: Calibration, scenario: Scenario, out: Path | None, *, is_json: bool) -> None:
    from rich.console import Console

    from llmload.analysis.baselines import fingerprint_id
    from llmload.analysis.wording import name
    from llmload.cli.stored import print_bytes, print_text
    from llmload.reporters.pair_tables import render_calibration
    from llmload.store import calibration_file

    directory = out or Path(scenario.reports.directory)
    path = calibration_file.calibration_path(directory, scenario.name, fingerprint_id(calibration.fingerprint))
    calibration_file.write_calibration(calibration, path)
    if is_json:
        print_bytes(calibration_file.render_calibration(calibration))
        return
    render_calibration(calibration, [name(gate) for gate in scenario.gates], Console())
    print_text(
        f"A margin is the smallest that a server which did not change keeps in nine of ten cases.\nWritten to {path}\n"
    )
