"""Tables that are aligned where they are shown and where they are written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from llmload.reporters.aligned_table import Column, Side, table
from llmload.reporters.escaping import Markdown

GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
cells = st.text(st.characters(codec=None), max_size=90) | st.text("|\\`~-: 한✅", max_size=90)


def test_columns_are_as_wide_as_their_widest_cell_and_wide_characters_count_twice() -> None:
    told = table(
        [Column("", Side.CENTRE), Column("단계"), Column("n", Side.RIGHT)],
        [("✅", "동시성 8", "1,600"), ("❌", "rate", Markdown("`2`"))],
    )
    assert told == (
        "|     | 단계     |     n |\n"
        "| :-: | -------- | ----: |\n"
        "| ✅  | 동시성 8 | 1,600 |\n"
        "| ❌  | rate     |   `2` |\n"
    )  # fmt: skip


def test_a_very_long_cell_stands_out_instead_of_widening_every_row() -> None:
    lines = table([Column("a"), Column("b")], [("x" * 300, "y"), ("short", "y")]).splitlines()
    assert lines[0] == "| a     | b   |"
    assert lines[2] == f"| {'x' * 300} | y   |"


@given(st.lists(st.tuples(cells, cells, cells), max_size=4))
def test_whatever_the_cells_hold_there_is_one_table_of_as_many_cells(rows: list[tuple[str, str, str]]) -> None:
    tokens = GITHUB.parse(table([Column("a"), Column("b", Side.CENTRE), Column("c", Side.RIGHT)], rows))
    assert [token.type for token in tokens if token.level == 0] == ["table_open", "table_close"]
    assert sum(token.type == "td_open" for token in tokens) == 3 * len(rows)
