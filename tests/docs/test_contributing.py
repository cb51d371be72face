"""CONTRIBUTING.md builds a framework that measures a real server; forms, templates and settings of GitHub are valid."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.command import llmload, measured_apart
from tests.docs.command_help import lacks
from tests.docs.migration_tables import command
from tests.engines.conftest import Engine, llama_cpp, tiny_model

__all__ = ["llama_cpp", "tiny_model"]

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
PAGES = sorted([*GITHUB.glob("*.md"), *FORMS])
PAGE = (GITHUB / "CONTRIBUTING.md").read_text(encoding="utf-8")

_FILE = re.compile(r"`([\w./]+)`:\n\n```(?:python|yaml)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CHANGES = re.compile(r"In `([\w./]+)`:\n((?:\n```diff\n.*?^```\n)+)", re.DOTALL | re.MULTILINE)
_HUNK = re.compile(r"```diff\n(.*?)^```", re.DOTALL | re.MULTILINE)
FILES = dict(_FILE.findall(PAGE))


def changed(text: str, hunk: str) -> str:
    """A text after one change: where its lines that stay or go are, stand those that stay or come."""
    lines = hunk.splitlines(keepends=True)
    before, after = ("".join(line[1:] for line in lines if line[0] in signs) for signs in (" -", " +"))
    assert text.count(before) == 1, f"{text.count(before)} places for\n{before}"
    return text.replace(before, after)


# ---------------------------------------------------------------- the framework


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of llmload to which everything was done that the page says."""
    folder = tmp_path_factory.mktemp("contributed")
    shutil.copytree(ROOT / "llmload", folder / "llmload", ignore=shutil.ignore_patterns("__pycache__"))
    for path in ("tests/__init__.py", "tests/frameworks/__init__.py", "tests/frameworks/captured.py"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    shutil.copytree(ROOT / "tests/captures/llama.cpp", folder / "tests/captures/llama.cpp")
    for name, text in FILES.items():
        assert not (folder / name).exists(), name
        (folder / name).write_text(text)
    changes = _CHANGES.findall(PAGE)
    assert [name for name, _ in changes] == ["llmload/frameworks/registry.py", "llmload/scenario/starters.py"]
    for name, hunks in changes:
        for hunk in _HUNK.findall(hunks):
            (folder / name).write_text(changed((folder / name).read_text(), hunk))
    return folder


@pytest.fixture(scope="module")
def env(place: Path) -> Mapping[str, str]:
    """The environment in which that copy is the llmload that runs."""
    return {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}


def test_the_page_has_the_files_that_are_tested_here() -> None:
    assert sorted(FILES) == [
        "llamacpp.yaml",
        "llmload/frameworks/llamacpp.py",
        "tests/frameworks/test_llamacpp.py",
    ]


def test_a_change_that_has_no_place_is_told() -> None:
    with pytest.raises(AssertionError, match="0 places"):
        changed("a\nb\n", " a\n-c\n+d\n")


def test_its_tests_pass(place: Path, env: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", "."]
    done = subprocess.run(
        [*command, "-W", "error", "tests/frameworks/test_llamacpp.py"],
        cwd=place,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout


def test_its_code_is_as_clean_as_ours(place: Path) -> None:
    ruff = [sys.executable, "-m", "ruff"]
    for words in (["format", "--check"], ["check", "--no-cache"]):
        done = subprocess.run(
            [
                *ruff,
                *words,
                "--config",
                str(ROOT / "pyproject.toml"),
                "llmload/frameworks",
                "llmload/scenario",
                "tests",
            ],
            cwd=place,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_listed_and_has_a_starter_that_is_valid(place: Path, env: Mapping[str, str]) -> None:
    listed = json.loads(llmload("frameworks", "--json", cwd=place, env=env).stdout)["frameworks"]
    (ours,) = (each for each in listed if each["name"] == "llamacpp")
    assert ours["apis"] == ["completion", "chat", "completions", "embeddings"]
    assert llmload("init", "--framework", "llamacpp", "starter.yaml", cwd=place, env=env).returncode == 0
    done = llmload("validate", "starter.yaml", "llamacpp.yaml", cwd=place, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "http://localhost:8080" in (place / "starter.yaml").read_text()


@pytest.mark.measuring
def test_it_measures_a_real_llama_cpp(request: pytest.FixtureRequest, place: Path, env: Mapping[str, str]) -> None:
    engine: Engine = request.getfixturevalue("llama_cpp")
    done = measured_apart("apply", "llamacpp.yaml", cwd=place, env={**env, "LLAMACPP_URL": engine.url})
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((place / "reports/llamacpp/result.json").read_bytes())
    (step,) = result["steps"]
    assert (step["metrics"]["ok"], step["metrics"]["output_tokens"]) == (100, 1600)
    assert step["metrics"]["token_sources"] == {"usage": 100}
    assert (result["target"]["api"], result["target"]["settings"]) == ("completion", {"parallel": 8})
    (finding,) = (each for each in result["findings"] if each["subject"] == "framework_config.parallel")
    assert (finding["expected"], finding["actual"]) == ("4", "8")


# ---------------------------------------------------------------- the rest of .github


def test_every_target_of_make_that_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", PAGE, re.MULTILINE))
    assert {"demo", "check", "test"} <= named
    assert sorted(target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)) == []


def _commands(text: str) -> list[str]:
    spans = re.findall(r"`(llmload [^`]+)`", text)
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [*spans, *(line.partition("#")[0] for block in blocks for line in block.splitlines())]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_that_it_names_exists(page: Path) -> None:
    commands = [command(span) for span in _commands(page.read_text(encoding="utf-8")) if span.startswith("llmload ")]
    assert [missing for each in commands if each is not None and (missing := lacks(each))] == []


@pytest.mark.parametrize("page", [*GITHUB.glob("*.md"), *(ROOT / "docs").glob("ci.md")], ids=lambda path: path.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        pytest.param("github-issue-forms", FORMS, id="issue forms"),
        pytest.param("github-issue-config", [GITHUB / "ISSUE_TEMPLATE/config.yml"], id="their settings"),
        pytest.param("dependabot", [GITHUB / "dependabot.yml"], id="dependabot"),
    ],
)
def test_what_github_reads_is_valid(schema: str, files: list[Path]) -> None:
    checker = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*checker, *map(str, files)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_bugs_and_wrong_verdicts_cannot_be_sent_without_what_is_needed() -> None:
    required = {
        path.stem: [part["id"] for part in yaml.safe_load(path.read_text())["body"] if _is_required(part)]
        for path in FORMS
    }
    assert required["bug"] == ["happened", "command", "info"]
    assert required["wrong-verdict"] == ["figure", "why", "result", "where", "info"]


def _is_required(part: Mapping[str, Mapping[str, object]]) -> bool:
    return part.get("validations", {}).get("required") is True


def test_nobody_is_asked_for_reviews_by_name() -> None:
    lines = (GITHUB / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.strip() and not line.startswith("#")] == []


def test_dependencies_are_a_week_old_before_they_are_offered() -> None:
    settings = yaml.safe_load((GITHUB / "dependabot.yml").read_text())
    assert {each["package-ecosystem"]: each["cooldown"]["default-days"] for each in settings["updates"]} == {
        "github-actions": 7,
        "pip": 7,
    }


def test_the_commands_of_its_blocks_are_read_as_a_shell_reads_them() -> None:
    for line in _commands(PAGE):
        shlex.split(line)
