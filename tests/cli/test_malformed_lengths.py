"""Files of lengths that cannot be used: told at their lines, with exit code 2, before a byte is sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.cli.test_malformed_prompts import listening
from tests.command import here

GOOD = "input_tokens,output_tokens\n5,5\n"
PAIR = '{"input_tokens": 5, "output_tokens": 5}\n'


@dataclass(frozen=True, slots=True)
class Bad:
    """A file, and what is told of it: where (":2" or "") and of what."""

    text: str | bytes
    where: str
    told: str


BAD = {
    "an empty file": Bad("", "", "is empty"),
    "blank lines only": Bad("\n \n", "", "has no rows"),
    "a header alone": Bad("input_tokens,output_tokens\n", "", "has no rows"),
    "an empty array": Bad("[]", "", "has no rows"),
    "one column only": Bad("input_tokens\n5\n", ":1", "no column 'output_tokens' in the header; it has input_tokens"),
    "a column twice": Bad("input_tokens,input_tokens,output_tokens\n", ":1", "more than one column 'input_tokens'"),
    "no header": Bad("5,5\n6,6\n", ":1", "no column 'input_tokens' in the header; it has 5, 5"),
    "a word": Bad(GOOD + "5,five\n", ":3", "output_tokens is 'five', not a whole number of tokens"),
    "a negative length": Bad(GOOD + "-5,5\n", ":3", "input_tokens is '-5', not a whole number of tokens"),
    "half a token": Bad(GOOD + "5.5,5\n", ":3", "input_tokens is '5.5', not a whole number of tokens"),
    "an empty cell": Bad(GOOD + "5,\n", ":3", "output_tokens is '', not a whole number of tokens"),
    "more than any server takes": Bad(GOOD + "10000001,5\n", ":3", "input_tokens is '10000001'"),
    "digits of another script": Bad(GOOD + "\u0665,5\n", ":3", "not a whole number of tokens"),
    "too few cells": Bad(GOOD + "5\n", ":3", "1 columns, and the header has 2"),
    "too many cells": Bad(GOOD + "5,5,5\n", ":3", "3 columns, and the header has 2"),
    "an open quote": Bad(GOOD + '"5,5\n', ":3", "a quote is opened here and never closed"),
    "Latin-1": Bad(GOOD.encode() + b"5,\xe9\n", ":3", "not UTF-8 text"),
    "not JSON": Bad(PAIR + "{]\n", ":2", "not JSON"),
    "a number among objects": Bad(PAIR + "7\n", ":2", "not a JSON object"),
    "a missing key": Bad(
        PAIR + '{"input_tokens": 5}\n', ":2", "output_tokens is missing, not a whole number of tokens"
    ),
    "a length that is a text": Bad('{"input_tokens": "5", "output_tokens": 5}', ":1", "input_tokens is '5'"),
    "a length that is true": Bad('{"input_tokens": true, "output_tokens": 5}', ":1", "input_tokens is True"),
    "an array that is cut": Bad("[\n" + PAIR, ":2", "the array is not closed"),
    "gzip": Bad(b"\x1f\x8b\x08\x00", "", "is gzip"),
    "Parquet": Bad(b"PAR1\x00", "", "is Parquet"),
    "UTF-16": Bad(GOOD.encode("utf-16"), "", "is UTF-16"),
}


def scenario(folder: Path, port: int) -> Path:
    """A scenario whose lengths lie in the file `l` beside it."""
    spec = {
        "target": {"url": f"http://127.0.0.1:{port}"},
        "workload": {"prompts": {"synthetic": {"lengths": {"from": "l"}}}},
        "load": {"concurrency": [1], "requests": 5},
    }
    document = {"apiVersion": "llmload/v1", "kind": "Scenario", "metadata": {"name": "s"}, "spec": spec}
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.mark.parametrize("bad", [pytest.param(bad, id=name) for name, bad in BAD.items()])
def test_a_file_that_cannot_be_used_is_told_at_its_line_and_nothing_is_sent(bad: Bad, tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(bad.text if isinstance(bad.text, bytes) else bad.text.encode())
    with listening() as server:
        path = scenario(tmp_path, server.getsockname()[1])
        done = here("apply", str(path), "--store", "s.db", "--no-progress", cwd=tmp_path)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert done.returncode == 2, done.stdout
    assert f"l{bad.where}: " in done.stderr
    assert bad.told in done.stderr
    assert not (tmp_path / "s.db").exists()


@pytest.mark.parametrize("kind", ["missing", "a folder"])
def test_what_is_no_file_is_told(kind: str, tmp_path: Path) -> None:
    if kind == "a folder":
        (tmp_path / "l").mkdir()
    done = here("plan", str(scenario(tmp_path, 9)), cwd=tmp_path)
    told = {"missing": "no such file", "a folder": "is a folder"}[kind]
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_the_plan_tells_what_the_file_holds(tmp_path: Path) -> None:
    (tmp_path / "l").write_text(GOOD + "2000,15\n")
    done = here("plan", str(scenario(tmp_path, 9)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "    lengths: 2 rows of l, drawn in pairs\n" in done.stdout
    assert "    on average 1,002 tokens in and 10 out, in the longest 2,000 and 15\n" in done.stdout
