"""`junit.xml`: the gates as test cases (cases.py), so that a CI names the promise that was broken, and where."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from llmload.domain import RunResult
from llmload.plain_text import plain
from llmload.reporters.cases import Case, Suite, suites_of


def render(run: RunResult) -> bytes:
    """The flavour that GitHub, GitLab and most viewers read: with file, line and the figures on each case."""
    return _bytes(_tree(run))


def render_strict(run: RunResult) -> bytes:
    """The flavour that validates against the Jenkins xunit schema, junit-10.xsd: no file, line or case properties."""
    root = _tree(run)
    root.attrib.pop("skipped")
    for case in root.iter("testcase"):
        for name in ("file", "line"):
            case.attrib.pop(name, None)
        for properties in case.findall("properties"):
            case.remove(properties)
    return _bytes(root)


def _tree(run: RunResult) -> ET.Element:
    suites = suites_of(run)
    root = ET.Element("testsuites", name=plain(run.header.title))
    for suite in suites:
        root.append(_suite_element(run, suite))
    _write_counts(root, suites)
    return root


def _suite_element(run: RunResult, suite: Suite) -> ET.Element:
    element = ET.Element("testsuite", name=suite.name)
    _write_counts(element, [suite])
    element.set("timestamp", plain(run.header.created))
    _write_properties(element, suite.properties)
    for case in suite.cases:
        element.append(_case_element(suite, case))
    if suite.notes:
        ET.SubElement(element, "system-out").text = suite.notes
    return element


def _case_element(suite: Suite, case: Case) -> ET.Element:
    element = ET.Element("testcase", classname=suite.classname, name=case.name, time=_seconds(case.time_s))
    if case.file and case.line is not None:
        element.set("file", case.file)
        element.set("line", str(case.line))
    _write_properties(element, case.properties)
    if case.tag:
        ET.SubElement(element, case.tag, type=case.kind, message=case.text).text = case.text
    return element


def _write_counts(element: ET.Element, suites: list[Suite]) -> None:
    element.set("tests", str(sum(len(suite.cases) for suite in suites)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(sum(suite.count(tag) for suite in suites)))
    element.set("time", _seconds(sum(case.time_s for suite in suites for case in suite.cases)))


def _write_properties(element: ET.Element, properties: tuple[tuple[str, str], ...]) -> None:
    if properties:
        parent = ET.SubElement(element, "properties")
        for name, value in properties:
            ET.SubElement(parent, "property", name=name, value=value)


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _bytes(root: ET.Element) -> bytes:
    ET.indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode").encode() + b"\n"
