"""A mixture of classes, applied, stored and judged again as a user does it."""

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


def _class(name: str, share: str, tokens: int, **more: object) -> dict[str, object]:
    synthetic = {"input_tokens": 4 * tokens, "output_tokens": tokens}
    return {"class": name, "share": share, "prompts": {"synthetic": synthetic}, **more}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Of ten requests seven ask for 4 tokens and three for 20; the long ones cannot keep their gate."""
    folder = tmp_path_factory.mktemp("mixed")
    mixture = [_class("chat", "70%", 4), _class("long", "30%", 20, slo={"e2e": "1ms"})]
    scenario = write_scenario(
        folder,
        workload={"mixture": mixture, "sampling": {"temperature": 0, "ignore_eos": True}},
        load={"concurrency": [4], "requests": 300, "warmup": {"requests": 10}, "workers": 2},
        slo={"e2e": "10s"},
        gates=[
            "goodput >= 50%",
            "goodput of chat >= 90%",
            {"metric": "goodput", "min": "90%", "class": "long", "level": "warn"},
        ],
        decision={"max_requests": 300},
        reports={"formats": ["json", "junit"]},
    )
    return folder, measured("apply", str(scenario), "--store", "runs.db", cwd=folder)


def test_each_class_has_its_share_of_the_requests_and_is_judged_by_itself(
    applied: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = applied
    assert done.returncode == 0, done.stdout + done.stderr
    with open_existing(folder / "runs.db") as store:
        stored = store.load(store.find("latest"))
    records = [each for window in stored.observations for each in window.records if each.phase is Phase.MEASURED]
    found = Counter((each.part.traffic_class, each.asked_output_tokens, each.output_tokens) for each in records)
    assert found == {("chat", 4, 4): 210, ("long", 20, 20): 90}
    (document,) = (json.loads(path.read_text()) for path in (folder / "reports").rglob("result.json"))
    (step,) = document["steps"]
    told = {each["gate"]["text"]: (each["status"], each["evidence"]["n"]) for each in step["verdicts"]}
    assert told == {
        "goodput >= 50%": ("pass", 300),
        "goodput of chat >= 90%": ("pass", 210),
        "goodput of long >= 90%": ("fail", 90),
    }
    assert (step["metrics"]["good"], document["slo"]) == (210, None)
    assert [(part["name"], part["metrics"]["goodput"]) for part in step["parts"]] == [("chat", 1.0), ("long", 0.0)]
    (cases,) = (path.read_text() for path in (folder / "reports").rglob("junit.xml"))
    assert "goodput of long &gt;= 90%" in cases


def test_a_stored_mixture_is_judged_again_by_its_classes(
    applied: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = applied
    again = json.loads(here("gate", "latest", "--store", "runs.db", "--json", cwd=folder).stdout)
    assert "goodput of long >= 90%" in json.dumps(again)
    before = json.loads(next((folder / "reports").rglob("result.json")).read_text())
    assert again["steps"][0]["verdicts"] == before["steps"][0]["verdicts"]
