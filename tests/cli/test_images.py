"""Images from a row to the server, and their tokens from its usage to the result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmload.simulator.images import IMAGE_TOKENS
from llmload.workload.noise import noise_png
from tests.command import here, measured, write_scenario


@pytest.mark.measuring
def test_pictures_beside_the_scenario_are_sent_and_counted_by_the_server(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(noise_png(b"window", 1, 64, 64))
    parts = [{"type": "image_url", "image_url": {"url": "a.png"}}, {"type": "text", "text": "what is this"}]
    (tmp_path / "rows.jsonl").write_text(json.dumps([{"role": "user", "content": parts}]) + "\n")
    file = {"path": "rows.jsonl", "format": "openai", "reuse": True, "output_tokens": 4}
    load = {"concurrency": [2], "requests": 40, "warmup": {"requests": 4}}
    scenario = write_scenario(tmp_path, workload__prompts={"file": file}, load=load)
    done = measured("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = json.loads((tmp_path / "reports/chat/result.json").read_text())["steps"][0]["metrics"]
    assert metrics["input_tokens"] / metrics["ok"] == IMAGE_TOKENS + 3 + 5
    again = here("gate", "latest", "--store", "runs.db", cwd=tmp_path)
    assert again.returncode == 0, again.stdout
