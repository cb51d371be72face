"""The site as files: whole, the same for the same store, and without a way out of its folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import pytest

from llmload.reporters import result_json, steps_csv
from llmload.reporters.texts import Language, texts_in
from llmload.site.links import file_name
from llmload.site.publication import Site, files
from llmload.store.database import open_existing, open_store
from llmload.store.history import PAGE
from llmload.store.selection import choose
from llmload.store.snapshot import open_snapshot, write_snapshot
from tests.recorded_runs import CLEAN, TROUBLE
from tests.site.links_of_files import broken_links, unreached
from tests.site.stores import FAILED, RUNNING, UNTOLD

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)

HOSTILE_NAMES = (
    "../../etc/passwd",
    "..",
    "/etc/passwd",
    "CON",
    "nul.html",
    "Model",
    "model",
    "a" * 300,
    'x"><script>alert(1)</script>',
    "%2e%2e%2f",
    "a b#c?d=e&f",
    "실험 하나",
    "C:\\windows\\win.ini",
    ".hidden",
)


@contextmanager
def opened(store: Path, scenarios: Sequence[str] = (), newest: int | None = None) -> Iterator[Site]:
    with open_existing(store) as every:
        chosen = choose(every, scenarios, newest)
    with TemporaryDirectory() as folder:
        copy = write_snapshot(store, Path(folder) / "copy.db", [run.run_id for run in chosen])
        with open_snapshot(copy.path) as selected:
            yield Site(selected, choose(selected), ENGLISH)


def put(pages: Iterable[tuple[str, bytes]], folder: Path) -> Path:
    for path, content in pages:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def published(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with opened(filled) as site:
        return put(files(site), tmp_path_factory.mktemp("published"))


def test_every_run_that_has_ended_has_its_page(published: Path, filled: Path) -> None:
    with open_existing(filled) as store:
        names = {f"{file_name(run.run_id)}.html" for run in choose(store)}
    assert {path.name for path in (published / "benchmark").glob("*.html")} == names
    assert f"{RUNNING}.html" not in names
    assert {f"{FAILED}.html", f"{UNTOLD}.html"} <= names


def test_every_link_leads_somewhere_and_every_page_is_led_to(published: Path) -> None:
    assert broken_links(published) == []
    assert unreached(published) == set()


def test_a_published_run_tells_its_analysis_and_its_recommendation_and_offers_no_command(published: Path) -> None:
    name = f"{file_name(CLEAN.header.run_id)}.html"
    run, recommended = (
        (published / folder / name).read_text(encoding="utf-8") for folder in ("benchmark", "recommend")
    )
    assert "that leaves about 17.5% in reserve" in run
    assert "llmload analyze" not in run
    assert "ceil(500 × (1 + 0.2) / 120) = 5" in recommended
    assert CLEAN.recommendation is not None
    for other in CLEAN.recommendation.alternatives:  # their runs are in another store
        assert f"<code>{other.run_id}</code>" in recommended


def test_a_run_brings_its_downloads(published: Path) -> None:
    name = published / "benchmark" / file_name(TROUBLE.header.run_id)
    assert name.with_suffix(".json").read_bytes() == result_json.render(TROUBLE)
    assert name.with_suffix(".csv").read_bytes() == steps_csv.render(TROUBLE)
    assert name.with_suffix(".junit.xml").read_bytes().startswith(b"<?xml")
    assert not name.with_suffix(".xlsx").exists()


def test_the_same_store_gives_the_same_bytes(filled: Path) -> None:
    with opened(filled, newest=4) as one, opened(filled, newest=4) as other:
        assert list(files(one)) == list(files(other))


def test_a_site_speaks_its_language(filled: Path) -> None:
    with opened(filled, newest=1) as site:
        pages = [content for path, content in files(replace(site, texts=KOREAN)) if path.endswith(".html")]
    assert pages
    assert all(b'<html lang="ko">' in page for page in pages)


def test_names_of_a_foreign_store_stay_in_the_folder_and_apart(tmp_path: Path) -> None:
    store = tmp_path / "foreign.db"
    with open_store(store) as into:
        for name in HOSTILE_NAMES:
            header = replace(CLEAN.header, run_id=name, scenario=name)
            into.begin(header)
            into.finish(name, replace(CLEAN, header=header), "finished")
    with opened(store) as site:
        pages = list(files(site))
    paths = [path for path, _ in pages]
    assert len({path.lower() for path in paths}) == len(paths)
    for path in map(PurePosixPath, paths):
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert max(map(len, path.parts)) <= 120
    folder = put(pages, tmp_path / "site")
    assert len(list((folder / "benchmark").glob("*.html"))) == len(HOSTILE_NAMES)
    assert broken_links(folder) == []


def test_a_long_history_is_turned_page_by_page_and_is_one_document(tmp_path: Path) -> None:
    store = tmp_path / "long.db"
    with open_store(store) as into:
        for number in range(2 * PAGE + 1):
            run_id = f"20260101-080000-{number:08x}"
            into.begin(replace(CLEAN.header, run_id=run_id))
            into.finish(run_id, replace(CLEAN, header=replace(CLEAN.header, run_id=run_id), steps=()), "failed")
    with opened(store) as site:
        folder = put(files(site), tmp_path / "site")
    assert sorted(path.name for path in folder.glob("[ip]*.html")) == ["index.html", "page-2.html", "page-3.html"]
    assert unreached(folder) == set()
    told = json.loads((folder / "history.json").read_bytes())
    assert [told["run_count"], len(told["runs"]), told["next"]] == [2 * PAGE + 1, 2 * PAGE + 1, None]
    assert all((folder / run["document"]).is_file() for run in told["runs"])


def test_a_run_of_a_matrix_is_told_with_its_cell(tmp_path: Path) -> None:
    run = replace(CLEAN, header=replace(CLEAN.header, labels={"llmload.cell": "max_num_seqs=4"}), steps=())
    with open_store(tmp_path / "runs.db") as store:
        store.begin(run.header)
        store.finish(run.header.run_id, run, "failed")
    with opened(tmp_path / "runs.db") as site:
        folder = put(files(site), tmp_path / "site")
    assert '<p class="soft">max_num_seqs=4</p>' in (folder / "index.html").read_text(encoding="utf-8")


def test_a_selection_says_nothing_of_other_runs(filled: Path) -> None:
    with opened(filled, [TROUBLE.header.scenario]) as site:
        others = [CLEAN.header.run_id] if CLEAN.header.scenario != TROUBLE.header.scenario else []
        pages = list(files(site))
    assert others
    for path, content in pages:
        for run_id in others:
            assert run_id.encode() not in content, path
