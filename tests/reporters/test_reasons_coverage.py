"""Whether a language has words for everything that our analysis says: as it is written, and as it is said."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from llmload.analysis.alternatives import beside_others
from llmload.analysis.bottleneck import bottleneck_of
from llmload.analysis.hints import hints_of
from llmload.analysis.judgement import judge
from llmload.baseline import Incomparable, NoBaseline
from llmload.domain import Ending, RunResult, TokenFit, TokenSource
from llmload.errors import TargetError
from llmload.promises import At, Bound, Change, Gate, Level
from llmload.reporters.reasons import SHAPES, catalogue_in, in_language
from llmload.reporters.texts import Language, texts_in
from llmload.verdict import Caveat, Verdict
from tests import recorded_comparisons, recorded_runs
from tests.analysis import test_alternatives, test_client, test_gates, test_hints, test_relative, test_validity
from tests.analysis.builders import FACTS, GOODPUT_95, HEADER, good_and_bad, paced, scenario, window
from tests.telemetry import gpu_notes

ROOT = Path(__file__).parents[2] / "llmload"
TRANSLATED = [language for language in Language if language is not Language.EN]

# ---------------------------------------------------------------- as it is written

SAYS = {
    "Hint",
    "Verdict",
    "Caveat",
    "Finding",
    "NoBaseline",
    "Crew",
    "TargetError",
    "Absence",
    "Advice",
    "Recommendation",
    "Unreachable",
}
"""What is made of sentences of ours that reports tell."""

WHOLE = (
    *(f"analysis/{name}.py" for name in ("gates", "relative", "relative_wording", "client", "validity", "judgement")),
    *(f"analysis/{name}.py" for name in ("sides", "causes", "latency_causes", "prefix_hits")),
    *(f"analysis/{name}.py" for name in ("reasoning", "shortfall", "capacity")),
    *(f"analysis/{name}.py" for name in ("declared", "pairs", "baselines", "comparison", "claims", "compared")),
    *(f"analysis/{name}.py" for name in ("hints", "bottleneck", "settings_to_try", "alternatives")),
    *(f"load/{name}.py" for name in ("guards", "curtailment", "limits", "crew", "merging")),
    *(f"target/{name}.py" for name in ("server", "models", "probe", "trial", "launch", "route", "identity")),
    *(f"telemetry/{name}.py" for name in ("docker", "docker_command", "docker_socket", "log_file")),
    *("workload/counting.py", "runner.py", "simulator/process.py"),
    *(f"telemetry/{name}.py" for name in ("gpu", "nvml", "dcgm", "prometheus", "metrics_page")),
)
"""Modules of which every sentence may be told; what is for somebody else is known by where it goes."""

PARTS = {
    "store/judgement.py": ("_CUT_SHORT", "cut_short"),
    "cli/references.py": ("refer_for", "_among", "_remedy", "_auto", "_stored_run"),
    "store/imports.py": ("_result", "_caveats", "_unsure"),
    "store/loadtest.py": ("_loadtest", "_told", "_framework", "_settings"),
    "store/comparison.py": ("_DAMAGED", "reference_of_run"),
    "load/ray_cluster.py": ("about",),
    "scenario/replay.py": ("SHARED", "OWN_LENGTHS"),
    "scenario/trace_file.py": ("_notices",),
    "scenario/length_file.py": ("raised_to_one",),
    "scenario/prompt_facts.py": ("_notices", "_lengths"),
    "frameworks/embeddings.py": ("_NEEDS",),
    "scenario/v1alpha1.py": ("framework", "tell_tolerance", "container"),
}
"""Functions and constants of modules that say more to others than to reports."""

ELSEWHERE = {"UsageError", "StoreError", "ClientError", "DataFileError", "ClusterError", "ValueError", "debug", "info"}
ELSEWHERE |= {"warning", "error", "wrong", "refuse_vllm_config", "add_parser", "bind", "get_logger", "compile"}
"""Whose texts go to a terminal or a log, in English."""

NO_SENTENCES = {
    "Make room or choose another --out": "the remedy of a StoreError",
    "is no file, no git ref, and no stored run": "the problem of a UsageError",
    "could not be measured": "the problem of a UsageError",
    "there is no file": "the problem of a UsageError",
    "there is, in PATH and beside llmload, no program": "the problem of a UsageError",
    "GPU of unknown model": "stands for the name of a GPU",
    "measured replicas": "of a formula",
    "is too large to process": "of what llama.cpp says",
    "SELECT source, document FROM baselines WHERE run = ?": "SQL",
}
"""Pieces that no report tells, and why."""

TO_A_TERMINAL = {"cli/calibrate.py", "cli/writing.py", "target/analyst.py"}
"""Modules whose errors end a command before there is a run to report, or after it was reported."""


def _strings(node: ast.AST) -> Iterator[str]:
    """The literal pieces of every text below a node, but for docstrings and what goes elsewhere."""
    if isinstance(node, ast.Call) and _name(node.func) in ELSEWHERE:
        return
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from _strings(child)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _named(tree: ast.Module, names: Sequence[str]) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]) if name in names:
                yield node


def _pieces(texts: Iterator[str]) -> Iterator[str]:
    """What has two words of English or more, without the punctuation around it."""
    for text in texts:
        piece = text.strip(" ,;:.()`'\"")
        if len(re.findall(r"(?<![\w./])[A-Za-z][a-z'-]+(?![\w/])", piece)) >= 2:
            yield piece


@cache
def _literals(language: Language) -> str:
    """All that the templates of a language know to read, singular and plural."""
    english = [each.english for grammar in catalogue_in(language).values() for each in grammar.templates]
    several = [re.sub(r"\{\w+(:\w+)?\}", "\0", text) for text in english]
    return "\n".join([text.replace("(s)", ending) for text in several for ending in ("s", "")])


def missing(source: str, language: Language, names: Sequence[str] = ()) -> list[str]:
    """The sentences in a module's source that no template of the language reads."""
    tree = ast.parse(source)
    roots = list(_named(tree, names)) if names else [tree]
    pieces = dict.fromkeys(piece for root in roots for piece in _pieces(_strings(root)))
    return [piece for piece in pieces if not _is_known(piece, language) and piece not in NO_SENTENCES]


def _is_known(piece: str, language: Language) -> bool:
    known = _literals(language)
    parts = _pieces(iter(re.split(r"; |\. |: ", piece)))
    return piece in known or all(part in known for part in parts)


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("module", [*WHOLE, *PARTS])
def test_every_sentence_in_the_source_has_a_translation(module: str, language: Language) -> None:
    source = (ROOT / module).read_text("utf-8")
    assert missing(source, language, PARTS.get(module, ())) == [], f"add them to catalogues/reasons.{language}.toml"


@pytest.mark.parametrize(("module", "names"), PARTS.items())
def test_every_part_that_is_looked_at_is_there(module: str, names: Sequence[str]) -> None:
    tree = ast.parse((ROOT / module).read_text("utf-8"))
    assert len(list(_named(tree, names))) >= len(names)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("because += f'{count} requests met a full moon'", id="in an f-string"),
        pytest.param("return Caveat('moon', f'{x}', 'Wait for the new moon')", id="in a call"),
        pytest.param("figure = ('no answer for a whole lunar' f' month of {days}')", id="in two parts"),
        pytest.param("remedy = 'Lower the load, or howl at it'", id="after a sentence that is known"),
        pytest.param("said = f'{a}' + (' behind the clouds' if a else '')", id="inside an expression"),
    ],
)
def test_a_sentence_that_somebody_adds_is_missing(line: str) -> None:
    source = (ROOT / "analysis" / "client.py").read_text("utf-8")
    assert len(missing(f"{source}\n\ndef _moon(a, x, days, count):\n    {line}\n", Language.KO)) == 1


def test_every_module_that_says_something_is_looked_at() -> None:
    """Who builds a verdict, a caveat or the like of literals is in one of the lists."""
    found = set()
    for path in sorted(ROOT.rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
        told = [call for call in calls if _name(call.func) in SAYS]
        if any(list(_pieces(_strings(call))) for call in told):
            found.add(path.relative_to(ROOT).as_posix())
    assert found - {*WHOLE, *PARTS} - TO_A_TERMINAL == set()


# ---------------------------------------------------------------- as it is said

NAMES = frozenset(
    (
        *("ttft", "ttfo", "tpot", "e2e", "lag", "TTFT", "TPOT", "ITL", "E2E", "goodput", "max", "mean", "tok", "ms"),
        *("CPU", "GPU", "SLO", "HTTP", "TLS", "MHz", "UTC", "Ray", "Docker", "systemd", "Hn", "nofile", "LimitNOFILE"),
        *("load", "ray", "local", "fast", "false", "url", "model", "api", "framework", "loadtest", "llm", "usage"),
        *(
            "httpx",
            "vllm",
            "llmload",
            "KV",
            "NVIDIA",
            "DCGM",
            "DAU",
            "MIG",
            "exporter",
            "nvidia",
            "smi",
            "dcgm",
            "SM",
            "MiB",
        ),
    )
)
"""Metrics, units, protocols, programs and YAML keys: the same in every language."""

GIVEN = frozenset(("main", "gpu", "qwen", "Quux", "driver", "NVIDIA", "id", "node", "Errno"))
"""What runs, branches and machines are called in these situations."""

_FOREIGN = re.compile(
    rf"`[^`]*`|{SHAPES['url']}|{SHAPES['gate']}|{SHAPES['figure']}|[\w-]+(?:[./_][\w-]+)+|\b\d[\w.]*|--\w+", re.ASCII
)
_OF_OTHERS = (recorded_runs.HOSTILE, recorded_runs.LONG_ERROR, "hostile")
NEVER = float("inf")


def english_left(told: str) -> list[str]:
    """Words that should have been told in another language."""
    for text in _OF_OTHERS:
        told = told.replace(text, "")
    return [word for word in re.findall(r"[A-Za-z]{2,}", _FOREIGN.sub("", told)) if word not in NAMES | GIVEN]


def _said_by(run: RunResult) -> Iterator[str]:
    yield run.because
    yield from run.notices
    yield from (finding.cause for finding in run.findings)
    yield from _of_caveats(run.caveats)
    if run.recommendation is not None:
        yield run.recommendation.headline
        yield "" if run.recommendation.advice is None else run.recommendation.advice.reasoning
        yield from (hint.text for hint in run.recommendation.hints)
        yield from (hint.text for hint in run.recommendation.hints)
    if isinstance(run.reference, NoBaseline):
        yield from (run.reference.because, run.reference.remedy)
    for step in run.steps:
        yield from _of_caveats(step.caveats)
        yield from _of_verdicts(step.verdicts)
        yield "" if step.workers is None else step.workers.because


def _of_caveats(caveats: Sequence[Caveat]) -> Iterator[str]:
    for caveat in caveats:
        yield from (caveat.rule, caveat.figure, caveat.remedy)


def _of_verdicts(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for verdict in verdicts:
        yield from (verdict.because, verdict.remedy)


def _recorded() -> Iterator[str]:
    for module in (recorded_runs, recorded_comparisons):
        for run in vars(module).values():
            if isinstance(run, RunResult):
                yield from _said_by(run)


def _of_gates() -> Iterator[str]:
    for case in test_gates.CASES:
        gate, what, _ = case.values
        records = paced(what) if isinstance(what[0], float | int) else what
        yield from _of_verdicts([test_gates.judged(gate, records)])
    estimated = [replace(record, token_source=TokenSource.ESTIMATE) for record in paced([50.0] * 200)]
    for gate, records in (
        (GOODPUT_95, []),
        (GOODPUT_95, paced([NEVER] * 80)),
        (GOODPUT_95, good_and_bad(20, 0)),
        (GOODPUT_95, good_and_bad(4, 0)),
        (test_gates.at_most("tpot", "p95", 20), estimated),
        (test_gates.at_most("tpot", "p95", 20), [replace(r, output_tokens=None) for r in paced([50.0] * 200)]),
        (test_gates.at_most("ttft", "mean", 99), paced([50.0] * 5)),
    ):
        yield from _of_verdicts([test_gates.judged(gate, records)])


def _of_baselines() -> Iterator[str]:
    lower, eight = test_relative.LOWER, test_relative.EIGHT
    wild = [20.0, 26.0, 15.0, 31.0, 12.0, 22.0, 18.0, 29.0]
    ours: list[float | None] = [20.0, 21.0, 22.0, 15.0, NEVER, None]
    theirs = [eight, eight[:1], eight[:5], wild, (*eight, 40.0), [NEVER] * 8, [0.0] * 8, [None] * 8, [*eight, None], ()]
    others = [Incomparable("the stored run 1", recorded_comparisons.UNLIKE.reference.differing[1:])]
    for gate in (lower, test_relative.FLOORED):
        for mine in ours:
            yield from _of_verdicts([test_relative.judged(gate, mine, each) for each in (*theirs, *others)])
    yield test_relative.judged(lower, 22.0, test_relative.history(lower, [20.0], 0.03), log_error=0.04).because
    for mine, its in (
        ([21.0] * 5, [20.0] * 5),
        ([22.0, 22.1, 21.9, 22.0], [20.0] * 4),
        ([22.0, 22.1], [20.0, 20.1]),
        ([20.4, 21.5, 20.9, 21.2], [20.0] * 4),
        ([22.0, None, 22.1, 22.2], [20.0] * 4),
        ([NEVER, 20.0, 21.0, 22.0], [20.0] * 4),
        ([None, 20.0], [20.0, None]),
        ([20.0] * 7 + [40.0], [20.0 + i / 100 for i in range(8)]),
    ):
        yield from _of_verdicts([test_relative.paired(lower, mine, its)])


def _of_validity() -> Iterator[str]:
    for case in (*test_validity.FATAL, *test_validity.SHOWN):
        yield from _of_caveats(test_validity.caveats(case.values[0]))
    for fit in (TokenFit(10, 1.3, 0.2, TokenSource.USAGE), TokenFit(10, 1.3, 0.0, TokenSource.ESTIMATE)):
        yield from _of_caveats(test_validity.caveats(window(paced([50.0] * 200)), facts=replace(FACTS, fit=fit)))
    healthy, worker = test_client.HEALTHY, test_client.worker
    late = [*map(test_client.dropped, healthy[:30]), *healthy[30:]]
    for seen, cpus in (
        (test_client.with_one_late(11, of=50), 64),
        (test_client.at_a_rate(healthy, planned=300), None),
        (test_client.at_a_rate(late, planned=200), 8),
        (test_client.at_a_rate(late, planned=200, workers=[worker(cpu=0.99)]), 8),
        (window(healthy, workers=[worker(0, cpu=0.97), worker(1, cpu=0.97)]), 2),
        (window(healthy, workers=[worker(0, cpu=0.85, node="node-1", clock_ms=3.0)]), None),
        (window(healthy, workers=[worker(0, node="node-1", clock_ms=30.0)]), None),
    ):
        yield from _of_caveats(test_client.caveats(seen, cpus=cpus))


def _of_runs() -> Iterator[str]:
    warned = replace(GOODPUT_95, level=Level.WARN)
    elsewhere = replace(GOODPUT_95, at=At("concurrency", "==", 64.0))
    relative = Gate("ttft", Change(0.05), "p95")
    remedy = "Start the server, or correct the host and port in target.url"
    down = TargetError("http://127.0.0.1:9", "cannot connect ([Errno 111])", remedy)
    for gates, good, bad in (
        ((GOODPUT_95,), 200, 0),
        ((GOODPUT_95, replace(GOODPUT_95, promise=Bound(">=", 0.9))), 100, 100),
        ((warned,), 100, 100),
        ((GOODPUT_95, relative), 200, 0),
        ((elsewhere,), 200, 0),
        ((), 200, 0),
    ):
        seen, asked = window(good_and_bad(good, bad)), scenario(*gates)
        for windows, trouble in (([seen], None), ([seen], down), ([], down), ([], None)):
            yield from _said_by(judge(HEADER, asked, FACTS, windows, finished=None, trouble=trouble))
        early = replace(seen, ending=Ending.MAX_DURATION)
        yield from _said_by(judge(HEADER, scenario(*gates, concurrency=(8, 16)), FACTS, [early], finished=None))
    yield from _said_by(judge(HEADER, scenario(GOODPUT_95), FACTS, [window(paced([NEVER] * 40))], finished=None))


def _of_hints() -> Iterator[str]:
    """Beside a number of GPUs: of the demand, the model, what bounds the server, its settings, and cheaper ways."""
    runs = [run for run, _ in test_hints.TRIED.values()]
    runs += [test_hints.ran(test_hints.step(), model=model) for model in ("x-70b", "x-8x22b")]
    for run in runs:
        for expected in (500.0, 1200.0, 4.2):
            demand = replace(test_hints.DEMAND, daily_active_users=10_000, expected_peak=expected)
            yield from (hint.text for hint in hints_of(run, test_hints.SHARED, demand))
    for case in test_hints.BOTTLENECKS:
        told, busy = case.values[:2]
        seen = test_hints.step(told=None if told is None else test_hints.server(**told), busy=busy)
        found = bottleneck_of(seen)
        yield "" if found is None else found.text
    for settings in ({"max_num_seqs": "512"}, {"max_num_seqs": "256"}):
        for found in (test_alternatives.FOUND, replace(test_alternatives.FOUND, advice=None)):
            other = test_alternatives.other("a", gpu="NVIDIA H100", carries=400.0, settings=settings)
            foreign = replace(other, gpu_model="NVIDIA L40S", settings={})
            for each in (other, foreign):
                told = beside_others(found, test_alternatives.OWN, [each], test_alternatives.asked({"L40S": 0.1}))
                yield from (hint.text for hint in told.hints if hint.kind == "cost")


SITUATIONS: dict[str, Callable[[], Iterator[str]]] = {
    "the recorded runs": _recorded,
    "absolute gates": _of_gates,
    "relative gates": _of_baselines,
    "rules of validity": _of_validity,
    "whole runs": _of_runs,
    "GPUs": gpu_notes.said,
    "hints": _of_hints,
}


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_everything_that_is_said_is_told_without_a_word_of_english(situation: str, language: Language) -> None:
    texts = texts_in(language)
    said = sorted({text for text in SITUATIONS[situation]() if text and text not in _OF_OTHERS})
    told = {text: in_language(text, texts) for text in said}
    assert len(said) > 5
    assert {text: english_left(each) for text, each in told.items() if each == text or english_left(each)} == {}
