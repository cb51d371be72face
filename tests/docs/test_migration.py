"""docs/migration.md says what the command line does: each of its rows works."""

from __future__ import annotations

import json
import re
import shlex
import socket
from pathlib import Path

import pytest
import yaml

from tests.command import here, measured_apart, write_scenario
from tests.docs.command_help import lacks
from tests.docs.migration_tables import Row, command, examples, rows

ROWS = rows()

OLD_NAMES = {
    "Commands": [
        *("llm-bench online", "llm-bench compare", "llm-bench export", "llm-bench serve", "llm-bench gpu"),
        *("llm-bench info", "llm-loadtest run", "llm-loadtest recommend", "llm-loadtest gpu", "llm-loadtest info"),
    ],
    "Options": [
        *("run --server", "run --model", "run --concurrency", "run --num-prompts", "run --duration"),
        *("run --input-len", "run --output-len", "run --stream/--no-stream", "run --warmup", "run --timeout"),
        *("run --api-key", "run --adapter", "run --goodput", "run --output", "online --num-requests"),
        *("recommend --peak-concurrency", "recommend --ttft-target", "recommend --tpot-target"),
        *("recommend --goodput-target", "recommend --headroom", "recommend --concurrency-steps"),
        *("recommend --num-requests", "recommend --output", "LLM_API_KEY", "DATABASE_PATH", "API_KEY"),
    ],
    "REST endpoints": [
        *("POST /run", "POST /run/{run_id}/stop", "GET /run/{run_id}", "GET /result/{run_id}"),
        *("GET /result/{run_id}/export", "GET /result/{run_id}/analysis", "GET /history", "POST /compare"),
        *("DELETE /run/{run_id}", "WS /ws/run/{run_id}", "POST /recommend", "GET /recommend/{run_id}"),
        *("GET /recommend/{run_id}/result", "DELETE /recommend/{run_id}"),
    ],
    "Pages": [
        *("/", "/history", "/benchmark/new", "/benchmark/{run_id}", "/benchmark/{run_id}?shared=true"),
        *("/benchmark/{run_id}/analysis", "/compare", "/recommend"),
    ],
    "Document fields": [
        *("server_url", "model", "adapter", "framework", "framework_config", "vllm_config", "concurrency"),
        *("num_prompts", "input_len", "output_len", "stream", "warmup", "timeout", "goodput_thresholds"),
        *("api_key", "validation_config"),
    ],
    "Result fields": [
        *("run_id", "server_url", "model", "adapter", "framework", "started_at", "completed_at", "results[]"),
        *("results[].concurrency", "results[].ttft.p50", "results[].tpot.p50", "results[].e2e_latency.p50"),
        *("results[].throughput_tokens_per_sec", "results[].request_rate_per_sec", "results[].total_requests"),
        *("results[].successful_requests", "results[].failed_requests", "results[].error_rate_percent"),
        *("results[].goodput.goodput_percent", "summary.best_throughput", "summary.best_ttft_p50"),
        *("summary.best_concurrency", "recommendation"),
    ],
}
"""What llm-loadtest has (its documentation, command line and API), and what is known of llm-benchmark from there."""


def _find(document: object, path: str) -> list[object]:
    """Every value at a dotted path, where `[]` stands for each member of a list. KeyError where there is none."""
    found = [document]
    for part in path.split("."):
        name, is_list = part.removesuffix("[]"), part.endswith("[]")
        found = [each[name] for each in found if isinstance(each, dict)]
        if is_list:
            found = [member for each in found if isinstance(each, list) for member in each]
    return found


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The result document of a real run."""
    directory = tmp_path_factory.mktemp("run")
    done = measured_apart("apply", str(write_scenario(directory)), "--json", cwd=directory)
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


# ---------------------------------------------------------------- the tables


def test_every_row_says_that_it_works_now() -> None:
    assert {row.state for row in ROWS} == {"now"}


@pytest.mark.parametrize("section", OLD_NAMES)
def test_no_old_name_is_left_without_a_row(section: str) -> None:
    told = {name for row in ROWS if row.section == section for name in re.findall(r"`([^`]+)`", row.old)}
    assert set(OLD_NAMES[section]) - told == set()


@pytest.mark.parametrize("row", [row for row in ROWS if any(map(command, row.code))], ids=str)
def test_a_command_said_to_work_now_exists_with_its_options(row: Row) -> None:
    lacking = [lack for code in row.code if (asked := command(code)) and (lack := lacks(asked))]
    assert lacking == []


@pytest.mark.parametrize("row", [row for row in ROWS if row.section == "Result fields"], ids=str)
def test_a_result_field_is_in_the_result_of_a_real_run(row: Row, result: dict[str, object]) -> None:
    for path in row.code:
        assert _find(result, path) != []


@pytest.mark.parametrize("row", [row for row in ROWS if row.section == "Document fields"], ids=str)
def test_a_document_field_is_in_the_converted_example(row: Row) -> None:
    _, converted = examples("An example: an old document", "yaml")
    for path in row.code:
        assert _find(yaml.safe_load(converted)["spec"], path) != []


# ---------------------------------------------------------------- the examples


def _port_where_nothing_listens() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def test_the_command_line_of_the_example_saves_the_scenario_that_the_page_shows(tmp_path: Path) -> None:
    section = "An example: a command line"
    line = examples(section, "sh")[1].replace("\\\n", " ")
    shown = examples(section, "yaml")[0]
    place = f"127.0.0.1:{_port_where_nothing_listens()}"

    program, *arguments = shlex.split(line.replace("localhost:8000", place))
    done = here(*arguments, "--no-progress", cwd=tmp_path)

    assert program == "llmload"
    assert done.returncode == 5, done.stderr
    saved = yaml.safe_load((tmp_path / "scenario.yaml").read_text(encoding="utf-8"))
    assert saved == yaml.safe_load(shown.replace("localhost:8000", place))


def test_the_saved_scenario_with_the_gate_added_is_valid(tmp_path: Path) -> None:
    saved, gates = examples("An example: a command line", "yaml")
    (tmp_path / "scenario.yaml").write_text(saved + gates, encoding="utf-8")
    done = here("validate", "scenario.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_old_document_converts_to_what_the_page_shows(tmp_path: Path) -> None:
    old, converted = examples("An example: an old document", "yaml")
    (tmp_path / "old.yaml").write_text(old, encoding="utf-8")
    done = here("convert", "old.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == converted
    assert "vllm_config is deprecated" in done.stderr
