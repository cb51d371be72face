"""`llmload dataset`: what it writes is used by the next command as it says."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.command import here
from tests.scenario.test_dataset import TEXTS, save


def test_a_dataset_becomes_the_prompts_of_a_scenario(tmp_path: Path) -> None:
    save(tmp_path / "dataset" / "data-00000-of-00001.arrow", TEXTS)
    done = here("dataset", "dataset", "--output", "prompts.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 rows of the column prompt are in prompts.jsonl" in done.stdout
    prompts = yaml.safe_load(done.stdout.partition("Use them with\n")[2])["prompts"]
    load = {"concurrency": [1], "requests": 1, "warmup": {"requests": 0}}
    spec = {"target": {"simulator": {}}, "workload": {"prompts": prompts}, "load": load}
    scenario = {"apiVersion": "llmload/v1", "kind": "Scenario", "metadata": {"name": "rows"}, "spec": spec}
    (tmp_path / "rows.yaml").write_text(yaml.safe_dump(scenario), "utf-8")
    planned = here("plan", "rows.yaml", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "3 rows" in planned.stdout
    again = here("dataset", "dataset", "--output", "prompts.jsonl", cwd=tmp_path)
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_nothing_is_left_of_a_dataset_that_cannot_be_read(tmp_path: Path) -> None:
    save(tmp_path / "rows.parquet", {"prompt": ["a", None]})
    done = here("dataset", "rows.parquet", "--output", "prompts.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "row 2 of prompt" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]
