"""YAML text to a located tree: YAML 1.2 scalars, limits, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from llmload.errors import ScenarioError
from llmload.scenario.loader import load_text
from llmload.scenario.scalars import resolve
from llmload.scenario.tree import MAX_BYTES, Entries, Scalar, find, plain, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("on", "on", id="on is a text"),
        pytest.param("no", "no", id="no is a text"),
        pytest.param("y", "y", id="y is a text"),
        pytest.param("12:30", "12:30", id="a time of day is a text"),
        pytest.param("2026-01-31", "2026-01-31", id="a date is a text"),
        pytest.param("1_000", "1_000", id="underscores make a text"),
        pytest.param("true", True, id="true"),
        pytest.param("False", False, id="False"),
        pytest.param("~", None, id="tilde is null"),
        pytest.param("", None, id="nothing is null"),
        pytest.param("nULL", "nULL", id="oddly written null is a text"),
        pytest.param("-12", -12, id="negative integer"),
        pytest.param("0", 0, id="zero"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("0xff", 255, id="hexadecimal"),
        pytest.param("1.5", 1.5, id="float"),
        pytest.param(".5", 0.5, id="float without a first digit"),
        pytest.param("1e3", 1000.0, id="float with an exponent"),
        pytest.param("-.inf", -math.inf, id="minus infinity"),
        pytest.param("1.2.3", "1.2.3", id="a version is a text"),
        pytest.param("95%", "95%", id="a share is a text"),
    ],
)
def test_plain_scalars_follow_yaml_1_2(text, value):
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_read():
    assert math.isnan(resolve(".nan"))


@pytest.mark.parametrize("text", ["007", "-01", "00", "+08"])
def test_a_leading_zero_is_refused(text):
    with pytest.raises(ValueError, match="leading zero"):
        resolve(text)


def test_thousands_of_digits_are_refused():
    with pytest.raises(ValueError, match="digits"):
        resolve("9" * 5000)


def test_quoted_scalars_stay_texts():
    root, troubles = read("a: '007'\nb: \"true\"\nc: |\n  5\n", "f")
    assert not troubles
    assert plain(root) == {"a": "007", "b": "true", "c": "5\n"}


def test_places_count_characters_from_one():
    root, _ = read("ä: {ö: [x, 'ü', z]}\n", "f")
    place = find(root, ("ä", "ö", 2)).place
    assert (place.line, place.column) == (1, 17)


def test_a_byte_order_mark_is_no_part_of_the_text():
    root, troubles = read("\ufeffa: 1\n", "f")
    assert (plain(root), troubles) == ({"a": 1}, [])


def test_more_than_a_megabyte_is_refused_before_it_is_read():
    root, (trouble,) = read("a: " + "x" * MAX_BYTES, "f")
    assert root is None
    assert trouble.message == "more than 1 MB of YAML"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "], ids=["lists", "maps", "block lists"])
def test_deep_nesting_is_refused_without_a_recursion_error(opening):
    root, troubles = read(opening * 200_000, "f")
    assert root is None
    assert "nested deeper than 50 levels" in troubles[-1].message


def test_fifty_levels_are_allowed():
    root, troubles = read("[" * 50 + "]" * 50, "f")
    assert root is not None
    assert not troubles


def test_the_first_of_two_keys_is_kept_and_the_second_told():
    root, (trouble,) = read("a: 1\na: 2\n", "f")
    assert isinstance(root, Entries)
    assert root.get("a") == Scalar(1, find(root, ("a",)).place, span=(3, 4))
    assert (trouble.place.line, trouble.place.column, trouble.path) == (2, 1, "a")


def test_every_trouble_of_form_is_told_at_once():
    _, troubles = read("a: &x 1\nb: *x\na: 007\n", "f")
    assert [trouble.place.line for trouble in troubles] == [1, 2, 3, 3]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("x" * 900_000, id="letters"),
        pytest.param("1" * 900_000, id="digits"),
        pytest.param("http://h/" + "?" * 900_000, id="question marks"),
        pytest.param("'goodput >= 95%" + " " * 900_000 + "x'", id="blanks"),
        pytest.param("'" + "${" * 400_000 + "'", id="variables that never close"),
        pytest.param("'" + "a://" * 200_000 + "'", id="schemes"),
    ],
)
@pytest.mark.parametrize("key", ["slo: {ttft: %s}", "gates: [%s]", "target: {url: %s}", "%s: 1"])
@pytest.mark.timeout(20)
def test_a_megabyte_of_anything_is_judged_quickly_and_told_briefly(key, value):
    head = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  "
    with pytest.raises(ScenarioError) as caught:
        load_text(head + key % value, "s.yaml", env={}, directory=Path())
    assert len(str(caught.value)) < 20_000
