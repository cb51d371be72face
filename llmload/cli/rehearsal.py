"""`apply --dry-run`: everything up to the server, or up to the load, and nothing after it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

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
        f"  tokens   {facts.fit.template:.0f} + {facts.fit.per_word:.3f} a word, by {facts.fit.source}"
        f" (off by {facts.fit.residual:.1%} at most)",
    ]
    if facts.left_out:
        lines.append(f"  left out {', '.join(facts.left_out)}: the server refuses them")
    return lines
