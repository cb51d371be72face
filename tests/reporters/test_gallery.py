"""The gallery that people look at is what the reporters write today."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.reporters.gallery import GALLERY, SHOWN, comparable, places, rendered, write

SIZE_LIMITS = {".md": 80_000, ".json": 200_000, ".html": 600_000}
FONTS_DIFFER_BY = 8  # pixels


@pytest.fixture(scope="module", autouse=True)
def current(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-goldens"):
        write()


@pytest.mark.parametrize("name", SHOWN)
def test_the_gallery_is_current_and_complete(name: str) -> None:
    files = rendered(name)
    assert sorted(path.name for path in (GALLERY / name).iterdir()) == sorted(files)
    for file, content in files.items():
        shown = (GALLERY / name / file).read_bytes()
        assert comparable(file, shown) == comparable(file, content), f"{file} differs; run `make golden` and review it"
        if file.endswith(".svg"):
            assert places(shown) == pytest.approx(places(content), abs=FONTS_DIFFER_BY), file


@pytest.mark.parametrize("name", SHOWN)
def test_everything_in_the_gallery_keeps_its_size(name: str) -> None:
    sizes = {path: path.stat().st_size for path in (GALLERY / name).iterdir()}
    with_pictures = sum(size for path, size in sizes.items() if path.suffix in (".md", ".svg"))
    assert with_pictures < SIZE_LIMITS[".md"]
    assert not [path for path, size in sizes.items() if size >= SIZE_LIMITS.get(path.suffix, 600_000)]


def test_what_is_compared_leaves_nothing_out_but_what_depends_on_the_machine() -> None:
    page = b'<script type="x" id="library">ABzY8$`=,</script><p>500 ms</p>'
    assert comparable("report.html", page) == b'<script type="x" id="library"></script><p>500 ms</p>'
    assert comparable("a.svg", b'<text x="1.5">p95</text>') == comparable("a.svg", b'<text x="-20">p95</text>')
    assert comparable("a.svg", b'<text fill="red">a</text>') != comparable("a.svg", b'<text fill="green">a</text>')
    assert places(b'<path d="M1.5,-20"/>') == [1.5, -20.0]


def test_the_gallery_says_what_it_is_and_shows_every_file() -> None:
    text = (GALLERY / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)#]+)\)", text))
    assert [link for link in linked if not (GALLERY / link).exists()] == []
    assert {Path(link).parts[0] for link in linked if "/" in link} >= set(SHOWN)
    reports = ("report.md", "report.html", "report.xlsx", "result.json", "junit.xml", "steps.csv")
    assert {f"{name}/{report}" for name in SHOWN for report in reports} <= linked


def test_git_keeps_the_gallery() -> None:
    files = [str(path.relative_to(GALLERY)) for path in GALLERY.rglob("*") if path.is_file()]
    ignored = subprocess.run(["git", "check-ignore", *files], cwd=GALLERY, capture_output=True, text=True, check=False)
    assert ignored.stdout == ""
