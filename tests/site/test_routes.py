"""Any request to any route: an answer, never a defect, and never a byte written."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.recorded_runs import CLEAN
from tests.site.stores import fill
from tests.site.visiting import Told, Visit, visiting

# Where a facet cannot be counted, Datasette leaves those that it has begun beside it, and Python says so.
pytestmark = pytest.mark.filterwarnings(r"ignore:coroutine '(TableView|\w*Facet)\..*never awaited:RuntimeWarning")

RUN = CLEAN.header.run_id
PLACES = (
    "/",
    "/history.json",
    "/benchmark/{}",
    "/benchmark/{}.json",
    "/benchmark/{}/export?format={}",
    "/benchmark/{}/events",
    "/compare?runs={}",
    "/compare.json?runs={}",
    "/compare?runs={},{}",
    "/trends/{}",
    "/trends/{}.json",
    "/recommend",
    "/recommend/{}",
    "/recommend/{}.json",
    "/new",
    "/new.json",
    "/-/llmload/{}",
    "/?scenario={}&model={}&after={}&verdict={}&label={}&status={}&framework={}",
    "/history.json?after={}&limit={}&label={}",
    "/{}",
    "/{}/{}",
    "/llmload/{}",
    "/llmload/run_list?_sort={}&_facet={}&_size={}",
    "/llmload/run_list.json?_next={}&_col={}&run__contains={}",
    "/llmload/steps-of-a-run?run={}",
    "/llmload/runs/{}",
)
HOSTILE = {
    "nothing": "",
    "a run that is there": RUN,
    "a null": "%00",
    "an encoded slash": "a%2Fb",
    "a folder up": "..%2F..%2F..%2Fetc%2Fpasswd",
    "dots": "..",
    "a tilde": "~2F~00~",
    "half an escape": "%",
    "a wrong escape": "%zz%u1234",
    "invalid UTF-8": "%ff%fe%c0%80",
    "Korean": quote("시험"),
    "a surrogate": "%ed%a0%80",
    "right to left": quote("\u202eabc\u2066"),
    "SQL": quote("' OR 1=1; DROP TABLE runs; --"),
    "more SQL": quote('" UNION SELECT * FROM requests --'),
    "HTML": quote("<script>alert(1)</script>"),
    "an attribute": quote("\" onmouseover=alert(1) x='"),
    "a template": quote("{{ 7 * 7 }}{% for %}"),
    "a header": "a%0d%0aSet-Cookie:%20x=y",
    "a number beyond all": "9" * 400,
    "a negative number": "-1",
    "not a number": "nan",
    "JSON": quote('{"a": [1, {"b": null}]}'),
    "very long": "x" * 8000,
    "very deep": "a/" * 1000,
    "brackets": quote("[" * 500),
    "many names": ",".join(["a"] * 1000),
    "repeated": "a&runs=b&lang=ko&lang=xx&after=1&after=2",
}
HEADERS = {
    "languages without end": (b"accept-language", b"ko;q=0.1," * 500),
    "a language that is none": (b"accept-language", b"\xff\xfe;q=abc"),
    "a cookie that cannot be read": (b"cookie", b"a=b; =; ds_actor=x; \x00[]{}=1; ds_messages=zzz"),
    "an unsigned cookie": (b"cookie", b"ds_actor=eyJhIjp7ImlkIjoicm9vdCJ9fQ.x.y"),
    "a tag that is none": (b"if-none-match", b'"\xff", W/,,"'),
    "a host of somebody": (b"host", b"evil.example\r\nx"),
    "an accepted type": (b"accept", b"\xff/\xff;q=9, application/json"),
    "a range": (b"range", b"bytes=0-,5-2"),
    "a forwarded address": (b"x-forwarded-for", b"<script>"),
    "an authorization": (b"authorization", b"Basic \xff\xff"),
    "an origin": (b"origin", b"null"),
}


def _digests(store: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in store.parent.iterdir()
        if not path.name.endswith("-shm") and path.stat().st_size  # who reads a log in use may lay an empty one down
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """One site for all requests of this module; in the end its files are what they were."""
    store = fill(tmp_path_factory.mktemp("routes") / "llmload.db")
    before = _digests(store)
    with visiting(store, chosen={"sql": True}) as visit:
        yield visit
        gc.collect()
    assert _digests(store) == before


class _Tags(HTMLParser):
    """Finds tags and attributes that no page of anybody has of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.injected: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.injected += [name for name, _ in attrs if name == "onmouseover"]

    def handle_data(self, content: str) -> None:
        if self.lasttag == "script" and content.startswith("alert"):
            self.injected.append(content)


def _is_sound(told: Told) -> bool:
    """An answer that is neither a defect nor shows one, and in which nothing of the request has become a tag."""
    shown = told.body.decode("utf-8", "replace")
    tags = _Tags()
    if "html" in "".join(told.all_of("content-type")):
        tags.feed(shown)
    headers = "".join(f"{name}{value}" for name, value in told.headers)
    return (
        told.status < 500
        and "Traceback" not in shown
        and tags.injected == []
        and "\r" not in headers
        and not told.all_of("set-cookie")
    )


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_every_route_answers_to(hostile: str, site: Visit, capsys: pytest.CaptureFixture[str]) -> None:
    unsound = {}
    for place in PLACES:
        path, _, query = place.replace("{}", hostile).encode().partition(b"?")
        if b"/events" in path and RUN.encode() not in path:
            continue  # of a run that is not there it is a page; the stream itself has its own tests
        told = site.send("GET", path, query, [])
        if not _is_sound(told):
            unsound[place] = told.status
    assert unsound == {}
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("path", [f"/benchmark/{RUN}", "/nowhere", "/llmload/run_list", "/-/llmload/page.css"])
def test_every_route_answers_with(header: tuple[bytes, bytes], path: str, site: Visit) -> None:
    assert _is_sound(site.send("GET", path.encode(), b"", [header]))


_BYTES = st.binary(max_size=60).map(lambda raw: quote(raw, safe="/~%&=+;,'").encode())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PLACES), _BYTES, _BYTES, st.sampled_from(["GET", "HEAD"]))
def test_any_bytes_get_an_answer(site: Visit, place: str, inside: bytes, behind: bytes, method: str) -> None:
    path, _, query = place.encode().replace(b"{}", inside).partition(b"?")
    if not path.startswith(b"/benchmark/") or not path.endswith(b"/events"):
        assert _is_sound(site.send(method, path, query + behind, []))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_bytes_that_are_no_address_get_an_answer_too(site: Visit, path: bytes, query: bytes) -> None:
    assert site.send("GET", b"/" + path, query, []).status < 500


def test_injected_sql_finds_nothing(site: Visit) -> None:
    everything = site.get("/llmload/steps-of-a-run.json?_shape=array&run=x'+OR+'1'='1")
    assert everything.body.strip() == b"[]"
    assert site.get(f"/benchmark/{quote(chr(39) + ' OR 1=1 --')}").status == 404
