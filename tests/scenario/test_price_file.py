"""Lists of prices: three kinds of file, bad rows at their lines, and documents that no longer need the file."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmload.errors import DataFileError, ScenarioError
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_resolved, load_text
from llmload.scenario.price_file import read_prices

HEAD = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {url: http://localhost:8000}\n"


def listed(folder: Path, name: str, text: str | bytes) -> dict[str, float]:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return dict(read_prices(str(file)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("p.yaml", "# ours\nNVIDIA H100: 2.49\nL40S: 1\n", id="YAML"),
        pytest.param("p.YML", "{NVIDIA H100: 2.49, L40S: 1}", id="YAML in one line"),
        pytest.param("p.json", '{\n\t"NVIDIA H100": 2.49,\n\t"L40S": 1\n}\n', id="JSON with tabs"),
        pytest.param("p.csv", "gpu,usd_per_hour\nNVIDIA H100,2.49\nL40S,1\n", id="CSV"),
        pytest.param("p.csv", '\ufeffregion,USD_per_hour,GPU\r\n\r\nx,2.49,"NVIDIA H100"\r\ny, 1 ,L40S\r\n',
                     id="CSV of a spreadsheet, with more columns"),
    ],
)  # fmt: skip
def test_prices_are_read_from_three_kinds_of_file(tmp_path, name, text):
    assert listed(tmp_path, name, text) == {"NVIDIA H100": 2.49, "L40S": 1.0}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        pytest.param("p.yaml", "A: 1\nB: cheap\nC: -1\nD: true\nE: '2'\nF: {usd: 1}\nG:\n", [
            "2: the price of 'B' is 'cheap', not USD per hour (0 to 100,000)",
            "3: the price of 'C' is -1, not",
            "4: the price of 'D' is True, not",
            "5: the price of 'E' is '2', not",
            "6: the price of 'F' is 'a map or a list', not",
            "7: the price of 'G' is missing, not",
        ], id="prices of every wrong kind"),
        pytest.param("p.yaml", "A: .inf\nB: .nan\nC: 1e9\n", ["1:", "2:", "3:"], id="numbers that are no prices"),
        pytest.param("p.yaml", "H100: 2\nh100: 3\n", ["2: 'h100' stands twice; the first is on line 1"],
                     id="one GPU twice"),
        pytest.param("p.yaml", "{H100: 2, h100: 3}\n", ["1: 'h100' stands twice"], id="twice in one line"),
        pytest.param("p.yaml", "A: 1\nA: 2\n", ["2: the same key twice"], id="one key twice"),
        pytest.param("p.yaml", "4090: 1\n", ["1: a key that is not text"], id="a name that is a number"),
        pytest.param("p.yaml", "- A: 1\n", ["1: not a map of prices"], id="a list"),
        pytest.param("p.yaml", "A: &x 1\nB: *x\n", ["1: an anchor (&x)", "2: an alias"], id="an alias"),
        pytest.param("p.yaml", "'': 1\n' ': 2\n\"a\\nb\": 3\n", ["1: not the name", "2: not the name",
                     "3: not the name"], id="names that are none"),
        pytest.param("p.json", '{"A": 1,\n"B": }', ["2: not JSON"], id="broken JSON"),
        pytest.param("p.json", '{"A": 1,\n"A": 2}', ["2: the same key twice"], id="JSON with a key twice"),
        pytest.param("p.csv", "gpu,price\nA,1\n", ["1: its columns are not gpu,usd_per_hour"], id="other columns"),
        pytest.param("p.csv", 'gpu,usd_per_hour\nA,$1\nB\nC,"1,5"\n,1\n', [
            "2: the price of 'A' is '$1'", "3: the price of 'B' is missing", "4: the price of 'C' is '1,5'",
            "5: not the name of a GPU",
        ], id="bad rows of CSV"),
        pytest.param("p.csv", "gpu,usd_per_hour\nA,1,\nB,1,50\n", ["3: 3 cells under 2 columns. Write a price like"],
                     id="a decimal comma that nobody quoted"),
        pytest.param("p.csv", 'gpu,usd_per_hour\n"A,1\n', ["2: not CSV"], id="CSV that never ends a quote"),
        pytest.param("p.csv", b"gpu,usd_per_hour\n\xff,1\n", ["2: not UTF-8"], id="not UTF-8"),
        pytest.param("p.csv", "gpu,usd_per_hour\n" + "".join(f"g{n},1\n" for n in range(1001)),
                     ["1002: more than 1,000 GPUs"], id="too many"),
    ],
)  # fmt: skip
def test_bad_rows_are_told_at_their_lines(tmp_path, name, text, told):
    with pytest.raises(DataFileError) as caught:
        listed(tmp_path, name, text)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{tmp_path / name}:{each}") for line, each in zip(lines, told, strict=True)), lines
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        pytest.param("p.txt", "A: 1", "neither YAML nor JSON nor CSV by its name", id="of another kind"),
        pytest.param("p.yaml", "# none\n", "has no prices", id="empty"),
        pytest.param("p.csv", "gpu,usd_per_hour\n", "has no prices", id="a header alone"),
        pytest.param("p.yaml", b"A: 1\n" * 200_001, "more than 1 MB", id="too large"),
        pytest.param("p.json", "[" * 100_000, "nested too deep", id="nested without end"),
    ],
)
def test_what_is_no_list_of_prices_is_told(tmp_path, name, text, told):
    with pytest.raises(DataFileError) as caught:
        listed(tmp_path, name, text)
    assert caught.value.problem == told


def test_a_file_that_is_not_there_or_is_a_folder_is_told(tmp_path):
    (tmp_path / "p.csv").mkdir()
    with pytest.raises(DataFileError, match="is not a file"):
        read_prices(str(tmp_path / "p.csv"))
    with pytest.raises(DataFileError, match="cannot be read: no such file or directory"):
        read_prices(str(tmp_path / "none.csv"))


def scenario(folder: Path, recommend: str, more: str = "") -> Scenario:
    text = f"{HEAD}  recommend: {{peak_concurrency: 5, {recommend}}}\n{more}"
    return load_text(text, "s.yaml", env={}, directory=folder)


def test_prices_of_the_document_win_and_the_file_is_not_needed_again(tmp_path):
    file = tmp_path / "gpus.csv"
    file.write_text("gpu,usd_per_hour\nNVIDIA H100,9\nL40S,0.99\n")
    found = scenario(tmp_path, "prices: {nvidia h100: 2.49}, price_file: gpus.csv, gpu: {count: 2}")
    file.unlink()
    assert found.recommend is not None
    assert found.recommend.prices == {"nvidia h100": 2.49, "L40S": 0.99}
    assert found.recommend.gpu_count == 2
    assert "price_file" not in found.document.resolved
    again = load_resolved(found.document.resolved)
    assert (again.recommend, again.document.resolved) == (found.recommend, found.document.resolved)


def test_another_price_makes_another_document(tmp_path):
    (tmp_path / "p.yaml").write_text("H100: 2\n")
    before = scenario(tmp_path, "price_file: p.yaml").document.sha256
    assert before == scenario(tmp_path, "prices: {H100: 2}").document.sha256
    (tmp_path / "p.yaml").write_text("H100: 3\n")
    assert scenario(tmp_path, "price_file: p.yaml").document.sha256 != before


def test_a_bad_price_file_stops_the_scenario(tmp_path):
    (tmp_path / "p.yaml").write_text("H100: free\n")
    with pytest.raises(DataFileError, match=r"p\.yaml:1: the price of 'H100' is 'free'"):
        scenario(tmp_path, "price_file: p.yaml")


def test_repeats_say_that_nothing_is_searched(tmp_path):
    (notice,) = scenario(tmp_path, "headroom: 150%", "  decision: {repeats: 3}\n").notices
    assert notice.startswith("With decision.repeats: 3 the loads of the ladder are measured 3 times and no others")
    assert scenario(tmp_path, "headroom: 0%").notices == ()


def test_capacity_and_a_gate_on_goodput_live_together(tmp_path):
    found = scenario(tmp_path, "goodput_target: 90%", "  gates: [goodput >= 95%]\n")
    assert found.recommend is not None
    assert (found.recommend.goodput_target, str(found.gates[0])) == (0.9, "goodput >= 95%")


@pytest.mark.parametrize("target", ["0%", "100%", "95"])
def test_a_share_that_no_sample_proves_is_refused(tmp_path, target):
    with pytest.raises(ScenarioError):
        scenario(tmp_path, f"goodput_target: {target}")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(["yaml", "json", "csv"]),
    head=st.sampled_from(["", "gpu,usd_per_hour\n", '{"', "A: ", "A: 1\n"]),
    body=st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
def test_whatever_a_file_holds_is_prices_or_told(tmp_path, suffix, head, body):
    found: dict[str, float] = {}
    with contextlib.suppress(DataFileError):
        found = listed(tmp_path, f"p.{suffix}", head.encode() + body)
    assert all(0 <= usd <= 100_000 and name.strip() for name, usd in found.items())


@pytest.mark.parametrize("name", ["p.yaml", "p.json"])
def test_a_number_without_end_is_no_price(tmp_path, name):
    with pytest.raises(DataFileError):
        listed(tmp_path, name, '{"A": ' + "9" * 5000 + "}")
