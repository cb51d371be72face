"""Shared prefixes on the simulator, applied and judged again: hits land where they are declared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmload.analysis.prefix_hits import hits_of
from llmload.domain import Phase
from llmload.store.database import open_existing
from tests.command import here, measured, write_scenario

pytestmark = pytest.mark.measuring

PREFIX = {"tokens": 320, "groups": 8, "zipf": 1.0, "hits": "60%"}


def test_hits_land_within_5_points_of_what_is_declared_and_prompts_within_2_percent_of_their_length(
    tmp_path: Path,
) -> None:
    scenario = write_scenario(
        tmp_path,
        target={"simulator": {"profile": "laptop", "decode_base": "1ms"}},
        workload__prompts={"synthetic": {"input_tokens": 512, "output_tokens": 4, "shared_prefix": PREFIX}},
        workload__sampling={"temperature": 0, "ignore_eos": True},
        load={"concurrency": [4], "requests": 100, "warmup": {"requests": 16}},
        decision={"max_requests": 100},
        reports={"formats": ["json"]},
    )
    done = measured("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    again = here("gate", "latest", "--store", "runs.db", cwd=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "hits of shared prefixes" not in done.stdout + again.stdout
    with open_existing(tmp_path / "runs.db") as store:
        stored = store.load(store.find("latest"))
    hits = hits_of(stored.observations)
    assert hits is not None
    assert hits.share == pytest.approx(0.60, abs=0.05)
    for record in (record for window in stored.observations for record in window.records):
        if record.phase is Phase.MEASURED:
            assert record.input_tokens == pytest.approx(512, rel=0.02)
            assert (record.cached_tokens or 0) <= 320 + 16  # the template and a block


def test_plan_tells_which_hits_to_expect(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path, workload__prompts={"synthetic": {"input_tokens": 512, "shared_prefix": PREFIX}})
    (told,) = json.loads(here("plan", str(scenario), "--json", cwd=tmp_path).stdout)["shared_prefixes"]
    assert told["warm_hits"] == pytest.approx(320 / 512)
    assert 0.55 < told["first_hits"] < told["warm_hits"]
    assert told["declared"] == 0.6
    text = here("plan", str(scenario), cwd=tmp_path).stdout
    assert "prompts begin with 8 prefixes of 320 tokens, the most popular one in 37% of the requests" in text
