"""Frameworks of third parties: found by entry point, loaded when asked for, refused by the name of their package."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from llmload.errors import TargetError, UsageError
from llmload.frameworks import plugins
from llmload.frameworks.registry import REGISTRY, adapter_for, adapters, known_names, refusals
from llmload.scenario.schema import scenario_schema
from llmload.target.probe import probe
from tests.command import llmload, write_scenario
from tests.frameworks.packages import install
from tests.target.asking import a_target, a_workload
from tests.target.openai_server import healthy, serving

HEAD = """
from dataclasses import dataclass, field, replace
from llmload.frameworks import openai

@dataclass(frozen=True)
class Settings:
    perches: int = 1

"""
GOOD = HEAD + 'ADAPTER = replace(openai.ADAPTER, name="parrot", settings=Settings)\n'


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder where packages are found, for this test alone."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    plugins._entries.cache_clear()
    before = set(sys.modules)
    yield folder
    plugins._entries.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("their_"):
            del sys.modules[name]


def offer(site: Path, text: str, *, name: str = "parrot", package: str = "llmload-parrot") -> None:
    module = "their_" + re.sub(r"\W", "_", f"{package}_{site.parent.name}")
    install(site, package, "1.0", {name: f"{module}:ADAPTER"}, {f"{module}.py": text})


def test_an_offered_framework_is_known_and_loaded(site: Path) -> None:
    offer(site, GOOD)
    assert known_names() == tuple(sorted([*REGISTRY, "parrot"]))
    assert adapter_for("parrot").name == "parrot"
    assert list(adapters()) == list(known_names())
    assert refusals() == ()


def test_one_that_fails_at_what_a_server_says_is_told_by_its_package_before_any_load(site: Path) -> None:
    offer(site, GOOD.replace("settings=", 'learn=lambda replies: {}["wings"], settings='))
    script = healthy()
    with serving(script), pytest.raises(TargetError, match=r"KeyError.*llmload-parrot 1\.0; no load was sent"):
        probe(replace(a_target(script.url), framework="parrot"), script.url, workload=a_workload(), env={})


def test_its_settings_are_in_the_schema(site: Path) -> None:
    offer(site, GOOD.replace("settings=", 'dialects={"squawk": openai.DIALECTS["chat"]}, settings='))
    definitions = scenario_schema()["$defs"]
    assert isinstance(definitions, dict)
    assert "perches" in str(definitions["framework.parrot"])
    assert "parrot" in str(definitions["Target"])
    assert "squawk" in str(definitions["Target"])


BROKEN = {
    "raises while it is imported": ("1 / 0", "ZeroDivisionError: division by zero"),
    "ends the program while it is imported": ("raise SystemExit(3)", "SystemExit: 3"),
    "is not Python": ("ADAPTER = (", "SyntaxError"),
    "has no such object": ("", "AttributeError"),
    "is something else": ("ADAPTER = 7", "it is of type int, and not an llmload.frameworks.adapter.Adapter"),
    "calls itself otherwise": (GOOD.replace('"parrot"', '"budgie"'), "it calls itself 'budgie'"),
    "speaks nothing": (GOOD.replace(", settings", ", dialects={}, settings"), "it has no API"),
    "has no settings": (GOOD.replace("settings=Settings", "settings=int"), "its settings are not a dataclass"),
    "wants a setting": (GOOD.replace("int = 1", "int"), "its setting perches has no default"),
    "wants a list": (
        GOOD.replace("int = 1", "list[int] = field(default_factory=list)"),
        "its setting perches has no default",
    ),
    "wants an object": (GOOD.replace("int = 1", "dict[str, int] | None = None"), "its setting perches is a dict"),
    "bounds a text": (
        "from typing import Annotated\nfrom annotated_types import Ge\n"
        + GOOD.replace("int = 1", 'Annotated[str, Ge(1)] = "a"'),
        "its setting perches has bounds that are no numbers, or is no number",
    ),
    "hides a setting": (GOOD.replace("perches", "_perches"), "its setting _perches begins with an underscore"),
    "has an API without a name": (
        GOOD.replace(", settings", ", dialects={3: openai.DIALECTS['chat']}, settings"),
        "its API 3 is not a name with a Dialect",
    ),
    "has an API that is none": (
        GOOD.replace(", settings", ", dialects={'chat': None}, settings"),
        "its API 'chat' is not a name with a Dialect",
    ),
    "lists no models": (GOOD.replace(", settings", ", models=None, settings"), "its models is not of type Listing"),
    "ran against a number": (
        GOOD.replace(", settings", ", ran_against=7, settings"),
        "its ran_against is not of type str",
    ),
    "has settings of no type": (GOOD.replace("int = 1", '"Unknown" = 1'), "the types of its settings cannot be read"),
}


@pytest.mark.parametrize(("text", "because"), BROKEN.values(), ids=BROKEN)
def test_a_broken_one_is_an_error_that_names_its_package_and_leaves_the_others(
    site: Path, text: str, because: str
) -> None:
    offer(site, text)
    with pytest.raises(UsageError, match=r"^framework parrot: the plug-in of llmload-parrot 1\.0 ") as caught:
        adapter_for("parrot")
    assert because in caught.value.problem
    assert "parrot" in known_names()
    assert list(adapters()) == sorted(REGISTRY)
    (refused,) = refusals()
    assert (refused.name, refused.distribution, refused.because) == (
        "parrot",
        "llmload-parrot 1.0",
        caught.value.problem,
    )
    assert "framework.parrot" not in str(scenario_schema())


def test_a_name_of_ours_is_refused_and_stays_ours(site: Path) -> None:
    offer(site, GOOD.replace('"parrot"', '"vllm"'), name="vllm")
    assert adapter_for("vllm") is REGISTRY["vllm"]
    assert refusals() == (plugins.Refusal("vllm", "llmload-parrot 1.0", "the name is taken already by llmload itself"),)


def test_of_two_packages_with_one_name_neither_is_used(site: Path) -> None:
    offer(site, GOOD)
    offer(site, GOOD, package="another-parrot")
    with pytest.raises(UsageError, match=r"another-parrot 1\.0 and llmload-parrot 1\.0 both offer it"):
        adapter_for("parrot")
    assert {each.distribution for each in refusals()} == {"another-parrot 1.0", "llmload-parrot 1.0"}
    assert list(adapters()) == sorted(REGISTRY)


def test_entry_points_that_cannot_be_read_are_told_with_their_package_and_leave_the_others(site: Path) -> None:
    offer(site, GOOD)
    offer(site, GOOD.replace('"parrot"', '"budgie"'), name="budgie", package="llmload-budgie")
    (site / "llmload_parrot-1.0.dist-info" / "entry_points.txt").write_text("[llmload.frameworks]\nparrot\n")
    with pytest.raises(UsageError, match="not a framework we know; the entry points of llmload-parrot cannot be read"):
        adapter_for("parrot")
    assert adapter_for("budgie").name == "budgie"
    assert list(adapters()) == sorted([*REGISTRY, "budgie"])
    assert refusals() == (plugins.Refusal("?", "llmload-parrot", "its entry points cannot be read"),)


def test_a_package_in_two_folders_is_offered_once_though_another_cannot_be_read(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(site, GOOD)
    monkeypatch.syspath_prepend(tmp_path / "first")
    install(tmp_path / "first", "llmload-parrot", "1.0", {"parrot": f"their_first_{tmp_path.name}:ADAPTER"}, {})
    (tmp_path / "first" / f"their_first_{tmp_path.name}.py").write_text(GOOD)
    install(site, "unreadable", "1.0", {}, {})
    (site / "unreadable-1.0.dist-info" / "entry_points.txt").write_text("[llmload.frameworks]\nparrot\n")
    assert adapter_for("parrot").name == "parrot"


def test_nothing_of_it_is_read_where_nobody_asks() -> None:
    code = "import sys; from llmload.frameworks.registry import adapter_for; adapter_for('vllm'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "importlib.metadata" not in done.stdout.split()


def test_validate_places_the_error_and_others_do_not_notice(site: Path, tmp_path: Path) -> None:
    offer(site, "1 / 0")
    env = {"PYTHONPATH": os.pathsep.join((str(site), os.environ.get("PYTHONPATH", "")))}
    theirs = write_scenario(tmp_path, "theirs", target={"url": "http://localhost:1", "framework": "parrot"})
    ours = write_scenario(tmp_path, "ours", target={"url": "http://localhost:1", "framework": "vllm"})
    done = llmload("validate", theirs.name, cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert re.search(r"^theirs\.yaml:8:\d+: spec\.target\.framework: .*llmload-parrot 1\.0", done.stdout), done.stdout
    assert llmload("validate", ours.name, cwd=tmp_path, env=env).returncode == 0
    listed = llmload("frameworks", cwd=tmp_path, env=env)
    assert listed.returncode == 0
    assert "parrot  not used: the plug-in of llmload-parrot 1.0 cannot be loaded" in listed.stdout
