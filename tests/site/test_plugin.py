"""What Datasette becomes when one of its files is a store, and that it stays what it was when none is."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from datasette.app import Datasette
from datasette.plugins import pm
from datasette.utils import StartupError
from hypothesis import given
from hypothesis import strategies as st

from llmload.site import browsing, plugin
from llmload.site.asking import Freshness
from llmload.site.headers import disposition, is_known
from llmload.store import schema
from tests.recorded_runs import CLEAN
from tests.site.visiting import Told, Visit, visiting

RUN = f"/benchmark/{CLEAN.header.run_id}"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    path = tmp_path / "plants.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE plants (run TEXT)")
        connection.execute("INSERT INTO plants VALUES ('moss')")
        connection.commit()
    return path


def test_somebody_elses_datasette_is_left_as_it_is(foreign: Path) -> None:
    def answers() -> list[Told]:
        with visiting(foreign) as visit:
            return [visit.get("/", method="PUT"), *(visit.get(f"/{path}") for path in paths)]

    paths = ["", "plants", "plants/plants", "plants/plants.json", "-/settings.json"]
    with_ours = answers()
    pm.unregister(plugin)
    try:
        without = answers()
    finally:
        pm.register(plugin, name="llmload")
    assert [each.status for each in with_ours[1:]] == [200] * len(paths)
    for ours, theirs in zip(with_ours, without, strict=True):
        assert (ours.status, ours.headers) == (theirs.status, theirs.headers)
        assert re.sub(rb"\d+\.\d+", b"", ours.body) == re.sub(rb"\d+\.\d+", b"", theirs.body)


def test_a_store_beside_other_files_is_found(filled: Path, foreign: Path) -> None:
    with visiting(foreign, filled) as visit:
        assert visit.get(RUN).status == 200
        assert visit.get("/plants/plants").status == 200


def test_the_settings_of_a_site_hold_however_it_is_started(filled: Path) -> None:
    with visiting(filled, settings={"sql_time_limit_ms": 60_000, "allow_download": True}) as visit:
        settings = json.loads(visit.get("/-/settings.json").body)
        forbidden = [visit.get(f"/{filled.stem}{end}").status for end in ("?sql=select+1", ".db", ".json?sql=select+1")]
        where = visit.get(f"/{filled.stem}/run_list?_where=1=1")
        assert visit.datasette.sql_time_limit_ms == 500
    wanted = {
        "sql_time_limit_ms": 500,
        "default_allow_sql": False,
        "allow_download": False,
        "allow_csv_stream": False,
        "suggest_facets": False,
    }
    assert {name: settings[name] for name in wanted} == wanted
    assert forbidden == [403, 403, 403]
    assert where.status == 403


def test_readers_ask_with_sql_where_the_owner_lets_them(filled: Path) -> None:
    with visiting(filled, chosen={"sql": True}) as visit:
        told = visit.get(f"/{filled.stem}.json?sql=select+count(*)+as+runs+from+runs&_shape=array")
        written = visit.get(f"/{filled.stem}.json?sql=delete+from+runs")
    assert json.loads(told.body)[0]["runs"] > 10
    assert written.status == 400
    assert "SELECT" in json.loads(written.body)["error"]


def test_options_that_cannot_be_had_open_nothing(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(StartupError, match="NO_KEY"):
        Datasette([str(filled)], metadata={"plugins": {"llmload": {"api_key_env": "NO_KEY"}}})


# ---------------------------------------------------------------- browsing with Datasette


VIEWS = {"run_list", "step_list", "gate_list", "profile_list", "request_list", "gpu_list", "sample_list"}


def test_long_and_packed_tables_are_left_out_and_the_named_views_are_there(filled: Path) -> None:
    with visiting(filled) as visit:
        database = json.loads(visit.get(f"/{filled.stem}.json").body)
    shown = {table["name"] for table in database["tables"] if not table["hidden"]}
    assert {table["name"] for table in database["tables"] if table["hidden"]} == set(browsing.HIDDEN)
    assert {"runs", "steps", "verdicts"} <= shown
    assert {view["name"] for view in database["views"]} == VIEWS


@pytest.mark.parametrize(("view", "title"), [("run_list", "Runs"), ("step_list", "Steps"), ("gate_list", "Gates")])
def test_a_named_view_is_browsed_counted_by_facets_and_leads_to_our_pages(view: str, title: str, filled: Path) -> None:
    with visiting(filled) as visit:
        page = visit.get(f"/{filled.stem}/{view}?_facet=scenario")
        rows = json.loads(visit.get(f"/{filled.stem}/{view}.json?_shape=array&_size=3").body)
    assert page.status == 200
    assert re.search(rf"<h1[^>]*>\s*{title}\s", page.text)
    assert f'href="{RUN}"' in page.text
    assert ">All runs<" in page.text
    assert len(rows) == 3


def test_every_column_that_is_described_is_there(filled: Path) -> None:
    with closing(sqlite3.connect(f"file:{filled}?mode=ro", uri=True)) as connection:
        described = browsing.described("x")["databases"]["x"]["tables"]  # type: ignore[index]  # nested maps
        for view in VIEWS:
            there = {column[0] for column in connection.execute(f"SELECT * FROM {view} LIMIT 0").description}
            assert set(described[view]["columns"]) - there == set()
            assert set(described[view].get("facets", ())) - there == set()
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert set(browsing.HIDDEN) <= tables


def test_every_question_with_a_name_is_answered(filled: Path) -> None:
    names = browsing.described("x")["databases"]["x"]["queries"]  # type: ignore[index]  # nested maps
    with visiting(filled) as visit:
        for name, query in names.items():
            asked = f"run={CLEAN.header.run_id}&scenario={CLEAN.header.scenario}&_shape=array"
            told = visit.get(f"/{filled.stem}/{name}.json?{asked}")
            assert told.status == 200, told.text
            assert isinstance(json.loads(told.body), list)
            assert query["title"] in visit.get(f"/{filled.stem}/{name}?{asked}").text
        kept = json.loads(visit.get(f"/{filled.stem}/steps-of-a-run.json?_shape=array&run={CLEAN.header.run_id}").body)
    assert len(kept) == len(CLEAN.steps)


def test_our_pages_lead_to_the_tables_and_what_the_owner_says_of_them_stands_above_ours(filled: Path) -> None:
    metadata = {"databases": {filled.stem: {"tables": {"run_list": {"title": "Everything we measured"}}}}}
    with visiting(filled, metadata=metadata) as visit:
        assert f'href="../{filled.stem}"' in visit.get(RUN).text
        assert "Everything we measured" in visit.get(f"/{filled.stem}/run_list").text
        assert f'href="{RUN}"' in visit.get(f"/{filled.stem}/run_list").text


@pytest.mark.parametrize("name", ["benchmark", "compare", "new"])
def test_a_store_named_like_a_page_hides_none(name: str, filled: Path, tmp_path: Path) -> None:
    store = tmp_path / f"{name}.db"
    shutil.copy(filled, store)
    with visiting(store) as visit:
        assert visit.get(RUN).status == 200
        assert visit.get(f"/{name}-store/run_list").status == 200


def test_everything_holds_below_the_path_of_a_proxy(filled: Path) -> None:
    with visiting(filled, settings={"base_url": "/bench/"}) as visit:
        page = visit.get(f"/bench{RUN}")
        missing = visit.get("/bench/benchmark/a/b/c")
        table = visit.get(f"/bench/{filled.stem}/run_list")
    assert page.status == 200
    assert 'href="../-/llmload/page.css?v=' in page.text
    assert (missing.status, 'href="../../../-/llmload/page.css?v=' in missing.text) == (404, True)
    assert f'href="/bench{RUN}"' in table.text


# ---------------------------------------------------------------- what a browser keeps


def test_what_a_browser_has_already_is_not_sent_again(filled: Path) -> None:
    with visiting(filled) as visit:
        first = visit.get(RUN)
        again = [visit.get(RUN, {"If-None-Match": each}) for each in (first["etag"], f'"x", W/{first["etag"]}', "*")]
        other = visit.get(RUN, {"If-None-Match": '"x"'})
        korean = visit.get(f"{RUN}?lang=ko", {"If-None-Match": first["etag"]})
    assert {(each.status, each.body, each["etag"]) for each in again} == {(304, b"", first["etag"])}
    assert {each["cache-control"] for each in [first, *again]} == {"max-age=60"}
    assert (other.status, korean.status) == (200, 200)


def test_an_asset_with_its_version_in_the_address_holds_for_good(filled: Path) -> None:
    with visiting(filled) as visit:
        found = re.search(r'href="\.\./(-/llmload/page\.css\?v=\w+)"', visit.get(RUN).text)
        assert found is not None
        versioned, plain, old = (
            visit.get(f"/{path}") for path in (found[1], "-/llmload/page.css", "-/llmload/page.css?v=0")
        )
    assert versioned["cache-control"] == Freshness.VERSIONED.value
    assert plain["cache-control"] == old["cache-control"] == Freshness.SETTLED.value
    assert versioned.body == plain.body == old.body


def test_a_refusal_is_never_known_already(filled: Path) -> None:
    with visiting(filled) as visit:
        assert visit.get("/benchmark/nobody", {"If-None-Match": "*"}).status == 404
    assert not is_known("", '"a"')


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.csv", 'attachment; filename="a.csv"'),
        ('a"; x="b.csv', "attachment; filename=\"a__ x=_b.csv\"; filename*=UTF-8''a_%3B%20x%3D_b.csv"),
        ("../../etc/passwd", 'attachment; filename="_.._etc_passwd"'),
        ("시험.xlsx", "attachment; filename=\"__.xlsx\"; filename*=UTF-8''%EC%8B%9C%ED%97%98.xlsx"),
        ("a\r\nSet-Cookie: x", 'attachment; filename="a Set-Cookie_ x"'),
        ("", 'attachment; filename="download"'),
        ("...", 'attachment; filename="download"'),
    ],
)
def test_a_download_is_named(name: str, header: str) -> None:
    found = disposition(name)
    assert found.split(";")[0] == "attachment"
    assert "\r" not in found
    if name.isascii() and ";" not in name:
        assert found == header


@given(st.text(max_size=400))
def test_no_name_ends_a_header(name: str) -> None:
    header = disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert re.fullmatch(r"""attachment; filename="[A-Za-z0-9._ -]+"(; filename\*=UTF-8''[\w.~%-]+)?""", header)
    assert len(header) < 2_200


# ---------------------------------------------------------------- a store that changes under the site


def _copy(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(filled, tmp_path / "served.db"))


def _because(visit: Visit) -> tuple[int, str]:
    told = visit.get(f"{RUN}.json")
    return told.status, json.loads(told.body).get("error", "")


def test_pages_say_that_the_store_is_gone_and_come_back_with_it(filled: Path, tmp_path: Path) -> None:
    store = _copy(filled, tmp_path)
    with visiting(store) as visit:
        assert _because(visit)[0] == 200
        aside = store.rename(tmp_path / "aside.db")
        assert _because(visit) == (503, "the store is not there")
        assert visit.get(RUN).status == 503
        store.write_bytes(b"no database at all, but long enough to be taken for one" * 100)
        assert _because(visit)[0] == 503
        store.unlink()
        with closing(sqlite3.connect(store)) as other:
            other.execute("CREATE TABLE plants (name)")
        assert _because(visit) == (503, "this is no store of llmload")
        aside.replace(store)
        assert _because(visit)[0] == 200


def test_pages_of_an_older_store_say_how_it_is_brought_up_to_date(filled: Path, tmp_path: Path) -> None:
    store = _copy(filled, tmp_path)
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (schema.NAMES[-1],))
        connection.commit()
    with visiting(store) as visit:
        told = visit.get(RUN)
    assert told.status == 503
    assert "older llmload" in told.text
    assert "llmload runs --store served.db" in told.text


def test_pages_of_a_newer_store_say_so_also_when_it_becomes_one_while_it_is_served(
    filled: Path, tmp_path: Path
) -> None:
    store = _copy(filled, tmp_path)
    with visiting(store) as visit:
        assert _because(visit)[0] == 200
        with closing(sqlite3.connect(store)) as connection:
            connection.execute("CREATE TABLE future (x)")
            connection.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('llmload', '999 future', '')"
            )
            connection.commit()
        status, because = _because(visit)
    assert status == 503
    assert "newer llmload" in because


# ---------------------------------------------------------------- refusals and defects


def test_a_refusal_is_a_document_for_programs_and_a_page_for_people(filled: Path) -> None:
    with visiting(filled) as visit:
        asked = [
            visit.get("/benchmark/nobody.json"),
            visit.get("/trends/nothing", {"Accept": "application/json"}),
            visit.get("/a/b/c/d.json"),
        ]
        page = visit.get("/benchmark/nobody", {"Accept": "text/html,application/xhtml+xml,application/json;q=0.1"})
        korean = visit.get("/a/b/c/d?lang=ko")
    for each in asked:
        assert each.status == 404
        assert json.loads(each.body).keys() == {"error", "remedy", "status"}
    assert page["content-type"] == "text/html; charset=utf-8"
    assert "그런 페이지가 없습니다" in korean.text


def test_a_defect_tells_readers_nothing_and_the_owner_where(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = _copy(filled, tmp_path)
    with closing(sqlite3.connect(store)) as connection:  # what no version of ours leaves behind
        connection.execute("DROP TABLE results")
        connection.execute("DROP TABLE verdicts")
        connection.commit()
    with visiting(store) as visit:
        page, document = (visit.get(path) for path in (RUN, f"{RUN}.json"))
    assert (page.status, document.status) == (500, 500)
    assert "no such table" not in page.text + document.text
    assert "Traceback" not in page.text + document.text
    told = capsys.readouterr().err
    assert "OperationalError: no such table" in told
    assert 'File "' in told


# Where a facet cannot be counted, Datasette leaves those that it has begun beside it, and Python says so.
_LEFT_FACETS = pytest.mark.filterwarnings(r"ignore:coroutine '(TableView|\w*Facet)\..*never awaited:RuntimeWarning")


@_LEFT_FACETS
@pytest.mark.parametrize(
    "query",
    [
        *("_next=zzz", "_through=x", '_through={"table":"runs"}', "_timelimit=x", "_facet={}", "_facet_array=%00"),
        *("run__gt=99999999999999999999", "run__in=[1", "_json_infinity=x"),
    ],
)
def test_what_datasettes_own_pages_cannot_read_is_a_mistake_of_who_asks(query: str, filled: Path) -> None:
    with visiting(filled) as visit:
        told = visit.get(f"/{filled.stem}/run_list.json?{query}")
    assert (told.status, json.loads(told.body)["status"]) == (400, 400)


@_LEFT_FACETS
def test_no_text_of_a_query_reaches_the_terminal_of_the_server(filled: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with visiting(filled) as visit:
        visit.get(f"/{filled.stem}/run_list?_facet=%1b[31mred")
        visit.get(f"/{filled.stem}/run_list?_sort=%1b[31mred")
    assert "\x1b" not in "".join(capfd.readouterr())
