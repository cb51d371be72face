"""The verbs validate, init, convert and schema, as somebody types them."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests import command

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
QUICKSTART = str(ROOT / "scenarios" / "quickstart.yaml")
SLO = str(HERE / "bad" / "slo-without-unit.yaml")


def typed(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return command.here(*arguments, cwd=cwd)


def test_validate_says_that_all_is_well_in_a_moment():
    begun = time.monotonic()
    done = command.llmload("validate", QUICKSTART, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{QUICKSTART}: valid\n", "")
    assert time.monotonic() - begun < 10  # 0.4 s on an idle core; `make bench` holds it to the figure


def test_validate_tells_every_problem_of_every_file():
    done = typed("validate", QUICKSTART, SLO)
    assert done.returncode == 2
    assert f"{QUICKSTART}: valid" in done.stdout
    assert f"{SLO}:7:15: spec.slo.ttft: a time needs a unit" in done.stdout


def test_validate_writes_json():
    done = typed("validate", "--format", "json", SLO, QUICKSTART)
    bad, good = json.loads(done.stdout)
    assert done.returncode == 2
    assert (bad["valid"], good["valid"]) == (False, True)
    assert {key: bad["problems"][0][key] for key in ("line", "column", "path", "hint")} == {
        "line": 7,
        "column": 15,
        "path": "spec.slo.ttft",
        "hint": "Did you mean 500ms?",
    }


def test_validate_writes_github_annotations():
    done = typed("validate", "--format", "github", SLO)
    assert done.stdout == (
        f"::error file={SLO},line=7,col=15,title=spec.slo.ttft::"
        "a time needs a unit, and 500 has none. Did you mean 500ms?\n"
    )


def test_validate_knows_variables_and_sets(tmp_path):
    (tmp_path / "env").write_text("HOST_URL=http://host:1\n")
    (tmp_path / "s.yaml").write_text(
        "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec: {target: {url: '${HOST_URL}'}}\n"
    )
    assert typed("validate", "s.yaml", cwd=tmp_path).returncode == 2
    assert typed("validate", "s.yaml", "--env-file", "env", "--schema", cwd=tmp_path).returncode == 0
    assert typed("validate", "s.yaml", "--set", "spec.target.url=http://other", cwd=tmp_path).returncode == 0


def test_validate_of_no_such_file_is_two():
    done = typed("validate", "none.yaml")
    assert done.returncode == 2
    assert "none.yaml:1:1: document: cannot be read: no such file or directory" in done.stdout


def test_init_writes_a_starter_and_never_overwrites(tmp_path):
    first = typed("init", "--framework", "vllm", "chat.yaml", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    written = (tmp_path / "chat.yaml").read_text()
    assert "framework: vllm" in written
    second = typed("init", "chat.yaml", cwd=tmp_path)
    assert second.returncode == 2
    assert "exists already" in second.stderr
    assert (tmp_path / "chat.yaml").read_text() == written
    assert typed("validate", "chat.yaml", cwd=tmp_path).returncode == 0


def test_init_for_an_unknown_framework_lists_the_known(tmp_path):
    done = typed("init", "--framework", "vlm", cwd=tmp_path)
    assert done.returncode == 2
    assert "Did you mean vllm?" in done.stderr
    assert not list(tmp_path.iterdir())


def test_convert_prints_today_s_document_and_warns_aside(tmp_path):
    old = str(HERE / "v1alpha1" / "both-configs.yaml")
    done = typed("convert", old)
    assert done.returncode == 0
    assert done.stdout.startswith("apiVersion: llmload/v1\n")
    assert "line 6: vllm_config is ignored" in done.stderr
    target = tmp_path / "new.yaml"
    assert typed("convert", old, "--output", str(target)).returncode == 0
    assert target.read_text() == done.stdout
    assert typed("convert", old, "--output", str(target)).returncode == 2


def test_schema_prints_and_writes_the_committed_file(tmp_path):
    committed = (ROOT / "schemas" / "scenario-v1.schema.json").read_text()
    assert typed("schema").stdout == committed
    assert typed("schema", "--write", str(tmp_path)).returncode == 0
    assert (tmp_path / "scenario-v1.schema.json").read_text() == committed


@pytest.mark.parametrize("verb", ["validate", "init", "convert", "schema"])
def test_every_verb_shows_an_example(verb):
    assert f"llmload {verb}" in typed(verb, "--help").stdout
