"""The commented scenario that `llmload init` writes: valid as it is, for each framework."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from llmload.frameworks.registry import adapter_for, known_names
from llmload.scenario.nearest import nearest
from llmload.scenario.resolve import default_api

_PORTS = {"openai": 8080, "vllm": 8000, "sglang": 30000, "ollama": 11434, "triton": 8000, "lmdeploy": 23333}
_TEMPLATE = """\
# Check: llmload validate FILE   Rehearse: llmload plan FILE   Run: llmload apply FILE
apiVersion: llmload/v1
kind: Scenario
metadata:
  name: {framework}-chat               # small letters, digits, hyphens; the key of history and baselines
  description: Chat traffic on {framework}
spec:
  target:
    url: http://localhost:{port}      # without /v1; or `simulator: {{}}` to try llmload without a server
    # model: my-model                 # needed where the server offers several
    framework: {framework}
{settings}    api: {api}
    # api_key: {{env: LLM_API_KEY}}     # by reference only: {{env: NAME}} or {{file: path}}
    timeout: {{connect: 5s, first_token: 60s, total: 10m}}
  workload:
    prompts:
      synthetic:
        input_tokens: 256             # or {{mean: 256, stdev: 64}}, or {{uniform: [64, 512]}}
        output_tokens: 128
        unique: true                  # every prompt begins differently, so that no cache flatters the figures
    sampling: {{temperature: 0}}
    stream: true
    seed: 42
  load:
    concurrency: [1, 10, 50]          # requests in flight, one step each
    requests: 200                     # measured per step, after the warm-up
    max_duration: 5m                  # per step
  slo: {{ttft: 500ms, tpot: 50ms}}      # a request that keeps all of these is good
  gates:                              # what must hold, or the build fails
    - goodput >= 95% at concurrency <= 10
    - p95(ttft) <= 800ms at concurrency 50
    # - p50(tpot) within 5% of baseline, floor 1ms   # no worse than earlier runs; needs some: llmload baseline --help
  decision:
    confidence: 95%
    max_requests: 1600                # an undecided step is measured longer, up to this
    on_inconclusive: warn             # or fail
  # recommend:                        # how many GPUs a peak needs; loads beyond these are measured until it is known
  #   peak_concurrency: 500           # requests in flight at the busiest time
  #   gpu: {{usd_per_hour: 2.49}}       # of one GPU, for what it costs
"""


def starter(framework: str) -> str:
    """The starter for a framework; ValueError says which there are."""
    if framework not in known_names():
        raise ValueError(nearest(framework, known_names()))
    return _TEMPLATE.format(
        framework=framework,
        port=_PORTS.get(framework, 8000),
        settings="".join(_settings(framework)),
        api=default_api(framework),
    )


def _settings(framework: str) -> Iterator[str]:
    """Commented out: what stands here is taken as declared by the author, and we cannot know it."""
    members = fields(adapter_for(framework).settings)
    if members:
        yield "    # framework_config:              # how the server was started; what is left out is assumed\n"
    for member in members:
        default = str(member.default).lower() if isinstance(member.default, bool) else member.default
        shown = "..." if default is None else default
        yield f"    #   {member.name}: {shown}\n"
