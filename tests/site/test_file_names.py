"""Names of foreign stores as files: every file system takes them, keeps them apart, and none leaves its folder."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.site.links import Linked, StaticLinks, comparison_file, file_name

RESERVED = ("con", "prn", "aux", "nul", "com1", "lpt9", "CON", "nul.txt", "com1.html")
NAMES = st.one_of(st.text(), st.sampled_from(RESERVED), st.from_regex(r"[A-Za-z0-9~._/-]{1,12}", fullmatch=True))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("20260105-123456-f4bf3157", id="a run"),
        pytest.param("chat-p99", id="a scenario"),
        pytest.param("qwen2.5_7b", id="with a point"),
        pytest.param("console", id="begins like a reserved name"),
        pytest.param("a" * 100, id="as long as a scenario may be"),
    ],
)
def test_a_safe_name_is_kept(name: str) -> None:
    assert file_name(name) == name


@given(name=NAMES)
def test_every_name_becomes_a_safe_one(name: str) -> None:
    made = file_name(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._~-]{0,99}", made)
    assert not made.endswith(".")
    assert made.split(".")[0] not in RESERVED


@given(one=NAMES, other=NAMES)
def test_two_names_are_never_one_file_not_even_where_case_does_not_count(one: str, other: str) -> None:
    assert (one == other) == (file_name(one).lower() == file_name(other).lower())


@given(name=NAMES)
def test_a_name_that_was_made_is_not_taken_for_another_one(name: str) -> None:
    made = file_name(name)
    assert made == name or file_name(made) != made


@given(names=st.lists(NAMES, min_size=2, max_size=2))
def test_a_comparison_lies_two_folders_down(names: list[str]) -> None:
    assert len(comparison_file(names).split("/")) == 3
    assert StaticLinks(2, Linked(), ()).compare(names) == f"../../{comparison_file(names)}"


def test_a_page_knows_what_else_must_be_there() -> None:
    linked = Linked()
    links = StaticLinks(0, linked, ())
    assert links.history() == "index.html"
    assert [links.history({"before": "b"}), links.history({"before": "a"}), links.history({"before": "b"})] == [
        "page-2.html",
        "page-3.html",
        "page-2.html",
    ]
    links.compare(["a", "b"])
    assert linked.histories == [(), (("before", "b"),), (("before", "a"),)]
    assert list(linked.comparisons) == [("a", "b")]
