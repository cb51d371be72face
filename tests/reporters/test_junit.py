"""JUnit: red exactly when the exit code is, each broken promise by name, and valid for Jenkins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped
from lxml import etree

from llmload.domain import RunResult
from llmload.promises import Bound, Gate, Level
from llmload.reporters import junit
from llmload.verdict import Caveat, Status, Verdict
from tests.recorded_comparisons import ADVISED, REGRESSED, UNLIKE
from tests.recorded_runs import CLEAN, HOSTILE, LONG_ERROR, TROUBLE

JENKINS = etree.XMLSchema(etree.parse(Path(__file__).parent / "junit-10.xsd"))
UNREACHABLE = replace(
    TROUBLE,
    target=None,
    steps=(),
    status=Status.ERROR,
    exit_code=5,
    because="http://127.0.0.1:9 refused the connection",
    caveats=(Caveat("target", "nothing listens", "Start the server", is_fatal=True, kind="ServerNotReady"),),
)


def judged(status: Status, *, kind: str = "", level: Level = Level.FAIL, **run: object) -> RunResult:
    """The first step of the clean run with one verdict."""
    gate = Gate("goodput", Bound(">=", 0.95), level=level, line=7)
    verdict = Verdict(gate, "concurrency 1", status, "it was so", "do this", kind)
    return replace(CLEAN, steps=(replace(CLEAN.steps[0], verdicts=(verdict,)),), status=status, **run)


def parsed(run: RunResult) -> etree._Element:
    return etree.fromstring(junit.render(run))


def outcome(run: RunResult) -> tuple[str, str | None]:
    """Tag and type of what the first case carries."""
    found = [child for child in parsed(run).find("testsuite/testcase") if child.tag != "properties"]
    return (found[0].tag, found[0].get("type")) if found else ("passed", None)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(judged(Status.PASS), ("passed", None), id="kept"),
        pytest.param(judged(Status.FAIL, kind="SloViolation", exit_code=3), ("failure", "SloViolation"), id="broken"),
        pytest.param(judged(Status.FAIL, kind="Regression", exit_code=3), ("failure", "Regression"), id="regression"),
        pytest.param(judged(Status.ERROR, kind="NoData", exit_code=5), ("error", "NoData"), id="no data"),
        pytest.param(
            judged(Status.INCONCLUSIVE, kind="TooFewRequests"), ("skipped", "TooFewRequests"), id="open, policy warn"
        ),
        pytest.param(
            judged(Status.INCONCLUSIVE, kind="TooFewRequests", exit_code=4, fails_on=("inconclusive",)),
            ("failure", "Inconclusive"),
            id="open, policy fail",
        ),
        pytest.param(
            judged(Status.INCOMPARABLE, fails_on=("inconclusive",)), ("skipped", "Incomparable"), id="other policy"
        ),
        pytest.param(
            judged(Status.INCOMPARABLE, kind="NoBaseline", exit_code=4, fails_on=("missing_baseline",)),
            ("failure", "NoBaseline"),
            id="no baseline, policy fail",
        ),
        pytest.param(judged(Status.INCOMPARABLE, kind="NoBaseline"), ("skipped", "NoBaseline"), id="no baseline"),
        pytest.param(
            judged(Status.INCOMPARABLE, kind="Incomparable", exit_code=4, fails_on=("incomparable",)),
            ("failure", "Incomparable"),
            id="incomparable, policy fail",
        ),
        pytest.param(judged(Status.INCONCLUSIVE, kind="TooNoisy"), ("skipped", "TooNoisy"), id="too noisy"),
        pytest.param(judged(Status.INCONCLUSIVE, kind="TooFewRuns"), ("skipped", "TooFewRuns"), id="too few runs"),
        pytest.param(judged(Status.FAIL, kind="Advisory", level=Level.WARN), ("skipped", "Advisory"), id="advisory"),
        pytest.param(judged(Status.PASS, kind="Advisory", level=Level.WARN), ("passed", None), id="kept, advisory"),
        pytest.param(
            judged(Status.FAIL, kind="SloViolation", level=Level.WARN), ("skipped", "SloViolation"), id="only warns"
        ),
    ],
)
def test_a_verdict_becomes_the_outcome_that_agrees_with_the_exit_code(
    run: RunResult, expected: tuple[str, str | None]
) -> None:
    assert outcome(run) == expected
    root = parsed(run)
    assert bool(run.exit_code) == bool(int(root.get("failures")) + int(root.get("errors")))


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(CLEAN, id="clean"),
        pytest.param(TROUBLE, id="full of trouble"),
        pytest.param(UNREACHABLE, id="nothing measured"),
        pytest.param(REGRESSED, id="regressed"),
        pytest.param(UNLIKE, id="incomparable"),
    ],
)
def test_the_strict_flavour_is_valid_for_jenkins(run: RunResult) -> None:
    document = etree.fromstring(junit.render_strict(run))
    JENKINS.assertValid(document)
    assert not document.xpath("//testcase/@file | //testcase/@line | //testcase/properties")


def test_the_usual_flavour_leads_to_the_line_of_the_gate() -> None:
    case = parsed(TROUBLE).xpath("//testcase[failure]")[0]
    assert (case.get("file"), case.get("line")) == ("scenarios/채팅 <b>.yaml", "31")
    assert case.get("name") == "goodput >= 95% at concurrency <= 50"
    assert case.get("classname") == "qwen3-14b-chat.concurrency 50"


def test_a_relative_gate_leads_to_its_line_and_says_what_it_rests_on() -> None:
    (failure,) = parsed(REGRESSED).xpath("//failure")
    assert (failure.get("type"), failure.getparent().get("line")) == ("Regression", "33")
    assert "8.24% worse, 3.24 points above the target (<= 5% worse)" in failure.text
    assert "interval 6.11% to 10.41% worse at 95% confidence; n 5 pairs." in failure.text
    properties = {each.get("name"): each.get("value") for each in parsed(REGRESSED).xpath("//testsuite/properties/*")}
    assert properties["reference"].startswith("Measured in turns with run 01JZK5A")
    assert properties["repeats"].startswith("The ladder was climbed 5 times")


def test_an_advisory_verdict_says_why_it_is_not_red() -> None:
    (skipped,) = parsed(ADVISED).xpath("//skipped[@type='Advisory']")
    assert skipped.text.startswith("Advisory, does not break the build.")


def test_a_gate_without_a_known_line_has_no_file_either() -> None:
    case = parsed(TROUBLE).xpath("//testcase[@name='error_rate <= 5%']")[0]
    assert case.get("line") is None
    assert case.get("file") is None


@pytest.mark.parametrize("flavour", [junit.render, junit.render_strict], ids=["usual", "strict"])
def test_counts_are_those_of_the_cases(flavour) -> None:
    root = etree.fromstring(flavour(TROUBLE))
    for suite in root.findall("testsuite"):
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(attribute)) == len(suite.findall(f"testcase/{tag}"))
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
    assert int(root.get("tests")) == len(root.findall(".//testcase")) == 14


def test_every_step_has_a_measurement_with_its_wall_time_in_at_most_three_decimals() -> None:
    cases = parsed(TROUBLE).xpath("//testcase[@name='measurement']")
    assert [case.get("time") for case in cases] == ["216.216", "119.696", "12.000", "57.143"]


def test_a_spoilt_measurement_names_what_spoilt_it() -> None:
    error = parsed(TROUBLE).xpath("//testsuite[3]/testcase[@name='measurement']/error")[0]
    assert error.get("type") == "ClientSaturated"
    assert "61ms" in error.get("message")
    assert "another machine" in error.get("message")


def test_a_run_that_could_not_measure_is_one_measurement_in_error() -> None:
    root = parsed(UNREACHABLE)
    (case,) = root.findall(".//testcase")
    assert case.get("name") == "measurement"
    assert case.find("error").get("type") == "ServerNotReady"
    assert "Start the server" in case.find("error").get("message")
    assert root.get("errors") == "1"


@pytest.mark.parametrize(
    ("exit_code", "kind"), [(130, "Interrupted"), (143, "Terminated"), (70, "InternalError"), (5, "NotMeasured")]
)
def test_a_run_that_ended_early_is_red_though_every_measured_step_passed(exit_code: int, kind: str) -> None:
    root = parsed(replace(CLEAN, exit_code=exit_code, status=Status.ERROR, because="stopped after step 3"))
    assert root.xpath("//error/@type") == [kind]
    assert "stopped after step 3" in root.xpath("//error/@message")[0]


def test_an_open_question_that_fails_the_run_as_a_whole_is_a_failure() -> None:
    root = parsed(replace(CLEAN, exit_code=4, status=Status.INCONCLUSIVE, because="not complete"))
    assert root.xpath("//failure/@type") == ["Inconclusive"]


def test_a_step_that_was_promised_but_never_measured_is_red() -> None:
    never = replace(CLEAN.steps[1], looks=(), verdicts=())
    run = replace(UNREACHABLE, steps=(CLEAN.steps[0], never))
    assert parsed(run).xpath("//testsuite[2]/testcase/error/@type") == ["ServerNotReady"]


def test_the_text_stands_in_the_message_and_in_the_body_with_all_figures() -> None:
    failure = parsed(TROUBLE).xpath("//failure")[0]
    assert failure.text == failure.get("message")
    for figure in ("90.68%", ">= 95%", "88.12% to 92.74%", "n 1,600", "effective n 663", "deff 2.41", "more capacity"):
        assert figure in failure.text


def test_a_long_hostile_error_is_cut_and_its_forbidden_characters_are_gone() -> None:
    text = parsed(TROUBLE).xpath("//error[@type='NoData']")[0].text
    assert len(text) < len(LONG_ERROR)
    assert "more characters]" in text
    assert "Send one request by hand" in text
    assert "서버 과부하 🔥 <b>retry</b> ]]> &" in text
    assert HOSTILE not in text


def test_the_figures_of_a_step_are_its_properties() -> None:
    step = {each.get("name"): each.get("value") for each in parsed(TROUBLE).xpath("//testsuite[2]/properties/property")}
    assert step["goodput"] == "0.906875"
    assert step["ttft_p95_ms"] == "963"
    assert step["errors.HTTP_503"] == "18"
    dead = parsed(TROUBLE).xpath("//testsuite[3]/properties/property/@name")
    assert "output_tps" not in dead, "a missing figure is no property"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(lambda root: root.find("testsuite/testcase").set("file", "a.yaml"), "file", id="file of a case"),
        pytest.param(lambda root: root.find("testsuite/testcase").set("line", "3"), "line", id="line of a case"),
        pytest.param(
            lambda root: etree.SubElement(root.find("testsuite/testcase"), "properties"),
            "properties",
            id="case property",
        ),
        pytest.param(lambda root: root.set("skipped", "2"), "skipped", id="skipped at the root"),
        pytest.param(lambda root: root.find("testsuite").attrib.pop("errors"), "errors", id="a suite without a count"),
        pytest.param(lambda root: root.find("testsuite").set("time", "1e3"), "time", id="seconds with an exponent"),
        pytest.param(
            lambda root: root.find("testsuite/testcase").attrib.pop("name"), "name", id="a case without a name"
        ),
        pytest.param(
            lambda root: etree.SubElement(root.find("testsuite/testcase"), "warning"), "warning", id="another outcome"
        ),
    ],
)
def test_what_the_strict_flavour_leaves_out_jenkins_would_refuse(
    change: Callable[[etree._Element], object], problem: str
) -> None:
    document = etree.fromstring(junit.render_strict(TROUBLE))
    change(document)
    assert not JENKINS.validate(document)
    assert f"'{problem}'" in str(JENKINS.error_log)


def test_the_strict_flavour_has_every_case_and_outcome_of_the_usual_one() -> None:
    def told(document: bytes) -> list[tuple[str, str, list[str]]]:
        cases = etree.fromstring(document).iter("testcase")
        kinds = ("failure", "error", "skipped")
        return [(c.get("name"), c.get("time"), [e.get("type") for e in c if e.tag in kinds]) for c in cases]

    assert told(junit.render_strict(TROUBLE)) == told(junit.render(TROUBLE))


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(CLEAN, id="clean"),
        pytest.param(TROUBLE, id="full of trouble"),
        pytest.param(UNREACHABLE, id="nothing measured"),
        pytest.param(ADVISED, id="advised"),
    ],
)
def test_a_parser_that_ci_tools_use_reads_the_counts_that_it_counts_itself(run: RunResult) -> None:
    read = JUnitXml.fromstring(junit.render(run))
    written = [(s.name, s.tests, s.failures, s.errors, s.skipped) for s in read]
    read.update_statistics()
    assert [(s.name, s.tests, s.failures, s.errors, s.skipped) for s in read] == written
    assert [case.name for suite in read for case in suite if case.name == "measurement"] == ["measurement"] * len(
        written
    )


def test_a_parser_that_ci_tools_use_reads_outcomes_properties_and_places() -> None:
    failing = list(JUnitXml.fromstring(junit.render(TROUBLE)))[1]
    assert failing.name == "qwen3-14b-chat / concurrency 50"
    assert failing.time == 119.696
    cases = list(failing)
    assert [[(type(each), each.type) for each in case.result] for case in cases] == [
        [(Failure, "SloViolation")],
        [(Skipped, "TooCloseToCall")],
        [(Skipped, "SloViolation")],
        [],
        [],
    ]
    assert cases[0].result[0].text == cases[0].result[0].message
    assert "more capacity" in cases[0].result[0].text
    properties = {each.name: each.value for each in failing.properties()}
    assert (properties["goodput"], properties["errors.HTTP_503"]) == ("0.906875", "18")
    dead = list(JUnitXml.fromstring(junit.render(TROUBLE)))[2]
    assert [(type(each), each.type) for case in dead for each in case.result] == [
        (Error, "NoData"),
        (Error, "ClientSaturated"),
        (Error, "ClientSaturated"),
    ]
