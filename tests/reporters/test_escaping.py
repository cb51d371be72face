"""Foreign text does nothing but be read."""

from __future__ import annotations

import re

import lxml.html
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from llmload.plain_text import plain
from llmload.reporters.escaping import markdown_code, markdown_html, markdown_prose, spreadsheet

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
anything = st.text(st.characters(codec=None), max_size=200) | st.text(
    "\x1b[]0;m\x07`*_<>|\\\n#@!&$~-=+.1 a/:", max_size=60
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b[31mred\x1b[0m", "red", id="colours"),
        pytest.param("a\x1b]0;title\x07b", "ab", id="window title"),
        pytest.param("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb", id="terminal link"),
        pytest.param("a\x9b2Jb", "ab", id="eight bit sequence"),
        pytest.param("a\r\n\tb\u2028c", "a b c", id="line ends"),
        pytest.param("user\u202etxt.exe", "usertxt.exe", id="reversed reading"),
        pytest.param("a\x00\x08b", "ab", id="controls"),
        pytest.param("a\ud800b", "a\ufffdb", id="half a character"),
        pytest.param("서버 과부하 🔥", "서버 과부하 🔥", id="other scripts stay"),
        pytest.param("x" * 12, "xxxxxxxxxx … [2 more characters]", id="too long"),
    ],
)
def test_plain_text_is_one_harmless_line(text: str, shown: str) -> None:
    assert plain(text, limit=10 if "xx" in text else 400) == shown


@given(anything)
def test_plain_text_never_holds_controls_and_can_be_encoded(text: str) -> None:
    shown = plain(text, 80)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert len(shown.encode().decode()) <= 80 + 40
    assert plain(shown) == shown


@given(anything)
def test_markdown_prose_makes_no_markup_and_reads_the_same(text: str) -> None:
    for prefix, suffix in (("", ""), ("- word ", ""), ("word\n", "\nword")):
        tokens = MARKDOWN.parse(f"{prefix}{markdown_prose(text, 80)}{suffix}")
        inline = [child for token in tokens if token.type == "inline" for child in token.children or ()]
        assert {token.type for token in tokens} <= {
            "paragraph_open",
            "paragraph_close",
            "inline",
            "bullet_list_open",
            "bullet_list_close",
            "list_item_open",
            "list_item_close",
        }
        assert sum(token.type == "bullet_list_open" for token in tokens) == prefix.startswith("-")
        assert {child.type for child in inline} <= {"text", "text_special", "softbreak"}
        if not prefix:
            assert "".join(child.content for child in inline).replace("\u200b", "") == plain(text, 80)


@given(anything)
def test_text_in_the_html_of_a_fold_makes_no_markup_and_reads_the_same(text: str) -> None:
    fold = f"<details>\n<summary>{markdown_html(text, 80)}</summary>\n\nword\n</details>\n"
    (summary,) = lxml.html.fromstring(MARKDOWN.render(fold)).findall(".//summary")
    assert list(summary) == []
    seen = " ".join((summary.text or "").replace("\u200b", "").split())
    assert seen == " ".join(plain(text, 80).split())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("<b>&amp;", "&lt;b&gt;&amp;amp;", id="tags and entities"),
        pytest.param(
            "@all see #12 and gh-12", "@\u200ball see #\u200b12 and gh-\u200b12", id="mentions and references"
        ),
        pytest.param("https://evil.example", "https&#58;//evil.example", id="an address"),
        pytest.param("$1$", "&#36;1&#36;", id="a formula"),
    ],
)
def test_html_in_markdown_refers_to_nothing(text: str, shown: str) -> None:
    assert markdown_html(text) == shown


@given(anything, st.sampled_from([markdown_prose, markdown_code]))
def test_markdown_stays_in_its_table_cell(text: str, escape) -> None:
    tokens = MARKDOWN.parse(f"| a | b |\n|---|---|\n| {escape(text, 80)} | end |\n")
    assert sum(token.type == "td_open" for token in tokens) == 2
    assert [token.content for token in tokens if token.type == "inline"][-1] == "end"
    assert not [token for token in tokens if token.type.startswith("html")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("p95(ttft) <= 800ms", "`p95(ttft) <= 800ms`", id="harmless is code"),
        pytest.param("<script>", "&lt;script>", id="a tag is prose"),
        pytest.param("a|b`c", r"a\|b\`c", id="cell and code marks"),
        pytest.param("@all see #12", "@\u200ball see #\u200b12", id="mentions and references"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_markdown_code_is_used_only_where_it_is_surely_harmless(text: str, shown: str) -> None:
    assert markdown_code(text) == shown


@pytest.mark.parametrize("address", ["http://evil.example", "www.evil.example", "HTTPS://evil.example"])
def test_an_address_does_not_become_a_link(address: str) -> None:
    assert MarkdownIt("gfm-like", {"linkify": False}).render(markdown_prose(address)).count("<a ") == 0
    assert not re.search(r"(?i)(https?:|www\.)", markdown_prose(address))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " -", "＝", "\x00=", "\u200b@"])
def test_a_cell_that_would_be_a_formula_is_text(start: str) -> None:
    assert spreadsheet(f"{start}1").startswith("'")


def test_other_cells_stay_as_they_are() -> None:
    assert spreadsheet("qwen3-14b") == "qwen3-14b"


def test_no_printable_character_is_ever_taken_out_so_that_printable_text_needs_no_search() -> None:
    printable = "".join(character for character in map(chr, range(0x110000)) if character.isprintable())
    for begin in range(0, len(printable), 400):
        some = f"x{printable[begin : begin + 398]}x"
        assert plain(some.replace(" ", "")) == some.replace(" ", "")
        assert plain(f"{some}\0", 400) == some  # the way that searches
