"""docs/frameworks.md: its table is what the command lists, and its example is a plug-in that measures its server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.command import llmload, measured_apart
from tests.docs.framework_tables import PAGES, listed, written
from tests.frameworks.packages import install

PAGE = (Path(__file__).parents[2] / "docs" / "frameworks.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`([\w.]+)`:\n\n```\w+\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_its_table_is_what_the_command_lists(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert page == written(page, PAGES[path](listed())), "run `make docs`"


# ---------------------------------------------------------------- the example


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page, and the package installed below it."""
    folder = tmp_path_factory.mktemp("parrot")
    assert sorted(FILES) == ["llmload_parrot.py", "parrot.yaml", "parrot_server.py", "pyproject.toml"]
    for name, text in FILES.items():
        (folder / name).write_text(text)
    project = tomllib.loads(FILES["pyproject.toml"])
    package = project["project"]
    modules = {f"{name}.py": FILES[f"{name}.py"] for name in project["tool"]["setuptools"]["py-modules"]}
    (offered,) = package["entry-points"].values()
    install(folder / "site", package["name"], package["version"], offered, modules)
    return folder


@pytest.fixture(scope="module")
def env(place: Path) -> Iterator[Mapping[str, str]]:
    """The environment in which the package is installed and the server of the page runs."""
    command = [sys.executable, str(place / "parrot_server.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = {"PARROT_URL": server.stdout.readline().strip()}
        try:
            yield {**found, "PYTHONPATH": os.pathsep.join((str(place / "site"), os.environ.get("PYTHONPATH", "")))}
        finally:
            server.terminate()


def test_the_page_shows_the_commands_that_are_tested_here() -> None:
    (shown,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("llmload")] == [
        "frameworks",
        "init",
        "validate",
        "apply",
        "apply",
    ]


def test_it_is_listed_with_its_settings(place: Path, env: Mapping[str, str]) -> None:
    done = llmload("frameworks", "--json", cwd=place, env=env)
    (parrot,) = (each for each in json.loads(done.stdout)["frameworks"] if each["name"] == "parrot")
    assert parrot == {
        "name": "parrot",
        "apis": ["generate"],
        "settings": [
            {"name": "perches", "type": "whole number >= 1", "default": 1},
            {"name": "clipped_wings", "type": "true or false", "default": False},
        ],
        "ran_against": "Parrot 1.2",
    }


def test_its_starter_and_its_scenario_are_valid(place: Path, env: Mapping[str, str]) -> None:
    assert llmload("init", "--framework", "parrot", "starter.yaml", cwd=place, env=env).returncode == 0
    assert "#   perches: 1" in (place / "starter.yaml").read_text()
    done = llmload("validate", "--schema", "starter.yaml", "parrot.yaml", cwd=place, env=env)
    assert done.returncode == 0, done.stdout


def test_its_settings_are_held_against_their_types(place: Path, env: Mapping[str, str]) -> None:
    (place / "wrong.yaml").write_text(FILES["parrot.yaml"].replace("perches: 2", "perches: 0, claws: 8"))
    done = llmload("validate", "wrong.yaml", cwd=place, env=env)
    assert done.returncode == 2
    assert "spec.target.framework_config.perches" in done.stdout
    assert "unknown key 'claws'" in done.stdout
    assert "clipped_wings, perches" in done.stdout


def test_a_dry_run_says_what_the_server_has_otherwise(place: Path, env: Mapping[str, str]) -> None:
    done = llmload("apply", "--dry-run", "server", "parrot.yaml", cwd=place, env=env)
    assert done.returncode == 0, done.stderr
    assert "verified perches 4" in done.stdout
    assert "assumed  clipped_wings false (not told by the server)" in done.stdout
    assert "differs  framework_config.perches: declared 2, and the server says 4" in done.stdout


@pytest.mark.measuring
@pytest.mark.parametrize("stream", ["true", "false"])
def test_a_run_measures_the_server_through_it(place: Path, env: Mapping[str, str], stream: str) -> None:
    done = measured_apart("apply", "parrot.yaml", "--set", f"spec.workload.stream={stream}", cwd=place, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((place / "reports/parrot/result.json").read_bytes())
    (step,) = result["steps"]
    assert (step["metrics"]["ok"], step["metrics"]["output_tokens"]) == (100, 800)
    assert step["metrics"]["token_sources"] == {"usage": 100}
    assert result["target"]["version"] == "1.2"
    assert (result["target"]["settings"], result["target"]["verified"]) == (
        {"clipped_wings": False, "perches": 4},
        ["perches"],
    )
    (finding,) = result["findings"]
    assert (finding["subject"], finding["expected"], finding["actual"]) == ("framework_config.perches", "2", "4")
    assert "declared otherwise" in done.stderr.partition("concurrency 2")[0]  # before the first window
    for present in (env, {}):  # with the package, and after it was uninstalled
        shown = llmload("show", "latest", cwd=place, env=present)
        assert shown.returncode == 0, shown.stderr
        assert "framework_config.perches (declared otherwise): expected 2, found 4" in " ".join(shown.stdout.split())
