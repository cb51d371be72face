"""docs/gates.md, written from its template, the recorded runs and llmload's own functions.

`python -m tests.docs.gates_page` writes it (`make docs`); a test keeps it current.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import jinja2
import numpy as np

from llmload.analysis.power import Power, history_power, paired_power, reachable_margin
from llmload.analysis.relative import Candidate, judge_change
from llmload.analysis.sample_size import BAD_COUNTS, smallest_sample
from llmload.analysis.shares import decide_share
from llmload.baseline import Baseline, Design, Estimate, Estimates, PastRun
from llmload.promises import Change
from llmload.reporters.figures import milliseconds, percent
from llmload.scenario.gates import parse_gate
from llmload.units import format_number
from llmload.verdict import Status, Verdict
from tests.bench import gates
from tests.bench.gates import STEP, Recorded, judge_pairs, spread

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "gates.md"
RECORD = Path(__file__).with_name("gate-runs.json")

FIGURE = "p50(e2e)"
MARGIN, ALPHA = 0.05, 0.05
PAIRS, FEW, HISTORY = 12, 5, 20
CVS = (0.02, 0.03, 0.05, 0.10)


def written() -> str:
    """The whole page."""
    environment = jinja2.Environment(  # Markdown for people; every value is ours
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    recorded = gates.from_json(RECORD.read_text(encoding="utf-8"))
    text = environment.get_template("gates.md.j2").render(
        record={"runs": len(recorded.healthy) + len(recorded.slower)},
        noise=_noise(recorded),
        shares=[_share(good, n) for good, n in ((198, 200), (194, 200), (776, 800), (1552, 1600), (180, 200))],
        samples=_samples(),
        pairs=_pairs(recorded),
        power=[_power(cv, pairs) for cv in CVS for pairs in (5, 8, 12, 20)],
        drawn=_drawn(recorded),
        reachable=_reachable(),
        history=_history(recorded),
        poisoned=_poisoned(recorded),
        incomparable={"told": _differing(recorded)},
    )
    return text.rstrip("\n") + "\n"


# ---------------------------------------------------------------- noise


def _noise(recorded: Recorded) -> Mapping[str, object]:
    from scipy.special import bdtr

    values = [run[FIGURE].value for run in recorded.healthy]
    naive = sum(after > before * (1 + MARGIN) for before, after in itertools.pairwise(values))
    return {
        "least": milliseconds(min(values)),
        "most": milliseconds(max(values)),
        "range": percent(max(values) / min(values) - 1),
        "naive": naive,
        "pairs": len(values) - 1,
        "goodput_flaky": _whole(float(bdtr(189, 200, 0.96))),
    }


# ---------------------------------------------------------------- shares


def _share(good: int, n: int) -> Mapping[str, object]:
    """Requests that are independent, the bad ones spread evenly."""
    holds = np.diff(np.arange(n + 1) * (n - good) // n) == 0
    decision = decide_share([holds], 0.95, block=8, alpha=ALPHA)
    return {
        "good": f"{good:,}",
        "n": f"{n:,}",
        "observed": percent(good / n),
        "low": percent(decision.low),
        "high": percent(decision.high),
        "verdict": decision.status.value,
    }


def _samples() -> Mapping[str, object]:
    rows = [
        {"promise": name, "smallest": " | ".join(f"{smallest_sample(target, bad, ALPHA):,}" for bad in BAD_COUNTS)}
        for name, target in (("90 %, p90", 0.90), ("95 %, p95", 0.95), ("99 %, p99", 0.99), ("99.9 %", 0.999))
    ]
    return {"bad": " | ".join(f"{bad} bad" for bad in BAD_COUNTS), "columns": len(BAD_COUNTS), "rows": rows}


# ---------------------------------------------------------------- pairs


def _pairs(recorded: Recorded) -> Mapping[str, object]:
    """The first runs as they were recorded: base and candidate never share one."""
    same, slower = recorded.healthy, recorded.slower
    return {
        "n": PAIRS,
        "same": judge_pairs(FIGURE, same[:PAIRS], same[PAIRS : 2 * PAIRS]),
        "slower": judge_pairs(FIGURE, same[:PAIRS], slower[PAIRS : 2 * PAIRS]),
        "few_n": FEW,
        "few_same": judge_pairs(FIGURE, same[:FEW], same[FEW : 2 * FEW]),
        "few_slower": judge_pairs(FIGURE, same[:FEW], slower[FEW : 2 * FEW]),
    }


def _power(cv: float, pairs: int) -> Mapping[str, object]:
    same: Power = paired_power(cv, pairs, MARGIN, 0.0, ALPHA)
    slower = paired_power(cv, pairs, MARGIN, 0.10, ALPHA)
    return {
        "cv": _whole(cv),
        "pairs": pairs,
        "ok": _whole(same.ok),
        "caught": _whole(slower.regression),
        "false_fail": f"{100 * same.regression:.2f} %",
    }


def _drawn(recorded: Recorded) -> Mapping[str, object]:
    same, slower = _experiments()
    caught = min(gates.share({figure: slower[figure]}, Status.FAIL) for figure in slower)
    return {
        "cv": f"{100 * spread(recorded.healthy, FIGURE):.1f} %",
        "experiments": f"{gates.EXPERIMENTS}",
        "pairs": PAIRS,
        "gates": len(gates.FIGURES),
        "false_fails": gates.count(same, Status.FAIL) or "none",
        "passes": f"{gates.share(same, Status.PASS):.0f} %",
        "caught": f"{caught:.0f} %",
    }


@cache
def _experiments() -> tuple[gates.Decided, gates.Decided]:
    recorded = gates.from_json(RECORD.read_text(encoding="utf-8"))
    return (
        gates.experiments(recorded.healthy, recorded.healthy, PAIRS),
        gates.experiments(recorded.healthy, recorded.slower, PAIRS),
    )


def _reachable() -> Mapping[str, object]:
    pairs, history = (5, 8, 12, 20), (8, 20)
    columns = [(n, Design.PAIRED) for n in pairs] + [(n, Design.HISTORY) for n in history]
    rows = [{"cv": _whole(cv), "margins": _margins(cv, columns)} for cv in CVS]
    names = [f"{n} pairs" for n in pairs] + [f"one run against {n}" for n in history]
    return {"names": " | ".join(names), "columns": len(names), "rows": rows}


def _margins(cv: float, columns: Sequence[tuple[int, Design]]) -> str:
    found = [reachable_margin(cv, n, design, alpha=ALPHA) for n, design in columns]
    return " | ".join(f"{100 * margin:.1f} %" for margin in found if margin is not None)


# ---------------------------------------------------------------- baselines


def _history(recorded: Recorded) -> Mapping[str, object]:
    base = recorded.healthy[:HISTORY]
    return {
        "n": HISTORY,
        "same": _against(base, recorded.healthy[HISTORY]),
        "slower": _against(base, recorded.slower[HISTORY]),
        "power_runs": 8,
        "power": _whole(history_power(0.03, 8, MARGIN, 0.10, ALPHA).regression),
    }


def _poisoned(recorded: Recorded) -> Mapping[str, object]:
    noisy = {name: Estimate(2 * each.value) for name, each in recorded.healthy[3].items()}
    base = [*recorded.healthy[:3], noisy, *recorded.healthy[4:8]]
    return {
        "same": _against(base, recorded.healthy[HISTORY]),
        "slower": _against(base, recorded.slower[HISTORY]),
    }


def _against(base: Sequence[Estimates], candidate: Estimates) -> Verdict:
    """One run against earlier ones."""
    gate = parse_gate(f"{FIGURE} within 5% of baseline")
    assert isinstance(gate.promise, Change)
    runs = tuple(PastRun(f"number {number}", "", "", {STEP.label: each}) for number, each in enumerate(base, start=1))
    reference = Baseline("the recorded runs", "gates", {}, runs)
    return judge_change(
        gate, gate.promise, candidate=Candidate(STEP, candidate), reference=reference, confidence=1 - ALPHA
    )


def _differing(recorded: Recorded) -> str:
    return ", ".join(f"`{each.key}` ({each.theirs}, now {each.ours})" for each in gates.differing(recorded))


def _whole(share: float) -> str:
    return f"{format_number(round(100 * share))} %"


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
