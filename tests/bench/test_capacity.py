"""The truth table of capacity: which advice counts as right, and which figures are not used."""

from __future__ import annotations

import pytest

from llmload.verdict import Caveat
from tests.bench.capacity import Answer, Unfit, judged, refuse_late, told


@pytest.mark.parametrize(
    ("truth", "advised", "is_right"),
    [
        pytest.param(8, 8, True, id="exact"),
        pytest.param(1, 2, True, id="one replica more"),
        pytest.param(2, 1, True, id="one replica less"),
        pytest.param(8, 10, False, id="a quarter more"),
        pytest.param(10, 12, True, id="a fifth more"),
        pytest.param(10, 13, False, id="more than a fifth"),
        pytest.param(5, None, False, id="no advice"),
        pytest.param(None, 8, False, id="no truth"),
    ],
)
def test_advice_is_right_within_a_fifth_or_one_replica(truth: int | None, advised: int | None, is_right: bool) -> None:
    answer = Answer("seats", 1, 40, truth, advised, advised)
    assert answer.is_right is is_right
    (row,) = judged([answer])
    assert row.measured == int(is_right)


def test_the_table_tells_what_is_missing() -> None:
    text = told([Answer("seats", 1, 40, None, 9, 11), Answer("seats", 3, 40, None, None, None)])
    assert text.splitlines()[1].split() == ["seats", "40", ">", "8", "9", "(11)", "none", "(none)", "?,", "?"]


def test_figures_of_a_late_client_are_refused() -> None:
    refuse_late((Caveat("tokens disagree", "", ""),), "at 8")
    with pytest.raises(Unfit, match="at 8: client was late: by 40 ms"):
        refuse_late((Caveat("client was late", "by 40 ms", "", is_fatal=True),), "at 8")
