"""Who may read a site: keys, rates, other origins, and the headers that every answer has."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.errors import UsageError
from llmload.reporters.texts import Language
from llmload.site.access import PAGE_POLICY
from llmload.site.language import preferred_language
from llmload.site.options import SiteOptions, read_options
from llmload.site.rate import RateLimit
from tests.recorded_runs import CLEAN
from tests.site.visiting import Visit, visiting

KEY = "correct horse battery staple"
RUN = f"/benchmark/{CLEAN.header.run_id}"
NAMED = {"api_key_env": "SITE_KEY"}


def _basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SITE_KEY", KEY)
    return KEY


RIGHT = {
    "a bearer token": {"Authorization": f"Bearer {KEY}"},
    "a bearer token in another case": {"Authorization": f"bearer {KEY}"},
    "a header of its own": {"X-API-Key": KEY},
    "the password of a browser": {"Authorization": _basic("anybody", KEY)},
    "a wrong one beside the right one": {"Authorization": "Bearer no", "X-API-Key": KEY},
}
WRONG = {
    "nothing": {},
    "an empty token": {"Authorization": "Bearer "},
    "the beginning of the key": {"Authorization": f"Bearer {KEY[:-1]}"},
    "the key with more behind it": {"X-API-Key": f"{KEY}!"},
    "the key as the name": {"Authorization": _basic(KEY, "")},
    "another scheme": {"Authorization": f"Token {KEY}"},
    "no base64": {"Authorization": "Basic %%%"},
    "letters beyond ASCII": {"X-API-Key": "kö"},
    "a cookie": {"Cookie": f"key={KEY}"},
}


@pytest.mark.parametrize("headers", RIGHT.values(), ids=RIGHT)
def test_the_key_opens_the_site_as(headers: dict[str, str], filled: Path, key: str) -> None:
    with visiting(filled, chosen=NAMED) as visit:
        assert visit.get(RUN, headers).status == 200


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_it_stays_closed_for(headers: dict[str, str], filled: Path, key: str) -> None:
    with visiting(filled, chosen=NAMED) as visit:
        told = visit.get(RUN, headers)
    assert told.status == 401
    assert [each.split(" ")[0] for each in told.all_of("www-authenticate")] == ["Bearer", "Basic"]
    assert "This site needs a key" in told.text
    assert CLEAN.header.scenario not in told.text


def test_a_key_in_the_address_is_none(filled: Path, key: str) -> None:
    with visiting(filled, chosen=NAMED) as visit:
        statuses = {
            visit.get(f"{RUN}?{name}=correct+horse+battery+staple").status for name in ("key", "api_key", "token")
        }
    assert statuses == {401}


def _examples(visit: Visit) -> list[str]:
    """An address for every route that this Datasette has, its own included."""
    values = {"run": CLEAN.header.run_id, "database": visit.datasette.get_database().route, "table": "run_list"}
    values |= {"pks": "1", "row": "1", "name": "page.css", "path": "app.css", "scenario": CLEAN.header.scenario}
    examples = []
    for pattern, _ in visit.datasette._routes():
        path = re.sub(r"\(\\\.\(\?P<format>[^)]*\)\)\??", "", pattern.pattern)
        path = re.sub(r"\(\?P<(\w+)>[^()]*(\([^()]*\))?[^()]*\)", lambda found: values.get(found[1], "x"), path)
        examples.append(path.replace("\\", "").removesuffix("$").replace("(.json)?", "").replace("?", ""))
    return examples


def test_no_route_of_anybody_is_open_without_the_key(filled: Path, key: str) -> None:
    with visiting(filled, chosen=NAMED) as visit:
        paths = _examples(visit)
        assert {RUN, "/-/llmload/page.css", "/-/static/app.css", "/favicon.ico", "/-/settings"} <= set(paths)
        asked = [*paths, *(f"{path}.json" for path in paths), *(f"{path}?shared=true" for path in paths)]
        open_to_all = {
            (method, path)
            for method in ("GET", "HEAD", "OPTIONS", "POST")
            for path in asked
            if visit.get(path, method=method).status != 401
        }
    assert open_to_all == set()


# What is closed to everybody, and what Datasette itself never checks: its own files and forms, with nothing of a store.
_DATASETTES_OWN = (
    *("/-/static/", "/favicon.ico", "/-/auth-token", "/-/logout", "/-/actor", "/-/allow-debug"),
    *("/-/config", "/:memory:"),
    *("/-/versions", "/-/threads", "/-/plugins", "/-/databases", "/-/permissions", "/-/messages", "/-/patterns"),
)


def test_what_metadata_allows_to_nobody_is_closed_on_every_route_with_something_of_the_store(filled: Path) -> None:
    with visiting(filled, metadata={"allow": {"id": "somebody"}}) as visit:
        asked = [path for path in _examples(visit) if not path.startswith(_DATASETTES_OWN)]
        statuses = {path: visit.get(path).status for path in asked}
        shown = visit.get(RUN)
    assert {path: status for path, status in statuses.items() if status not in {401, 403}} == {}
    assert "You may not read this" in shown.text


def test_a_database_that_nobody_may_view_is_closed_too(filled: Path) -> None:
    metadata = {"databases": {filled.stem: {"allow": False}}}
    with visiting(filled, metadata=metadata) as visit:
        assert {visit.get(path).status for path in (RUN, f"{RUN}.json", "/-/llmload/page.css")} == {403}


def test_what_is_behind_never_sees_the_key(filled: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    with visiting(filled, chosen=NAMED) as visit:
        for path in (
            RUN,
            "/nowhere",
            f"/{filled.stem}?sql=x",
            f"/{filled.stem}/none",
            "/-/metadata.json",
            "/-/settings",
        ):
            told = visit.get(path, {"X-API-Key": KEY, "Authorization": f"Bearer {KEY}"})
            assert KEY not in told.text
            assert KEY not in str(told.headers)
    out, err = capsys.readouterr()
    assert KEY not in out + err


@pytest.mark.parametrize("page", ["versions", "threads", "plugins.json", "databases.json", "%76ersions", "messages"])
def test_what_only_tells_of_the_machine_is_shown_to_nobody(page: str, filled: Path) -> None:
    with visiting(filled) as visit:
        told = visit.get(f"/-/{page}")
    assert told.status == 404
    assert str(filled) not in told.text


@pytest.mark.parametrize("path", ["/\\evil.example/", "/\\/evil.example/", "//evil.example/", "/%5cevil.example/"])
def test_no_redirect_leads_to_another_site(path: str, filled: Path) -> None:
    with visiting(filled) as visit:
        led_to = visit.get(path).all_of("location")
    assert [each for each in led_to if each.startswith(("//", "/\\")) or "://" in each] == []


def test_a_file_of_datasette_read_with_a_key_is_private_too(filled: Path, key: str) -> None:
    with visiting(filled, chosen=NAMED) as visit:
        assert visit.get("/-/static/app.css", {"X-API-Key": KEY})["cache-control"] == "private"


def test_what_was_read_with_a_key_is_kept_by_nobody_between(filled: Path, key: str) -> None:
    with visiting(filled, chosen=NAMED) as visit:
        told = visit.get(RUN, {"X-API-Key": KEY})
    assert told["cache-control"] == "private, max-age=60"
    assert {"Authorization", "X-API-Key", "Accept-Language"} <= set(told["vary"].split(", "))


# ---------------------------------------------------------------- reading only, and headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_nothing_but_reading_is_allowed(method: str, filled: Path) -> None:
    with visiting(filled) as visit:
        told = visit.get(RUN, {"Accept": "application/json"}, method)
    assert (told.status, told["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert json.loads(told.body)["status"] == 405


def test_the_head_of_an_answer_is_that_of_the_answer_without_its_body(filled: Path) -> None:
    with visiting(filled) as visit:
        whole, head = visit.get(RUN), visit.get(RUN, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head["content-length"] == str(len(whole.body))
    assert head["etag"] == whole["etag"]


@pytest.mark.parametrize("path", [RUN, f"{RUN}.json", "/nowhere", "/-/llmload/page.css", "/-/llmload/none"])
def test_pages_of_ours_may_load_nothing_but_files_of_the_site(path: str, filled: Path) -> None:
    with visiting(filled) as visit:
        told = visit.get(path)
    assert told["content-security-policy"] == PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY


@pytest.mark.parametrize(
    "path", [RUN, "/{}", "/{}/run_list", "/-/static/app.css", "/-/settings", "/{}.db", "/\xff", "/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_answer_has_the_headers_of_safety(path: str, method: str, filled: Path) -> None:
    with visiting(filled) as visit:
        told = visit.get(path.format(filled.stem), method=method)
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-frame-options"] == "DENY"
    assert told["cross-origin-opener-policy"] == told["cross-origin-resource-policy"] == "same-origin"
    assert told["referrer-policy"] == "same-origin"
    assert "unsafe-eval" not in told["content-security-policy"]
    assert "frame-ancestors 'none'" in told["content-security-policy"]


# ---------------------------------------------------------------- other origins


def test_scripts_of_no_other_site_may_read_unless_it_is_named(filled: Path) -> None:
    with visiting(filled) as visit:
        assert visit.get(RUN, {"Origin": "https://ci.example"}).all_of("access-control-allow-origin") == []
    with visiting(filled, chosen={"cors": ["https://ci.example"]}) as visit:
        told, other = (visit.get(RUN, {"Origin": origin}) for origin in ("https://ci.example", "https://evil.example"))
    assert told["access-control-allow-origin"] == "https://ci.example"
    assert other.all_of("access-control-allow-origin") == []
    assert "Origin" in told["vary"].split(", ")
    assert "Origin" in other["vary"].split(", ")


def test_a_preflight_passes_without_the_key_and_brings_nothing(filled: Path, key: str) -> None:
    asked = {"Origin": "https://ci.example", "Access-Control-Request-Method": "GET"}
    with visiting(filled, chosen={**NAMED, "cors": ["https://ci.example"]}) as visit:
        told = visit.get(f"{RUN}.json", asked, "OPTIONS")
        without = visit.get(f"{RUN}.json", {"Origin": "https://ci.example"})
        elsewhere = visit.get(f"{RUN}.json", {**asked, "Origin": "https://evil.example"}, "OPTIONS")
    assert (told.status, told.body) == (204, b"")
    assert "X-API-Key" in told["access-control-allow-headers"]
    assert (without.status, without["access-control-allow-origin"]) == (401, "https://ci.example")
    assert elsewhere.status == 401


# ---------------------------------------------------------------- rates


def test_who_asks_too_fast_is_told_when_to_come_back(filled: Path) -> None:
    with visiting(filled, chosen={"rate_limit": 0.5}, address="192.0.2.1") as visit:
        told = [visit.get(f"{RUN}.json") for _ in range(4)]
        asset = visit.get("/-/llmload/page.css")
    assert [each.status for each in told] == [200, 200, 429, 429]
    assert told[2]["retry-after"] in {"1", "2"}
    assert json.loads(told[2].body)["error"] == "Too many requests came from this address"
    assert asset.status == 200


def test_four_busy_readers_of_one_address_never_meet_the_limit() -> None:
    limit = RateLimit(SiteOptions().rate_limit_per_s)
    instants = [click + tab * 0.01 for click in range(60) for tab in range(4 * 8)]  # eight tabs each, every second
    assert {limit.wait_s("192.0.2.1", instant) for instant in instants} == {0.0}


def test_a_client_is_a_network_where_it_has_many_addresses() -> None:
    limit = RateLimit(0.25)
    assert [limit.wait_s(each, 0) > 0 for each in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")] == [
        False,
        True,
        False,
    ]
    assert [limit.wait_s(each, 0) > 0 for each in ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2")] == [
        False,
        True,
        False,
    ]


def test_a_million_addresses_take_no_more_memory_than_some_thousands() -> None:
    limit = RateLimit(1)
    for number in range(10_000):
        limit.wait_s(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0)
    assert len(limit) <= 4096


@given(st.lists(st.floats(0, 2), max_size=60), st.floats(0.5, 20))
def test_nobody_gets_more_than_the_rate_and_one_bucket(pauses: list[float], per_s: float) -> None:
    limit, now, passed = RateLimit(per_s), 0.0, 0
    for pause in pauses:
        now += pause
        passed += limit.wait_s("a", now) == 0
    assert passed <= max(1.0, 4 * per_s) + now * per_s + 1e-6


# ---------------------------------------------------------------- options and languages

REFUSED = {
    "a variable that is not set": {"api_key_env": "NOWHERE"},
    "a variable that is empty": {"api_key_env": "EMPTY"},
    "a variable of blanks": {"api_key_env": "BLANK"},
    "a key of two lines": {"api_key_env": "LINES"},
    "no name": {"api_key_env": ""},
    "a negative rate": {"rate_limit": -1},
    "a rate without end": {"rate_limit": float("inf")},
    "a rate in words": {"rate_limit": "fast"},
    "an origin with a path": {"cors": ["https://ci.example/path"]},
    "an origin with a password": {"cors": ["https://me:pw@ci.example"]},
    "an origin that ends the header": {"cors": ["https://ci.example\r\nX: y"]},
    "an origin without a scheme": {"cors": ["ci.example"]},
    "SQL in words": {"sql": "yes"},
    "a language that pages do not have": {"lang": "fr"},
    "an option that is not known": {"api_key": "secret"},
}


@pytest.mark.parametrize("chosen", REFUSED.values(), ids=REFUSED)
def test_no_site_opens_with(chosen: dict[str, object]) -> None:
    with pytest.raises(UsageError) as refusal:
        read_options(chosen, {"EMPTY": "", "BLANK": " \n", "LINES": "a\nb"})
    assert "secret" not in str(refusal.value)


def test_the_key_is_in_no_text_of_the_options() -> None:
    options = read_options({"api_key_env": "K", "cors": "HTTPS://CI.example/"}, {"K": f" {KEY}\n"})
    assert options.api_key == KEY.encode()
    assert options.origins == ("https://ci.example",)
    assert KEY not in repr(options)


PREFERRED = {
    "": None,
    "ko": Language.KO,
    "ko-KR,ko;q=0.9,en-US;q=0.8": Language.KO,
    "en-US,en;q=0.9,ko;q=0.8": Language.EN,
    "fr, ko;q=0.5, en;q=0.7": Language.EN,
    "KO": Language.KO,
    "en;q=0, ko;q=0.1": Language.KO,
    "fr, de;q=0.5, *;q=0.1": None,
    "ko;q=nan, en;q=2": None,
    "ko;q=0.5, en;q=0.5": Language.KO,
    ";;,,q=": None,
}


@pytest.mark.parametrize(("header", "language"), PREFERRED.items(), ids=lambda each: str(each) or "nothing")
def test_a_browser_prefers(header: str, language: Language | None) -> None:
    assert preferred_language(header) is language


@given(st.text(max_size=600))
def test_any_accept_language_is_read(header: str) -> None:
    assert preferred_language(header) in {None, *Language}


def test_the_page_is_in_the_language_chosen_else_preferred_else_of_the_site(filled: Path) -> None:
    def language(path: str, header: str = "") -> str:
        found = re.search(r'<html lang="(\w+)"', visit.get(path, {"Accept-Language": header}).text)
        assert found is not None
        return found[1]

    with visiting(filled, chosen={"lang": "ko"}) as visit:
        assert language(RUN) == "ko"
        assert language(RUN, "fr") == "ko"
        assert language(RUN, "en-GB") == "en"
        assert language(f"{RUN}?lang=ko", "en") == "ko"
        assert language(f"{RUN}?lang=xx", "en") == "en"
        assert "Accept-Language" in visit.get(RUN)["vary"]
