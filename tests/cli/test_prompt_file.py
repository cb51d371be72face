"""Prompts from a file, applied, stored and judged again as a user does it."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from llmload.domain import Phase
from llmload.store.database import open_existing
from tests.command import here, measured, write_scenario

pytestmark = pytest.mark.measuring

ROWS = 200


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Conversations of which row i asks for an answer of 5 + i % 10 tokens, and one row that is none."""
    folder = tmp_path_factory.mktemp("applied")
    with (folder / "chats.jsonl").open("w") as file:
        for row in range(ROWS):
            messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"What of {row}?"}]
            file.write(json.dumps({"messages": messages, "max_tokens": 5 + row % 10}) + "\n")
        file.write("{\n")
    scenario = write_scenario(
        folder,
        workload__prompts={"file": {"path": "chats.jsonl", "format": "openai", "on_bad_row": "skip"}},
        workload__sampling={"temperature": 0, "ignore_eos": True},
        load={"concurrency": [4], "requests": 100, "warmup": {"requests": 8}, "workers": 2},
        decision={"max_requests": 100},
        reports={"formats": ["json", "markdown"]},
    )
    return folder, measured("apply", str(scenario), "--store", "runs.db", cwd=folder)


def test_every_row_is_asked_once_and_answered_as_long_as_it_asks(
    applied: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = applied
    assert done.returncode == 0, done.stdout + done.stderr
    with open_existing(folder / "runs.db") as store:
        stored = store.load(store.find("latest"))
    records = [record for window in stored.observations for record in window.records]
    asked = [record for record in records if record.phase is not Phase.FILLER]
    assert len(asked) == 108
    assert {record.asked_input_tokens for record in records} == {None}
    assert all(record.output_tokens == record.asked_output_tokens for record in asked)
    assert max(Counter(record.asked_output_tokens for record in asked).values()) <= ROWS / 10


def test_what_was_left_out_is_told_in_the_terminal_and_in_reports(
    applied: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = applied
    told = "1 bad row is left out (on_bad_row: skip), the first at"
    assert told in " ".join(done.stdout.split())
    (report,) = (folder / "reports").rglob("report.md")
    assert told in report.read_text()


def test_a_run_is_judged_again_when_its_file_is_gone(
    applied: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = applied
    chats = folder / "chats.jsonl"
    text = chats.read_text()
    chats.unlink()
    try:
        again = here("gate", "latest", "--store", "runs.db", cwd=folder)
    finally:
        chats.write_text(text)
    assert again.returncode == 0, again.stdout + again.stderr
