"""`apply --dry-run`: everything up to the server, or up to the load, and nothing after it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from llmload.analysis.conclusions import worst_code
from llmload.analysis.declared import disagreements, written
from llmload.analysis.row_use import check_rows
from llmload.analysis.sample_size import check_reachable
from llmload.cli.display import display
from llmload.cli.execution import SERVER_LOG, directory_of
from llmload.cli.outcome_record import Keep, entry_of_error, forget
from llmload.cli.references import check_reference
from llmload.domain import TargetFacts
from llmload.errors import LlmloadError
from llmload.outcome import Entry
from llmload.plain_text import plain
from llmload.samples import Watched
from llmload.scenario.asked import Scenario
from llmload.scenario.secrets import Scrubber, secrets_of
from llmload.target.place import open_target
from llmload.target.probe import probe
from llmload.telemetry.gpu import watched_gpus
from llmload.telemetry.sources import watch_server
from llmload.workload.planning import longest_request
from llmload.workload.tokens import check_tokenizer


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How far it goes, and what holds for every scenario of one command."""

    stop_before: Literal["server", "load"]
    out: Path | None
    env: Mapping[str, str]
    is_shown: bool
    store: Path
    baseline: str | None = None  # as --baseline names it


def rehearse(loaders: Sequence[Callable[[], Scenario]], rehearsal: Rehearsal, keep: Keep = forget) -> int:
    """Check every scenario, and with `stop_before="load"` its server too; return the exit code of the whole."""
    codes = []
    for load in loaders:
        entry = _rehearse_one(load, rehearsal)
        keep(entry)
        codes.append(entry.exit_code)
    return worst_code(codes)


def _rehearse_one(load: Callable[[], Scenario], rehearsal: Rehearsal) -> Entry:
    scrub: Callable[[str], str] = str
    try:
        scenario = load()
        scrub = Scrubber(secrets_of(scenario, rehearsal.env)).scrub
        check_reachable(scenario)
        check_rows(scenario)
        check_tokenizer(scenario.workload.tokenizer_file)
        check_reference(scenario, rehearsal.baseline, rehearsal.store)
        print(f"{scenario.title}: valid, and every gate can reach a verdict")
        if rehearsal.stop_before == "load":
            facts, watched = _probe(scenario, rehearsal, scrub)
            print("\n".join(f"  {scrub(line)}" for line in [*_describe(facts), *_sources(watched)]))
    except LlmloadError as error:
        print(scrub(f"llmload: {error}"), file=sys.stderr)
        return entry_of_error(error, scrub)
    return Entry("", 0)


def _probe(scenario: Scenario, rehearsal: Rehearsal, scrub: Callable[[str], str]) -> tuple[TargetFacts, Watched]:
    """Who the server is, and what is read beside a load, of which there is none yet."""
    target, telemetry, env = scenario.target, scenario.telemetry, rehearsal.env
    log = directory_of(scenario, rehearsal.out) / SERVER_LOG
    with open_target(target, env=env, log=log, scrub=scrub) as server:
        with display(rehearsal.is_shown) as show:
            longest = longest_request(scenario)
            probed = server.when_ready(
                lambda: probe(target, server.url, workload=scenario.workload, env=env, longest=longest), show
            )
        with watched_gpus(telemetry.gpu, target) as gpus, watch_server(telemetry, probed.endpoint, gpus) as watch:
            watch.begin()
            return probed.facts, watch.end()


def _describe(facts: TargetFacts) -> list[str]:
    lines = [
        f"server   {facts.url} ({facts.framework} {facts.version or 'of unknown version'}, {facts.api})",
        f"model    {facts.model}" + (f", at most {facts.max_model_len} tokens" if facts.max_model_len else ""),
    ]
    if facts.fit is not None:
        words = f"{facts.fit.template:.0f} + {facts.fit.per_word:.3f} a word, by {facts.fit.source}"
        lines.append(f"tokens   {words} (off by {facts.fit.residual:.1%} at most)")
    if facts.left_out:
        lines.append(f"left out {', '.join(facts.left_out)}: the server does not take them")
    lines += [f"{word:<8} {', '.join(told)}" for word, told in _verified(facts).items() if told]
    for found in disagreements(facts):
        lines.append(f"differs  {found.subject}: declared {found.expected}, and the server says {found.actual}")
    return lines


def _sources(watched: Watched) -> list[str]:
    """What a run would be told beside its requests, and what it would miss."""
    gpus = Counter(gpu.name for gpu in watched.gpus)
    counts = [] if watched.server is None else [*watched.server.counts, *watched.server.distributions]
    told = {
        "GPUs": ", ".join(f"{count} × {plain(name)}" for name, count in gpus.items()),
        "metrics": ", ".join(sorted(counts)),
    }
    return [f"{word:<8} {text}" for word, text in told.items() if text] + [
        f"note     {plain(text)}" for text in watched.notes
    ]


def _verified(facts: TargetFacts) -> dict[str, list[str]]:
    """The settings by how they are known: from the server, from the author, or from nobody."""
    told = [f"{name} {written(value)}" for name, value in sorted(facts.actual.items())]
    untold = {name: value for name, value in sorted(facts.settings.items()) if name not in facts.actual}
    declared = [f"{name} {written(value)}" for name, value in untold.items() if name in facts.declared]
    assumed = [f"{name} {written(value)}" for name, value in untold.items() if name not in facts.declared]
    return {
        "verified": told,
        "declared": [f"{each} (not told by the server)" for each in declared],
        "assumed": [f"{each} (not told by the server)" for each in assumed],
    }
