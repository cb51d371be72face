"""`llmload preset` and `llmload plan --explain`, as somebody types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

from llmload.store.database import open_store
from tests.cli.stored_runs import put_run, run_id_of, scenario_of, whole
from tests.command import here, llmload, write_scenario

Typed = Callable[..., "CompletedProcess[str]"]
NAMES = ["agent", "batch-offline", "chat-long", "chat-short", "code", "rag", "summarise"]
EXTENDING = (
    "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nextends: ['preset:NAME']\n"
    "spec:\n  target: {simulator: {}}\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose user has a home of his own."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    return folder


@pytest.fixture
def typed(project: Path) -> Typed:
    def call(*arguments: str, **env: str) -> CompletedProcess[str]:
        config = {"XDG_CONFIG_HOME": str(project.parent / "config"), "HOME": str(project.parent)}
        return here(*arguments, cwd=project, env={**config, **env})

    return call


def own(project: Path, name: str) -> Path:
    return project / "scenarios" / "presets" / f"{name}.yaml"


# ---------------------------------------------------------------- list and show


def test_the_list_has_those_of_the_package_and_says_where_they_lie(typed: Typed) -> None:
    done = typed("preset", "list")
    assert done.returncode == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()[: len(NAMES)]] == [
        [name, "package"] for name in NAMES
    ]
    assert "scenarios/presets (project)" in done.stdout


def test_the_list_says_what_is_shadowed_and_what_cannot_be_used(typed: Typed, project: Path) -> None:
    typed("preset", "save", "rag", str(write_scenario(project)), "--in", "user", "--description", "Ours")
    own(project, "broken").parent.mkdir(parents=True)
    own(project, "broken").write_text("apiVersion: llmload/v1\nkind: Preset\nspec: {lod: {}}\n")
    listed = {(each["name"], each["folder"]): each for each in json.loads(typed("preset", "list", "--json").stdout)}
    assert listed["rag", "package"]["shadowed_by"] == str(project.parent / "config/llmload/presets/rag.yaml")
    assert listed["rag", "user"]["shadowed_by"] is None
    assert listed["rag", "user"]["description"] == "Ours"
    assert listed["broken", "project"]["problems"][0]["path"] == "spec.lod"
    told = typed("preset", "list").stdout
    assert "rag            package  shadowed by" in told
    assert "broken         project  cannot be used: unknown key 'lod'" in told


def test_show_prints_the_text_and_aside_where_it_lies(typed: Typed, project: Path) -> None:
    done = typed("preset", "show", "chat-short")
    assert yaml.safe_load(done.stdout)["metadata"]["name"] == "chat-short"
    assert done.stderr.endswith("llmload/presets/chat-short.yaml (package)\n")
    saved = typed("preset", "save", "chat-short", str(write_scenario(project)))
    assert saved.stdout.splitlines()[1:] == [f"note: it shadows {done.stderr.removesuffix(' (package)' + chr(10))}"]
    again = typed("preset", "show", "chat-short")
    assert again.stdout == own(project, "chat-short").read_text()
    assert "it shadows" in again.stderr
    assert typed("preset", "show", "chat-short", "--in", "package").stdout == done.stdout


@pytest.mark.parametrize("verb", ["show", "delete"])
def test_a_name_that_nobody_knows_is_refused_with_the_nearest(typed: Typed, verb: str) -> None:
    done = typed("preset", verb, "chat-shrot")
    assert done.returncode == 2
    assert "chat-shrot: is no preset. Did you mean chat-short?" in done.stderr


def test_show_writes_nothing_hidden(typed: Typed, project: Path) -> None:
    own(project, "odd").parent.mkdir(parents=True)
    own(project, "odd").write_text(
        "apiVersion: llmload/v1\nkind: Preset\nmetadata: {name: odd, description: a\u202eb}\nspec: {}\n"
    )
    assert "description: ab}" in typed("preset", "show", "odd").stdout
    own(project, "odd").write_text("apiVersion: llmload/v1\nkind: Preset\n# \x1b[2J\nspec: {}\n")
    done = typed("preset", "show", "odd")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr + done.stdout
    assert "\x1b" not in typed("preset", "list").stdout


# ---------------------------------------------------------------- save and delete


def test_what_is_saved_can_be_extended(typed: Typed, project: Path) -> None:
    done = typed("preset", "save", "nightly", str(write_scenario(project)), "--description", "Every night")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "scenarios/presets/nightly.yaml is written; scenarios take it with extends: [preset:nightly]\n"
    )
    saved = yaml.safe_load(own(project, "nightly").read_text())
    assert saved["metadata"] == {"name": "nightly", "description": "Every night"}
    assert list(saved["spec"]) == ["workload", "load", "slo", "gates"]
    (project / "s.yaml").write_text(EXTENDING.replace("NAME", "nightly"))
    assert typed("validate", "s.yaml", str(own(project, "nightly")), "--schema").returncode == 0


def test_only_the_sections_that_are_asked_for_are_kept(typed: Typed, project: Path) -> None:
    typed("preset", "save", "small", str(write_scenario(project)), "--parts", "load, slo")
    assert list(yaml.safe_load(own(project, "small").read_text())["spec"]) == ["load", "slo"]


def test_variables_stay_variables_and_what_is_extended_is_written_out(typed: Typed, project: Path) -> None:
    text = EXTENDING.replace("NAME", "rag") + "  load: {requests: '${N}'}\n"
    (project / "s.yaml").write_text(text)
    assert typed("preset", "save", "both", "s.yaml").returncode == 0
    spec = yaml.safe_load(own(project, "both").read_text())["spec"]
    assert spec["load"] == {"concurrency": [1, 8, 32], "requests": "${N}"}
    assert spec["workload"]["prompts"]["synthetic"]["input_tokens"] == 1024


@pytest.mark.parametrize(("where", "named"), [("project", "../../deep/tok.json"), ("user", "{project}/deep/tok.json")])
def test_files_are_still_found_from_the_preset(typed: Typed, project: Path, where: str, named: str) -> None:
    (project / "deep").mkdir()
    path = write_scenario(project / "deep", workload__tokenizer="{file: tok.json}")
    assert typed("preset", "save", "mine", str(path), "--in", where).returncode == 0
    shown = yaml.safe_load(typed("preset", "show", "mine").stdout)
    assert shown["spec"]["workload"]["tokenizer"]["file"] == named.format(project=project)


def test_a_stored_run_gives_its_sections_with_their_defaults(typed: Typed, project: Path) -> None:
    with open_store(project / "llmload.db") as store:
        put_run(store, 1, scenario_of(), whole())
    done = typed("preset", "save", "measured", "--run", "latest")
    assert done.returncode == 0, done.stderr
    text = own(project, "measured").read_text()
    assert text.startswith(f"# Saved by llmload from run {run_id_of(1)}\n")
    spec = yaml.safe_load(text)["spec"]
    assert spec["load"]["concurrency"] == [1, 2]
    assert spec["workload"]["seed"] == 42


def test_nothing_is_overwritten_unless_it_is_asked_for(typed: Typed, project: Path) -> None:
    first, second = write_scenario(project, "a"), write_scenario(project, "b", load__requests="7")
    typed("preset", "save", "x", str(first))
    before = own(project, "x").read_text()
    done = typed("preset", "save", "x", str(second))
    assert done.returncode == 2
    assert "scenarios/presets/x.yaml: is there already. Choose another name, or replace it with --force" in done.stderr
    assert own(project, "x").read_text() == before
    assert typed("preset", "save", "x", str(second), "--force").returncode == 0
    assert yaml.safe_load(own(project, "x").read_text())["spec"]["load"]["requests"] == 7


@pytest.mark.parametrize(
    "sampling",
    [
        pytest.param('{api_key: "sk-live-1234567890"}', id="a key"),
        pytest.param('{callback: "http://bob:pa55w0rd@host/x"}', id="a password in a URL"),
    ],
)
def test_a_secret_is_never_saved(typed: Typed, project: Path, sampling: str) -> None:
    done = typed("preset", "save", "x", str(write_scenario(project, workload__sampling=sampling)))
    assert done.returncode == 2
    assert "has a secret that a preset would keep" in done.stderr
    assert "sk-live" not in done.stderr + done.stdout
    assert "pa55w0rd" not in done.stderr + done.stdout
    assert not own(project, "x").exists()


def test_a_secret_by_reference_is_saved_as_the_reference(typed: Typed, project: Path) -> None:
    path = write_scenario(project, workload__sampling='{api_key: "${KEY}"}')
    assert typed("preset", "save", "x", str(path), KEY="sk-live-1234567890").returncode == 0
    assert "${KEY}" in own(project, "x").read_text()
    assert "sk-live" not in own(project, "x").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["Nightly", "chat.yaml"], "Nightly: cannot be the name of a preset", id="capitals"),
        pytest.param(["../x", "chat.yaml"], "../x: cannot be the name of a preset", id="a path"),
        pytest.param(["x"], "takes one scenario. Name a scenario FILE, or --run RUN", id="nothing to save"),
        pytest.param(["x", "chat.yaml", "--run", "latest"], "takes one scenario", id="two to save"),
        pytest.param(
            ["x", "chat.yaml", "--parts", "target"], "'target' is no section that a preset keeps", id="target"
        ),
        pytest.param(["x", "chat.yaml", "--parts", "decision"], "says nothing of decision", id="nothing written"),
        pytest.param(["x", "gone.yaml"], "gone.yaml: cannot be read", id="no file"),
        pytest.param(["x", "wrong.yaml"], "spec.load.requests: expected a whole number", id="a wrong value"),
        pytest.param(["x", "orphan.yaml"], "there is no preset 'nobody'", id="extending nothing"),
    ],
)
def test_what_cannot_be_saved(typed: Typed, project: Path, arguments: list[str], told: str) -> None:
    write_scenario(project)
    write_scenario(project, "wrong", load__requests="many")
    (project / "orphan.yaml").write_text(EXTENDING.replace("NAME", "nobody"))
    done = typed("preset", "save", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert not own(project, "x").exists()


def test_own_presets_can_be_deleted_and_those_of_the_package_cannot(typed: Typed, project: Path) -> None:
    path = str(write_scenario(project))
    typed("preset", "save", "rag", path)
    typed("preset", "save", "rag", path, "--in", "user")
    assert typed("preset", "delete", "rag").stdout == "scenarios/presets/rag.yaml is deleted\n"
    assert not own(project, "rag").exists()
    assert typed("preset", "delete", "rag").returncode == 0
    done = typed("preset", "delete", "rag")
    assert done.returncode == 2
    assert "rag: is a preset of the package, which cannot be deleted" in done.stderr
    assert typed("preset", "show", "rag").returncode == 0


def test_a_preset_alone_is_no_scenario(typed: Typed, project: Path) -> None:
    typed("preset", "save", "x", str(write_scenario(project)))
    done = typed("plan", str(own(project, "x")))
    assert done.returncode == 2
    assert "x.yaml:3:7: kind: a preset is a part of a scenario" in done.stderr


def test_a_wrong_preset_is_told_by_validate(typed: Typed, project: Path) -> None:
    (project / "x.yaml").write_text("apiVersion: llmload/v1\nkind: Preset\nspec: {load: {requests: x}}\n")
    done = typed("validate", "x.yaml")
    assert done.returncode == 2
    assert "x.yaml:3:25: spec.load.requests: expected a whole number" in done.stdout


# ---------------------------------------------------------------- where values come from


def explained(done: CompletedProcess[str]) -> dict[str, tuple[object, str, str]]:
    return {
        each["path"]: (each["value"], each["kind"], each["source"]) for each in json.loads(done.stdout)["explanation"]
    }


def test_plan_says_where_each_value_comes_from(typed: Typed, project: Path) -> None:
    (project / "base.yaml").write_text("apiVersion: llmload/v1\nkind: Preset\nspec: {load: {cooldown: 1s}}\n")
    (project / "s.yaml").write_text(
        EXTENDING.replace("'preset:NAME'", "'preset:rag', base.yaml") + "  load: {requests: '${N}'}\n"
    )
    sets = ("--set", "spec.workload.seed=7", "--set", "spec.load.concurrency[0]=2")
    done = typed("plan", "s.yaml", "--explain", "--json", *sets, N="50")
    found = explained(done)
    rag = str(next(Path(__file__).parents[2].glob("llmload/presets/rag.yaml")))
    assert found["metadata.name"] == ("s", "scenario", "s.yaml:3")
    assert found["spec.load.requests"] == (50, "scenario", "s.yaml:7, a variable")
    assert found["spec.load.cooldown"] == ("1s", "file", "base.yaml:3")
    assert found["spec.workload.seed"] == (7, "set", "--set (number 1)")
    assert found["spec.slo.ttft"] == ("1s", "preset", f"preset:rag ({rag}:24)")
    assert found["spec.load.concurrency"] == ([2, 8, 32], "set", f"--set (number 2) and preset:rag ({rag}:22)")
    assert found["spec.load.max_duration"] == ("5m", "default", "default")


def test_every_value_of_the_resolved_document_is_explained(typed: Typed, project: Path) -> None:
    (project / "s.yaml").write_text(EXTENDING.replace("NAME", "rag"))
    told = json.loads(typed("plan", "s.yaml", "--explain", "--json").stdout)

    def paths(value: object, path: str) -> list[str]:
        if isinstance(value, dict) and value:
            return [each for key, inner in value.items() for each in paths(inner, f"{path}.{key}")]
        return [path.removeprefix(".")]

    assert [each["path"] for each in told["explanation"]] == paths(told["document"], "")
    assert "explanation" not in json.loads(typed("plan", "s.yaml", "--json").stdout)


def test_the_table_has_a_line_for_each_value(typed: Typed, project: Path) -> None:
    (project / "s.yaml").write_text(EXTENDING.replace("NAME", "rag"))
    lines = [line.split() for line in typed("plan", "s.yaml", "--explain").stdout.splitlines()]
    assert ["spec.workload.stream", "true", "default"] in lines
    assert ["spec.target.simulator.profile", '"laptop"', "default"] in lines


def test_what_a_trace_settles_is_said_to_come_from_it(typed: Typed) -> None:
    trace = Path(__file__).parents[2] / "scenarios" / "trace.yaml"
    found = explained(typed("plan", str(trace), "--explain", "--json"))
    assert found["spec.load.trace.sha256"][1:] == ("data", "the data file that the scenario names")
    assert found["spec.load.trace.speed"][1] == "scenario"


# ---------------------------------------------------------------- a run


@pytest.mark.measuring
def test_a_run_is_not_resumed_where_a_preset_has_changed_and_is_judged_when_it_is_gone(project: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(project.parent / "config")}
    llmload("preset", "save", "mine", str(write_scenario(project)), cwd=project, env=env)
    simulator = "{simulator: {decode_base: 1ms, decode_per_seq: 10us, prefill: 100000 tok/s}}"
    text = EXTENDING.replace("NAME", "mine").replace("{simulator: {}}", simulator)
    (project / "s.yaml").write_text(text + "  reports: {formats: [json]}\n")
    done = llmload("apply", "s.yaml", "--no-progress", cwd=project, env=env)
    assert done.returncode in (0, 5), done.stderr
    preset = own(project, "mine")
    preset.write_text(preset.read_text().replace("requests: 100", "requests: 101"))
    refused = llmload("apply", "s.yaml", "--resume", "latest", cwd=project, env=env)
    assert "was made from another document" in refused.stderr
    preset.unlink()
    judged = llmload("gate", "latest", cwd=project, env=env)
    assert judged.returncode == done.returncode, judged.stderr
