"""The expressions of workflow files, as the local runner evaluates them."""

from __future__ import annotations

import pytest

from tests.ci.expressions import Context, ExpressionError, Value, evaluate, interpolate

NAMES: dict[str, Value] = {
    "inputs": {"comment": "never", "fail-on": "Gate", "empty": ""},
    "steps": {"run": {"outcome": "skipped", "outputs": {"job-code": "3"}}},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        pytest.param("inputs.comment", "never", id="a name"),
        pytest.param("${{ inputs.comment }}", "never", id="a name in braces"),
        pytest.param("steps.run.outputs.job-code", "3", id="a name with dashes"),
        pytest.param("steps.none.outputs.code", None, id="a step that never ran"),
        pytest.param("inputs.fail-on == 'gate'", True, id="case does not matter"),
        pytest.param("inputs.comment != 'never'", False, id="not the same"),
        pytest.param("inputs.empty == 0", True, id="an empty text is zero where a number is asked for"),
        pytest.param("'it''s'", "it's", id="a quote within a text"),
        pytest.param("inputs.empty || 'other'", "other", id="the first that is not empty"),
        pytest.param("'a' && 'b'", "b", id="and gives the last"),
        pytest.param("true || false && false", True, id="and binds more than or"),
        pytest.param("(true || false) && false", False, id="brackets"),
        pytest.param("!inputs.empty", True, id="not"),
        pytest.param("always() && steps.run.outcome != 'skipped'", False, id="a status and a name"),
    ],
)
def test_an_expression_is_what_github_says(source: str, value: Value) -> None:
    assert evaluate(source, Context(NAMES)) == value


@pytest.mark.parametrize(
    "source", ["secrets.token", "contains('a', 'b')", "inputs.a <", "'open", "a b", "inputs[0]", ""]
)
def test_what_is_not_known_here_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(source, Context({**NAMES, "a": 1.0, "b": 1.0}))


@pytest.mark.parametrize(("has_failed", "told"), [(False, (True, True, False)), (True, (True, False, True))])
def test_status_functions_tell_of_the_steps_before(has_failed: bool, told: tuple[bool, ...]) -> None:
    context = Context(NAMES, has_failed)
    assert tuple(evaluate(f"{name}()", context) for name in ("always", "success", "failure")) == told


def test_a_value_is_put_in_and_never_evaluated_again() -> None:
    names: dict[str, Value] = {"inputs": {"name": "${{ secrets.token }}"}}
    assert interpolate("<${{ inputs.name }}>", Context(names)) == "<${{ secrets.token }}>"
