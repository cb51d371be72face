"""Presets: those of the package, and which one a name means."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import llmload
from llmload.analysis.sample_size import check_reachable
from llmload.scenario.base_document import read_base
from llmload.scenario.loader import load, load_text
from llmload.scenario.preset_folders import Folder, known_presets, preset_folders, presets_named
from llmload.scenario.schema import preset_schema
from llmload.scenario.tree import Place, plain

PACKAGE = Path(llmload.__file__).parent / "presets"
NAMES = ("agent", "batch-offline", "chat-long", "chat-short", "code", "rag", "summarise")
HERE = Place("here", 1, 1)
SCENARIO = (
    "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nextends: ['preset:NAME']\n"
    "spec: {target: {simulator: {}}}\n"
)


def test_the_package_has_these() -> None:
    assert tuple(sorted(path.stem for path in PACKAGE.iterdir())) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_of_the_package_is_valid_and_says_where_its_numbers_come_from(name: str) -> None:
    base = read_base(f"preset:{name}", PACKAGE / f"{name}.yaml", HERE, {})
    assert base.troubles == ()
    assert "our choice" in base.description
    assert base.text.count("\n# ") >= 1
    assert base.root is not None
    assert list(Draft202012Validator(preset_schema()).iter_errors(plain(base.root))) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_of_a_preset_and_a_target_is_whole(name: str) -> None:
    found = load_text(SCENARIO.replace("NAME", name), "s.yaml", env={}, directory=Path())
    check_reachable(found)
    assert found.load.requests
    assert (found.slo is None) == (name == "batch-offline")


# ---------------------------------------------------------------- which one a name means


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "scenarios" / "presets").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    return root


def keep(folder: Path, name: str, requests: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(
        f"apiVersion: llmload/v1\nkind: Preset\nspec: {{load: {{requests: {requests}}}}}\n"
    )


def meant(project: Path, name: str, **env: str) -> int | None:
    path = project / "scenarios" / "s.yaml"
    path.write_text(SCENARIO.replace("NAME", name))
    return load(path, env=env).load.requests


def test_the_nearest_preset_of_a_name_wins(project: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    env = {"XDG_CONFIG_HOME": str(config)}
    assert meant(project, "rag", **env) == 200
    keep(config / "llmload" / "presets", "rag", 11)
    assert meant(project, "rag", **env) == 11
    keep(project / "scenarios" / "presets", "rag", 12)
    assert meant(project, "rag", **env) == 12
    found = presets_named("rag", preset_folders(env, project / "scenarios"))
    assert [preset.folder.origin for preset in found] == ["project", "user", "package"]


def test_the_user_s_folder_lies_in_the_home_where_nothing_else_is_configured(project: Path, tmp_path: Path) -> None:
    keep(tmp_path / ".config" / "llmload" / "presets", "mine", 13)
    assert meant(project, "mine", HOME=str(tmp_path)) == 13
    assert meant(project, "mine", HOME=str(tmp_path), XDG_CONFIG_HOME="relative") == 13


def test_the_project_is_that_of_the_scenario_whatever_the_working_directory(project: Path) -> None:
    keep(project / "scenarios" / "presets", "mine", 14)
    (project / "deep" / "er").mkdir(parents=True)
    (found,) = presets_named("mine", preset_folders({}, project / "deep" / "er"))
    assert found.path == project / "scenarios" / "presets" / "mine.yaml"
    assert meant(project, "mine") == 14


@pytest.mark.parametrize("name", ["", "A", "../rag", "rag.yaml", "-rag", "rag-", "r" * 101, "rag\n", "라그"])
def test_what_is_no_name_is_found_nowhere(tmp_path: Path, name: str) -> None:
    folder = Folder("user", tmp_path)
    if name and "/" not in name and len(name) < 100:
        (tmp_path / f"{name}.yaml").write_text("x")
    assert presets_named(name, (folder,)) == ()
    assert known_presets((folder,)) == ()


def test_a_preset_that_calls_itself_otherwise_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("apiVersion: llmload/v1\nkind: Preset\nmetadata: {name: yours}\nspec: {}\n")
    (problem,) = read_base("preset:mine", path, HERE, {}).problems
    assert (problem.line, problem.column, problem.path) == (3, 18, "metadata.name")
    assert problem.message == "the preset mine calls itself 'yours'"
