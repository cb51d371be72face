"""Quantities as people write them: what is printed is read back."""

from __future__ import annotations

import pytest

from llmload.units import format_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.0, "0s", id="nothing"),
        pytest.param(0.0005, "500us", id="below a millisecond"),
        pytest.param(0.5, "500ms", id="below a second"),
        pytest.param(90.0, "90s", id="no whole minutes"),
        pytest.param(120.0, "2m", id="whole minutes"),
        pytest.param(7200.0, "2h", id="whole hours"),
    ],
)
def test_a_duration_is_told_in_the_largest_unit_that_is_exact(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_duration_of_any_size_that_a_foreign_document_claims_is_told() -> None:
    assert format_duration(6e29 + 1.5).endswith(("s", "m", "h"))
