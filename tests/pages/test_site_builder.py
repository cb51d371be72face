"""The scenario builder in a browser: what it writes, what it says of what is wrong, and that it keeps all to itself."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from llmload.frameworks.registry import REGISTRY
from llmload.reporters.texts import Language, texts_in
from llmload.scenario.starters import starter
from llmload.site import assets
from llmload.site.asking import Asked
from llmload.site.links import Linked, StaticLinks
from llmload.site.pages import builder
from llmload.site.pages.builder import TITLES
from llmload.store.database import open_store
from tests.command import here
from tests.pages.opened import Opened
from tests.pages.served import OpenSite
from tests.pages.test_accessibility import TAGS, axe

pytestmark = pytest.mark.page


@pytest.fixture
def page(open_site: OpenSite) -> Page:
    return open_site("new", viewport={"width": 1300, "height": 900})


def written(page: Page) -> str:
    return page.locator("#yaml").text_content() or ""


def document(page: Page) -> dict[str, dict[str, object]]:
    return yaml.safe_load(written(page))


def downloaded(page: Page, folder: Path) -> Path:
    with page.expect_download() as caught:
        page.get_by_role("button", name="Download").click()
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    return path


def refused(*paths: Path) -> list[str]:
    """Which files `llmload validate` refuses, the JSON Schema included: their names."""
    done = here("validate", "--schema", "--format", "json", *(str(path) for path in paths), cwd=paths[0].parent)
    assert done.returncode in (0, 2)
    return [Path(each["file"]).name for each in json.loads(done.stdout) if not each["valid"]]


def test_each_framework_begins_as_llmload_init_does_and_is_valid(page: Page, tmp_path: Path) -> None:
    paths = []
    for name in REGISTRY:
        page.locator("#s-framework").select_option(name)
        path = downloaded(page, tmp_path)
        paths.append(path)
        assert path.name == f"{name}-chat.yaml"
        target = yaml.safe_load(path.read_text())["spec"]["target"]
        assert (target["framework"], target["url"]) == (name, yaml.safe_load(starter(name))["spec"]["target"]["url"])
    assert refused(*paths) == []


def of_load(page: Page, kind: str) -> None:
    """Fill the section of the load, and a gate on each side of it."""
    if kind == "rate":
        page.locator("#s-load").select_option("rate")
        page.locator("#f-spec-load-rate").fill("2/s, 8/s")
        page.locator("#f-spec-load-arrival").select_option("constant")
        page.locator('#gates [data-part="step"]').first.fill("8/s")
        page.locator('#gates [data-part="step"]').last.fill("2/s")
    elif kind == "ramp":
        page.locator("#f-spec-load-concurrency").fill("10, 50, 80")
        page.locator("#f-spec-load-ramp").fill("5s")
        page.locator("#s-place").select_option("simulator")


def declare(page: Page, name: str) -> None:
    """Every setting of a framework, with a value that it may have."""
    panel = page.locator(f'[data-panel="framework:{name}"]')
    for control in panel.locator("input[data-path]").all():
        control.fill("1")
    for control in panel.locator("select[data-path]").all():
        control.select_option(index=control.locator("option").count() - 1)


@pytest.mark.parametrize("kind", ["closed loop", "rate", "ramp"])
def test_validate_accepts_what_is_downloaded(page: Page, tmp_path: Path, kind: str) -> None:
    of_load(page, kind)
    page.locator("#f-spec-slo-e2e").fill("30s")
    page.get_by_role("button", name="Add a gate").click()
    row = page.locator("#gates > li").last
    row.locator('[data-part="subject"]').select_option("output_tps")
    row.locator('[data-part="op"]').select_option("within")
    row.locator('[data-part="value"]').fill("5%")
    row.locator('[data-part="level"]').select_option("warn")
    paths = []
    for name in REGISTRY:
        page.locator("#s-framework").select_option(name)
        declare(page, name)
        path = downloaded(page, tmp_path)
        paths.append(path)
        spec = yaml.safe_load(path.read_text())["spec"]
        assert len(spec["gates"]) == 3
        assert set(spec["slo"]) == {"ttft", "tpot", "e2e"}
        assert (
            len(spec["target"].get("framework_config", {}))
            == page.locator(f'[data-panel="framework:{name}"] [data-path^="spec.target.framework_config"]').count()
        )
    assert refused(*paths) == []


def priced(page: Page, gpu: str, usd: str) -> None:
    """One more row of prices."""
    page.get_by_role("button", name="Add a price").click()
    row = page.locator("#prices > li").last
    row.locator('[data-part="gpu"]').fill(gpu)
    row.locator('[data-part="usd"]').fill(usd)
    row.locator('[data-part="usd"]').blur()


def test_what_every_field_holds_is_accepted(page: Page, tmp_path: Path) -> None:
    """All that can be written at once, the folded parts included."""
    for switch, value in {"input": "normal", "output": "uniform", "key": "env", "advice": "yes"}.items():
        page.locator(f"#s-{switch}").select_option(value)
    page.locator("summary").evaluate_all("all => all.forEach(each => { each.parentElement.open = true; })")
    synthetic = "workload-prompts-synthetic"
    texts = {
        "target-model": "org/Model-7B: chat #1",
        "target-api_key-env": "LLM_API_KEY",
        "target-timeout-connect": "7s",
        "target-tls-ca_file": "/etc/ssl/ca.pem",
        f"{synthetic}-input_tokens-mean": "256.5",
        f"{synthetic}-input_tokens-stdev": "64",
        f"{synthetic}-output_tokens-uniform": "16, 512",
        "workload-seed": "9223372036854775807",
        "load-requests": "400",
        "load-duration": "1m30s",
        "load-warmup-requests": "0",
        "load-workers": "2",
        "load-guards-error_rate": "50%",
        "decision-confidence": "99.5%",
        "recommend-peak_concurrency": "500",
        "recommend-headroom": "150%",
        "recommend-gpu-model": "NVIDIA H100",
        "recommend-gpu-count": "2",
        "recommend-gpu-usd_per_hour": "2.49",
        "reports-dir": "out/보고서",
    }
    for name, text in texts.items():
        page.locator(f"#f-spec-{name}").fill(text)
    for gpu, usd in (("NVIDIA L40S", "0.99"), ("4090", "0"), ("", "")):
        priced(page, gpu, usd)
    page.locator("#f-spec-workload-prompts-synthetic-unique").uncheck()
    page.locator("#f-spec-reports-formats-html").uncheck()
    path = downloaded(page, tmp_path)
    assert refused(path) == []
    spec = yaml.safe_load(path.read_text())["spec"]
    assert spec["target"]["api_key"] == {"env": "LLM_API_KEY"}
    assert spec["target"]["model"] == texts["target-model"]
    assert spec["workload"]["seed"] == 2**63 - 1
    assert spec["workload"]["prompts"]["synthetic"] == {
        "input_tokens": {"mean": 256.5, "stdev": 64},
        "output_tokens": {"uniform": [16, 512]},
        "unique": False,
    }
    assert spec["load"]["warmup"] == {"requests": 0}
    assert "html" not in spec["reports"]["formats"]
    assert spec["recommend"] == {
        "peak_concurrency": 500,
        "headroom": "150%",
        "gpu": {"model": "NVIDIA H100", "count": 2, "usd_per_hour": 2.49},
        "prices": {"NVIDIA L40S": 0.99, "4090": 0},
    }
    assert list(spec)[-2:] == ["recommend", "reports"]


NASTY = [
    *("yes", "No", "on", "y", "null", "~", "true", "False", "", " ", "NaN", ".inf", "-", "--- ", "...", "?", "? a"),
    *("123", "0x1f", "1e5", "1_000", "007", "0o7", "12:30", "1:2:3", "2026-03-01", "2026-03-01T10:00:00Z", "1.5"),
    *("# no comment", "a # b", "a #b", "a: b", "a:", ": a", "- a", "-a", "&a", "*a", "!a", "!!str a", "%TAG", "@a"),
    *("`a`", "{a: b}", "[a]", "a, b", "'a'", '"a"', "it's", 'say "hi"', "a\\n", "\\", "|", ">", ">-", "|+", "=", "<<"),
    *(" leading", "trailing ", "two  blanks", "tab\there", "line\nbreak", "\n", "a\n\nb\n", "한국어 텍스트", "é", "😀"),
    *("${NAME}", "${NAME:-x}", "$${", "\u2028", "\u2029", "\u0085", "\u00a0x", "\ufeff", "\ufffe", "\x00", "\x1b[31m"),
]


def put_in(page: Page, texts: list[str]) -> list[tuple[str, str, str]]:
    """The YAML for each text in turn, as the description and as name and value of a label, and what these then hold."""
    return page.evaluate(
        """texts => {
            const row = document.querySelector("#labels > li");
            const [key, value] = ["key", "value"].map(part => row.querySelector(`[data-part="${part}"]`));
            const description = document.getElementById("f-metadata-description");
            return texts.map(text => {
                description.value = key.value = value.value = text;
                description.dispatchEvent(new Event("input", {bubbles: true}));
                return [document.getElementById("yaml").textContent, description.value, value.value];
            });
        }""",
        texts,
    )


def check_texts(page: Page, texts: list[str]) -> None:
    for text, description, label in put_in(page, texts):
        metadata = yaml.safe_load(text)["metadata"]
        assert metadata.get("description", "") == description
        assert metadata.get("labels", {}) == ({label: label} if label else {})


@pytest.fixture
def with_label(page: Page) -> Page:
    page.get_by_role("button", name="Add a label").click()
    return page


def test_yaml_gives_back_what_was_typed(with_label: Page) -> None:
    check_texts(with_label, NASTY)


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SHORT_TEXT = st.text(string.printable, max_size=5)


def test_yaml_gives_back_any_text(page: Page) -> None:
    """Hundreds of texts in each document, since a document is what costs time."""
    write = """texts => scenarioYaml.lines(new Map([
        ["long", texts.map(text => new Map([[`k${text}`, text]]))], ["short", texts],
    ]), () => "").join("\\n")"""

    @settings(max_examples=10, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ANY_TEXT | SHORT_TEXT, min_size=100, max_size=200))
    def holds(texts: list[str]) -> None:
        read = yaml.load(page.evaluate(write, texts), yaml.CSafeLoader)
        assert read == {"long": [{f"k{text}": text} for text in texts], "short": texts}

    holds()


WRONG = [
    ("metadata-name", "Not A Name", "Use small letters"),  # a name with blanks
    ("metadata-name", "", "Fill this in"),  # no name
    ("spec-target-url", "localhost:8000", "Begin with http://"),  # a URL without its scheme
    ("spec-target-url", "http://localhost:8000/v1", "Leave out /v1"),  # a URL with /v1
    ("spec-target-url", "http://me:secret@host", "no password here"),  # a URL with a password
    ("spec-target-url", "http://", "Name a host"),  # a URL without a host
    ("spec-workload-seed", "1.5", "whole number"),  # a fraction where a whole number is
    ("spec-workload-seed", "9223372036854775808", "9223372036854775807 or less"),  # a whole number too large
    ("spec-load-concurrency", "10, 0", "1 or more"),  # a step of none
    ("spec-load-concurrency", "10, 50, 10", "10 stands twice"),  # a step twice
    ("spec-load-duration", "60", "Write it like 500ms"),  # a time without a unit
    ("spec-load-duration", "10m", "longer than the longest step"),  # longer than the longest step
    ("spec-slo-ttft", "0ms", "more than zero"),  # a time of zero
    ("spec-decision-confidence", "45%", "50% or more"),  # a confidence that is a guess
    ("spec-decision-confidence", "100%", "less than 100%"),  # certainty
    ("spec-decision-max_requests", "100", "200 or more"),  # a sample below the first window
    ("w-vllm-gpu_memory_utilization", "1.5", "1 or less"),  # a share above one
    ("w-vllm-gpu_memory_utilization", "0", "more than 0"),  # a share of nothing
]


def test_what_is_wrong_is_said_beside_the_field_and_validate_agrees(page: Page, tmp_path: Path) -> None:
    wrong = []
    for name, text, said in WRONG:
        own = f"w-vllm-spec-target-framework_config-{name[7:]}" if name.startswith("w-") else f"f-{name}"
        control, fault = page.locator(f"#{own}"), page.locator(f"#{own}-fault")
        before = control.input_value()
        control.fill(text)
        control.blur()
        assert said in fault.inner_text(), (name, text)
        assert control.get_attribute("aria-invalid") == "true"
        assert f"{own}-fault" in (control.get_attribute("aria-describedby") or "").split()
        if text and "secret" not in text:  # the form is stricter with passwords
            wrong.append(tmp_path / f"{len(wrong)}.yaml")
            wrong[-1].write_text(written(page))
        control.fill(before)
        control.blur()
        assert fault.is_hidden()
    assert page.locator("#valid").is_visible()
    assert refused(*wrong) == [path.name for path in wrong]


CAPACITY = [
    ({"peak_concurrency": "0"}, "1 or more"),  # no peak
    ({"goodput_target": "100%"}, "less than 100%"),  # what no sample proves
    ({"goodput_target": "0%"}, "more than 0%"),  # what any server keeps
    ({"headroom": "1200%"}, "1000% or less"),  # a slip of a digit
    ({"headroom": "0.2"}, "Write it like"),  # no unit
    ({"gpu-count": "3"}, "a multiple of 2"),  # no whole replicas
    ({"gpu-usd_per_hour": "100001"}, "100000 or less"),  # a slip of the point
]


def test_a_wish_for_capacity_is_judged_as_validate_judges_it(page: Page, tmp_path: Path) -> None:
    wrong = []

    def is_told(said: str) -> None:
        page.locator("#f-metadata-name").focus()
        told = page.locator(".fault:visible").all_inner_texts()
        assert any(said in each for each in told), (said, told)
        wrong.append(tmp_path / f"{len(wrong)}.yaml")
        wrong[-1].write_text(written(page))

    page.locator("#s-advice").select_option("yes")
    page.locator("#w-vllm-spec-target-framework_config-tensor_parallel_size").fill("2")
    page.locator("#f-spec-recommend-peak_concurrency").fill("500")
    for changes, said in CAPACITY:
        for name, text in changes.items():
            control = page.locator(f"#f-spec-recommend-{name}")
            before = control.input_value()
            control.fill(text)
            is_told(said)
            control.fill(before)
    priced(page, "H100", "2,49")
    is_told("Write a number")
    page.locator('#prices [data-part="usd"]').fill("2.49")
    priced(page, "h100", "3")
    is_told("stands twice")
    page.locator("#prices > li .remove").last.click()
    page.locator("#f-spec-workload-stream").uncheck()
    page.locator("#gates > li .remove").last.click()  # p95(ttft), which needs streamed answers
    for term in ("ttft", "tpot"):
        page.locator(f"#f-spec-slo-{term}").fill("")
    is_told("write E2E under SLO")
    page.locator("#f-spec-slo-e2e").fill("30s")
    page.locator("#f-metadata-name").focus()
    assert page.locator("#valid").is_visible()
    (tmp_path / "right.yaml").write_text(written(page))
    page.locator("#gates > li .remove").last.click()
    page.locator("#s-load").select_option("rate")
    page.locator("#f-spec-load-rate").fill("2/s")
    is_told("choose the closed loop")
    assert refused(*wrong, tmp_path / "right.yaml") == [path.name for path in wrong]


def test_what_is_left_out_is_neither_written_nor_judged_but_kept(page: Page) -> None:
    page.locator("#s-advice").select_option("yes")
    page.locator("#f-spec-recommend-peak_concurrency").fill("500")
    priced(page, "H100", "much")
    page.locator("#s-advice").select_option("no")
    assert "recommend" not in document(page)["spec"]
    assert page.locator("#valid").is_visible()
    page.reload()
    page.locator("#s-advice").select_option("yes")
    assert page.locator('#prices [data-part="usd"]').input_value() == "much"
    assert page.locator("#valid").is_hidden()


def test_nothing_is_taken_away_before_it_is_right(page: Page) -> None:
    control = page.locator("#f-spec-slo-ttft")
    control.fill("500")
    page.locator("#download").click()
    assert page.locator("#summary").evaluate("each => each === document.activeElement")
    page.get_by_role("link", name="TTFT at most: Write it like 500ms").click()
    assert control.evaluate("each => each === document.activeElement")


GATES = [
    ({"value": "95"}, "Write it like"),  # no unit
    ({"value": "150%"}, "100% or less"),  # more than all
    ({"value": ""}, "Fill this in"),  # no value
    ({"step": "0.5"}, "the steps are 1, 10, 50"),  # below every step
    ({"subject": "ttft", "value": "5/s"}, "Write it like 800ms"),  # a rate of a time
    ({"subject": "rps", "value": "5 tok/s"}, "counts requests"),  # tokens of requests
    ({"subject": "output_tps", "value": "5 req/s"}, "counts tokens"),  # requests of tokens
    ({"op": "within", "value": "100%"}, "cannot get worse"),  # all of it
]


def test_a_gate_that_cannot_be_read_is_told_and_validate_agrees(page: Page, tmp_path: Path) -> None:
    wrong = []
    for changes, said in GATES:
        page.get_by_role("button", name="Start over").click()
        row = page.locator("#gates > li").first
        for name, value in changes.items():
            control = row.locator(f'[data-part="{name}"]')
            if name in ("value", "step"):
                control.fill(value)
            else:
                control.select_option(value)
        row.locator('[data-part="value"]').focus()
        row.locator('[data-part="value"]').blur()
        assert said in " ".join(row.locator(".fault").all_inner_texts()), changes
        if changes.get("value") != "":
            wrong.append(tmp_path / f"{len(wrong)}.yaml")
            wrong[-1].write_text(written(page))
    assert refused(*wrong) == [path.name for path in wrong]


def test_what_is_typed_is_judged_after_a_pause_and_not_at_each_key(page: Page) -> None:
    control = page.locator("#f-spec-slo-ttft")
    control.fill("")
    control.press_sequentially("5")
    assert control.get_attribute("aria-invalid") is None
    page.locator("#f-spec-slo-ttft[aria-invalid]").wait_for()
    control.press_sequentially("ms")
    page.locator("#f-spec-slo-ttft:not([aria-invalid])").wait_for()
    assert page.locator("#valid").is_visible()


def test_a_panel_is_swapped_within_300_ms(page: Page) -> None:
    took = page.evaluate(
        """names => names.map(name => {
            const choice = document.getElementById("s-framework");
            const began = performance.now();
            choice.value = name;
            for (const kind of ["input", "change"]) choice.dispatchEvent(new Event(kind, {bubbles: true}));
            document.querySelector(`[data-panel="framework:${name}"]`).getBoundingClientRect();
            return performance.now() - began;
        })""",
        list(TITLES),
    )
    assert max(took) < 300
    for name, title in TITLES.items():
        page.locator("#s-framework").select_option(name)
        shown = page.locator(".settings:visible")
        assert shown.count() == 1
        assert shown.locator("h3").inner_text() == f"Settings of {title}"
        assert page.locator("#for-vllm").is_visible() == (name == "vllm")
        assert page.get_by_text("AI analysis currently supports the vLLM framework only.").is_visible() == (
            name != "vllm"
        )
        assert page.locator("#announced").inner_text().startswith(f"Settings of {title}")


def test_what_the_author_changed_stays_when_the_framework_does(page: Page) -> None:
    page.locator("#f-metadata-name").fill("mine")
    page.locator("#s-framework").select_option("ollama")
    assert page.locator("#f-metadata-name").input_value() == "mine"
    assert page.locator("#f-spec-target-url").input_value() == "http://localhost:11434"


def test_rows_come_and_go_with_the_focus(page: Page) -> None:
    page.get_by_role("button", name="Add a gate").focus()
    page.keyboard.press("Enter")
    assert page.locator('#gates > li:nth-child(3) [data-part="subject"]').evaluate(
        "each => each === document.activeElement"
    )
    assert page.locator("#announced").inner_text() == "A gate was added"
    assert page.locator("#open").is_visible(), "an empty gate is no fault before one was in it"
    for left in (2, 1):
        page.locator("#gates > li .remove").first.click()
        assert page.locator("#gates > li .remove").first.evaluate("each => each === document.activeElement")
        assert page.locator("#gates > li").count() == left
    page.locator("#gates > li .remove").click()
    assert page.locator("#add-gates").evaluate("each => each === document.activeElement")
    assert "gates" not in document(page)["spec"]


def test_the_yaml_is_copied_and_that_is_said(open_site: OpenSite) -> None:
    page = open_site("new", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("The YAML was copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == written(page)


def test_nothing_is_sent_and_a_reload_loses_nothing_but_passwords(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#f-metadata-name").fill("kept")
    page.locator("#s-framework").select_option("triton")
    page.locator("#w-triton-spec-target-framework_config-instance_count").fill("4")
    page.locator("#s-load").select_option("rate")
    page.locator("#f-spec-load-rate").fill("3/s")
    page.get_by_role("button", name="Add a label").click()
    page.locator('#labels [data-part="key"]').fill("team")
    page.locator('#labels [data-part="value"]').fill("serving")
    page.locator("#f-spec-slo-ttft").fill("700ms")
    page.locator("#f-spec-slo-ttft").blur()
    assert [each for each in asked if "favicon.svg" not in each] == []  # the icon may come late
    before = written(page)
    page.reload()
    assert written(page) == before
    page.locator("#f-spec-target-url").fill("http://me:secret@host")
    page.locator("#f-spec-target-url").blur()
    assert page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])").count("secret") == 0
    page.get_by_role("button", name="Start over").click()
    assert document(page)["spec"]["target"] == {"url": "http://localhost:8000", "framework": "vllm"}


def test_without_a_script_there_are_the_starters(open_site: OpenSite) -> None:
    page = open_site("new", java_script_enabled=False)
    assert page.get_by_text("The form needs JavaScript").is_visible()
    assert page.locator("pre.yaml").first.inner_text() == starter("vllm")
    assert page.locator("#builder").is_hidden()


@pytest.mark.parametrize("path", ["new", "new?lang=ko"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(open_site: OpenSite, path: str) -> None:
    page = open_site(path, viewport={"width": 375, "height": 780}, has_touch=True)
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    for switch, value in {"advice": "yes", "load": "rate", "input": "normal", "key": "env"}.items():
        page.locator(f"#s-{switch}").select_option(value)
    for rows in ("labels", "prices"):
        page.locator(f"#add-{rows}").click()
    page.locator("#download").click()
    assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_the_form_of_a_published_site_works_from_disk(browser: Browser, site_store: Path, tmp_path: Path) -> None:
    with open_store(site_store) as store:
        answer = builder.page(Asked(texts_in(Language.EN), StaticLinks(0, Linked(), ())), store)
    (tmp_path / "assets").mkdir()
    (tmp_path / "new.html").write_bytes(answer.body)
    for name in set(assets.NAMES) - {"vega.js"}:
        (tmp_path / "assets" / name).write_bytes(assets.asset(name).body)
    context = browser.new_context(offline=True)
    opened = Opened(context.new_page(), (tmp_path / "new.html").as_uri())
    opened.page.locator("#s-framework").select_option("lmdeploy")
    path = downloaded(opened.page, tmp_path)
    context.close()
    assert refused(path) == []
    assert opened.unexpected() == []
    assert [each for each in opened.requests if not each.startswith(("file:", "blob:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_with_all_unfolded_and_much_wrong(open_site: OpenSite, scheme: str) -> None:
    page = open_site("new?lang=ko", color_scheme=scheme, bypass_csp=True)
    page.locator("#s-framework").select_option("sglang")
    page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
    for switch, value in {"advice": "yes", "load": "rate", "input": "normal", "key": "env"}.items():
        page.locator(f"#s-{switch}").select_option(value)
    for rows in ("labels", "prices"):
        page.locator(f"#add-{rows}").click()
    page.locator("#add-gates").click()
    page.locator("#download").click()
    page.evaluate(axe())
    found = page.evaluate("tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", TAGS)
    assert found["passes"]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]][:3]) for each in found["violations"]] == []
