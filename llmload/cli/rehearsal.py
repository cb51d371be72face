"""`apply --dry-run`: everything up to the server, or up to the load, and nothing after it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from llmload.analysis.declared import disagreements, written
from llmload.analysis.sample_size import check_reachable
from llmload.cli.batch import PRECEDENCE
from llmload.domain import TargetFacts
from llmload.errors import LlmloadError
from llmload.scenario.asked import Scenario
from llmload.scenario.secrets import Scrubber, secrets_of
from llmload.target.place import open_target
from llmload.target.probe import probe
from llmload.workload.planning import longest_request


def rehearse(
    loaders: Sequence[Callable[[], Scenario]], env: Mapping[str, str], *, stop_before: Literal["server", "load"]
) -> int:
    """Check every scenario, and with `stop_before="load"` its server too; return the exit code of the whole."""
    codes = [_rehearse_one(load, env, stop_before) for load in loaders]
    return next(code for code in PRECEDENCE if code in codes)


def _rehearse_one(load: Callable[[], Scenario], env: Mapping[str, str], stop_before: str) -> int:
    scrub: Callable[[str], str] = str
    try:
        scenario = load()
        scrub = Scrubber(secrets_of(scenario, env)).scrub
        check_reachable(scenario)
        print(f"{scenario.name}: valid, and every gate can reach a verdict")
        if stop_before == "load":
            with open_target(scenario.target, env=env) as url:
                facts = probe(scenario.target, url, workload=longest_request(scenario), env=env).facts
            print("\n".join(scrub(line) for line in _describe(facts)))
    except LlmloadError as error:
        print(scrub(f"llmload: {error}"), file=sys.stderr)
        return error.exit_code
    return 0


def _describe(facts: TargetFacts) -> list[str]:
    lines = [
        f"  server   {facts.url} ({facts.framework} {facts.version or 'of unknown version'}, {facts.api})",
        f"  model    {facts.model}" + (f", at most {facts.max_model_len} tokens" if facts.max_model_len else ""),
    ]
    if facts.fit is not None:
        words = f"{facts.fit.template:.0f} + {facts.fit.per_word:.3f} a word, by {facts.fit.source}"
        lines.append(f"  tokens   {words} (off by {facts.fit.residual:.1%} at most)")
    if facts.left_out:
        lines.append(f"  left out {', '.join(facts.left_out)}: the server does not take them")
    lines += [f"  {word:<8} {', '.join(told)}" for word, told in _verified(facts).items() if told]
    for found in disagreements(facts):
        lines.append(
            f"  differs  {found.subject}: {found.expected} is declared, {found.actual} is what the server says"
        )
    return lines


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
