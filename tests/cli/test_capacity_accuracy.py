"""A whole search against a server whose capacity follows from its figures: is it found, within a fifth?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import measured_apart, write_scenario

pytestmark = pytest.mark.measuring

SEATS, STEP_MS, TOKENS = 8, 20, 12
"""At most 8 in the batch, and 240 ms in a seat: by Little's law whoever finds n requests before it in the queue waits
n x 30 ms. Two beyond the seats wait 60 ms, then up to 40 ms for their first token; who need not wait has it within 40.
"""


def test_the_load_that_the_seats_of_a_server_carry_is_found(tmp_path: Path) -> None:
    path = write_scenario(
        tmp_path,
        target__simulator=f"{{decode_base: {STEP_MS}ms, decode_per_seq: 0us, max_num_seqs: {SEATS}}}",
        workload__prompts=f"{{synthetic: {{input_tokens: 32, output_tokens: {TOKENS}}}}}",
        load="{concurrency: [7, 13], requests: 64, warmup: {requests: 16}}",
        slo="{ttft: 65ms}",
        gates=None,
        recommend="{peak_concurrency: 40, goodput_target: 90%, headroom: 0%}",
        decision="{max_requests: 128}",
    )
    done = measured_apart("apply", path.name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "reports/chat/result.json").read_bytes())["recommendation"]
    assert told["current_infra"]["max_concurrency_at_slo"] == pytest.approx(SEATS, rel=0.2)
    assert told["recommendation"]["recommended_count"] == pytest.approx(40 / SEATS, abs=1)
