"""`llmload store import`, and how the other verbs tell of what it brought in."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import jsonschema
import pytest

from tests.command import here
from tests.recorded_runs import HOSTILE

OLD = (Path(__file__).parents[1] / "store" / "loadtest" / "command.json").read_text(encoding="utf-8")
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "result-v1.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store that holds one imported run."""
    folder = tmp_path_factory.mktemp("imported")
    (folder / "old.json").write_text(OLD, encoding="utf-8")
    done = here("store", "import", "old.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    first, *notes = done.stdout.splitlines()
    assert first.startswith("old.json: imported as 20260105-123456-")
    assert first.endswith(" (vllm, Qwen/Qwen3-14B, 3 steps, 2026-01-05T12:34:56.789Z)")
    assert "  note: time of the run unsure: started_at names no time zone: taken as UTC" in notes
    return folder


def test_the_same_file_again_is_the_same_run(imported: Path) -> None:
    done = here("store", "import", "old.json", cwd=imported)
    assert done.returncode == 0
    assert done.stdout.endswith("already; nothing was added\n")
    assert len(json.loads(here("runs", "--json", cwd=imported).stdout)) == 1


def test_runs_marks_it_as_imported_and_vllm(imported: Path) -> None:
    (run,) = json.loads(here("runs", "--json", cwd=imported).stdout)
    told = [run[name] for name in ("scenario", "status", "verdict", "framework", "model", "step")]
    assert told == ["qwen-qwen3-14b", "imported", "not gated", "vllm", "Qwen/Qwen3-14B", "concurrency 50"]
    assert "  imported  not gated  " in here("runs", cwd=imported).stdout


def test_show_tells_its_figures_and_that_it_was_imported(imported: Path) -> None:
    done = here("show", "latest", cwd=imported)
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.split())
    assert "Qwen/Qwen3-14B on vllm at" in told
    assert "1 100 2% 97.95% 118 18.2/24.5 8.12/9.00 1,050/1,150 not gated" in told
    assert "10 100 0% n/a 843 61.0/88.0 9.75/11.0 1,300/1,420 not gated" in told
    assert "50 100 100% 0% 0 n/a n/a n/a not gated" in told
    assert "caveat imported: llm-loadtest measured it, by its own definitions" in told
    assert "imported from old.json, not measured by this llmload" in told


def test_show_as_json_keeps_the_schema_and_what_is_not_known_is_null(imported: Path) -> None:
    document = json.loads(here("show", "latest", "--json", cwd=imported).stdout)
    jsonschema.validate(document, SCHEMA)
    assert (document["verdict"], document["exit_code"], document["target"]["framework"]) == ("not gated", 0, "vllm")
    assert document["because"] == "imported from old.json, not measured by this llmload"
    second = document["steps"][1]["metrics"]
    assert [second[name] for name in ("goodput", "good", "dropped", "cancelled", "window_s", "rps")] == [None] * 6
    assert second["latency"]["ttft"]["p95_ms"] == 88.0


@pytest.mark.parametrize("scenario", [[], ["--scenario", "scenario.yaml"]], ids=["its own", "another scenario"])
def test_gate_refuses_to_judge_what_has_no_requests(imported: Path, scenario: list[str]) -> None:
    assert here("init", "--framework", "vllm", "scenario.yaml", cwd=imported).returncode in (0, 2)  # 2: is there
    done = here("gate", "latest", *scenario, cwd=imported)
    assert (done.returncode, done.stdout) == (2, "")
    assert "it has no requests, so that it cannot be judged" in done.stderr


def test_every_report_marks_it(imported: Path, tmp_path: Path) -> None:
    formats = [word for name in ("markdown", "html", "json", "junit", "csv") for word in ("--format", name)]
    done = here("report", "latest", *formats, "--out", str(tmp_path), cwd=imported)
    assert done.returncode == 0, done.stderr
    files = [Path(line) for line in done.stdout.splitlines()]
    assert {file.parent for file in files} == {tmp_path / "qwen-qwen3-14b"}
    told = [file for file in files if file.suffix != ".svg"]
    assert len(told) == 5
    for file in told:
        text = file.read_text(encoding="utf-8")
        assert "imported" in text, file.name
        assert "llm-loadtest measured it" in text, file.name


def test_a_report_without_a_folder_goes_where_reports_go(imported: Path) -> None:
    done = here("report", "latest", "--format", "csv", cwd=imported)
    assert done.stdout == "reports/qwen-qwen3-14b/steps.csv\n"


def test_export_leaves_cells_empty_that_the_file_did_not_hold(imported: Path) -> None:
    done = here("export", "latest", "--format", "csv", cwd=imported)
    first, second, third = csv.DictReader(io.StringIO(done.stdout))
    assert (first["Goodput (%)"], second["Goodput (%)"]) == ("97.959", "")
    assert (first["Window (s)"], second["Window (s)"]) == ("105.86", "")
    assert (third["TTFT p50 (ms)"], third["Success"], third["Error Rate (%)"]) == ("", "0", "100")


def test_good_files_are_imported_and_the_bad_ones_told(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(OLD, encoding="utf-8")
    (tmp_path / "bad.json").write_text(OLD.replace('"total_requests": 100', '"total_requests": "100"'), "utf-8")
    (tmp_path / "text.json").write_text("Results saved to: loadtest.json\n")
    done = here("store", "import", "bad.json", "good.json", "text.json", "none.json", "--json", cwd=tmp_path)
    assert done.returncode == 2
    (entry,) = json.loads(done.stdout)
    assert (entry["file"], entry["is_new"], entry["steps"]) == ("good.json", True, 3)
    assert "llmload: bad.json: results[0].total_requests: is text, and not a number." in done.stderr
    assert "bad.json: results[2].total_requests: is text, and not a number." in done.stderr
    assert "llmload: text.json: line 1, column 1: not JSON" in done.stderr
    assert "llmload: none.json: cannot be read: no such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_that_cannot_be_read_make_no_store(tmp_path: Path) -> None:
    assert here("store", "import", "none.json", cwd=tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_our_own_result_is_refused_by_name(imported: Path, tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text(here("show", "latest", "--json", cwd=imported).stdout)
    done = here("store", "import", "result.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "a document of llmload itself, and not a result of llm-loadtest" in done.stderr


def test_hostile_words_of_the_file_do_nothing(tmp_path: Path) -> None:
    document = json.loads(OLD)
    hostile = HOSTILE.replace("\ud800", "")
    document |= {"model": hostile, "framework": f"=1+1 \x1b[2J{hostile}"[:300], "server_url": f"http://{hostile}"[:300]}
    name = "a\x1b[2Jb.json"
    (tmp_path / name).write_text(json.dumps(document), encoding="utf-8")
    (tmp_path / "c\x1b[2Jd.json").write_text("{}")
    shown = [here("store", "import", *arguments, cwd=tmp_path) for arguments in ([name], ["c\x1b[2Jd.json"])]
    shown += [here(*verb, cwd=tmp_path) for verb in (["runs"], ["show", "latest"])]
    for done in shown:
        assert "\x1b" not in done.stdout + done.stderr
    exported = here("export", "latest", "--format", "csv", cwd=tmp_path).stdout
    row = next(csv.DictReader(io.StringIO(exported)))
    assert row["Model"].startswith("'=cmd")
