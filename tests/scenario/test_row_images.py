"""Images in rows: files below the folder of the data file, or data URLs; everything else is told at its line."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from pathlib import Path

import pytest

from llmload.domain import TokenFit, TokenSource
from llmload.errors import DataFileError, ScenarioError
from llmload.planned import Look, Step
from llmload.scenario import row_images
from llmload.scenario.asked import Scenario
from llmload.scenario.file_kinds import open_ordinary
from llmload.scenario.loader import load_resolved, load_text
from llmload.workload.file_plan import FilePlan
from llmload.workload.noise import noise_png
from llmload.workload.planning import longest_request, plan_look

HEAD = "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n"
FILE = "{file: {path: rows.jsonl, format: openai}}"
PNG = noise_png(b"window", 1, 16, 16)
JPEG, GIF, WEBP = b"\xff\xd8\xff\xe0 a picture", b"GIF89a a picture", b"RIFF\x10\x00\x00\x00WEBP a picture"
DATA_URL = f"data:image/png;base64,{b64encode(PNG).decode()}"
LOOK = Look(Step(0, "concurrency", 1.0), 0, 1)


def row(url: object, text: str = "What is this?", **more: object) -> str:
    parts = [{"type": "image_url", "image_url": {"url": url, **more}}, {"type": "text", "text": text}]
    return json.dumps({"messages": [{"role": "user", "content": parts}], "max_tokens": 4}) + "\n"


def read(folder: Path, target: str = "{url: 'http://h:1'}") -> Scenario:
    text = (
        f"{HEAD}  target: {target}\n  workload: {{prompts: {FILE}}}\n  load: {{requests: 1, warmup: {{requests: 0}}}}\n"
    )
    return load_text(text, "s.yaml", env={}, directory=folder)


def sent(scenario: Scenario) -> object:
    """The image of the first request, asked of what a worker is given."""
    plan = plan_look(scenario, LOOK, TokenFit(0.0, 1.0, 0.0, TokenSource.USAGE))
    assert isinstance(plan, FilePlan)
    content = plan.request(0).messages[0]["content"]
    assert isinstance(content, list)
    return content[0]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(PNG, "png", id="PNG"),
        pytest.param(JPEG, "jpeg", id="JPEG"),
        pytest.param(GIF, "gif", id="GIF"),
        pytest.param(WEBP, "webp", id="WebP"),
    ],
)
def test_a_file_is_sent_as_a_data_url_of_its_kind(data: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.bin").write_bytes(data)
    (tmp_path / "rows.jsonl").write_text(row("pictures/a.bin", detail="low"))
    url = f"data:image/{kind};base64,{b64encode(data).decode()}"
    assert sent(read(tmp_path)) == {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def test_a_data_url_is_sent_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(row(DATA_URL))
    assert sent(read(tmp_path)) == {"type": "image_url", "image_url": {"url": DATA_URL}}


def test_who_sends_a_window_reads_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "rows.jsonl").write_text(row("a.png"))
    plan = plan_look(read(tmp_path), LOOK, TokenFit(0.0, 1.0, 0.0, TokenSource.USAGE))
    (tmp_path / "a.png").unlink()
    assert DATA_URL in str(plan.request(0).messages)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("https://example.com/a.png", "write the name of a file below the folder", id="of the network"),
        pytest.param("file:///etc/passwd", "write the name of a file below the folder", id="file URL"),
        pytest.param("none.png", "there is no file 'none.png'", id="not there"),
        pytest.param("../secret.png", "is outside the folder", id="above the folder"),
        pytest.param("/etc/hostname", "is outside the folder", id="absolute"),
        pytest.param("link.png", "is outside the folder", id="a link that leads out"),
        pytest.param("loop.png", "loop.png' ", id="a link to itself"),
        pytest.param("rows.jsonl", "is no PNG, JPEG, GIF or WebP", id="no image"),
        pytest.param(".", "there is no file", id="a folder"),
        pytest.param("a\x00b", "cannot be read", id="no name"),
        pytest.param("a" * 5000, "cannot be read", id="a name too long"),
        pytest.param("", "an image without a url", id="empty"),
        pytest.param(7, "an image without a url", id="a number"),
        pytest.param("data:image/png;base64,AAAA", "data URL that is no PNG", id="data that is no image"),
        pytest.param("data:image/png;base64,????", "data URL that is no PNG", id="data that is no base64"),
        pytest.param(f"{DATA_URL}!!!!", "data URL that is no PNG", id="data whose end is no base64"),
        pytest.param("loop.png", "cannot be read", id="links that lead to each other"),
        pytest.param("pipe.png", "there is no file", id="a pipe that nobody writes"),
        pytest.param("endless.png", "is outside the folder", id="a device without an end"),
        pytest.param("data:text/plain,hello", "write the name of a file", id="data of another kind"),
    ],
)
def test_what_cannot_be_sent_is_told_at_its_line(url: object, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(PNG)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "endless.png").symlink_to("/dev/zero")
    (folder / "loop.png").symlink_to("back.png")
    (folder / "back.png").symlink_to("loop.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "good.png").write_bytes(PNG)
    (folder / "rows.jsonl").write_text(row("good.png") + row(url))
    with pytest.raises(DataFileError) as caught:
        read(folder)
    assert str(caught.value).startswith(f"{folder / 'rows.jsonl'}:2: message 1")
    assert words in str(caught.value)


def test_an_image_is_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_images, "MOST_IMAGE_BYTES", 2**20)
    (tmp_path / "a.png").write_bytes(PNG + bytes(2**20))
    (tmp_path / "rows.jsonl").write_text(row("a.png"))
    with pytest.raises(DataFileError, match="has more than 1 MB"):
        read(tmp_path)


def test_a_row_cannot_fill_the_memory_by_naming_an_image_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG + bytes(15 * 2**20))
    part = {"type": "image_url", "image_url": {"url": "a.png"}}
    (tmp_path / "rows.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": [part] * 10_000}]}))
    with pytest.raises(DataFileError, match="the images of the row are more than 128 MB in base64"):
        read(tmp_path)


def test_a_row_has_a_bounded_number_of_images(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    part = {"type": "image_url", "image_url": {"url": "a.png"}}
    (tmp_path / "rows.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": [part] * 1001}]}))
    with pytest.raises(DataFileError, match="the row has more than 1,000 images"):
        read(tmp_path)


def test_a_file_that_became_a_pipe_since_it_was_looked_at_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with open_ordinary(tmp_path / "pipe") as file:
        assert file.read() == b""


def test_other_images_are_another_file(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(row("a.png"))
    found = []
    for number in (1, 2, 1):
        (tmp_path / "a.png").write_bytes(noise_png(b"window", number, 16, 16))
        (tmp_path / "rows.jsonl").touch()
        scenario = read(tmp_path)
        again = load_resolved(scenario.document.resolved)
        assert again.workload == scenario.workload
        found.append(scenario.workload.prompts.found.sha256)  # type: ignore[union-attr]
    assert found[0] == found[2] != found[1]


def test_a_row_with_an_image_is_tried_before_longer_ones_without(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    long = json.dumps({"messages": [{"role": "user", "content": "word " * 100}], "max_tokens": 4}) + "\n"
    (tmp_path / "rows.jsonl").write_text(long + row("a.png"))
    longest = longest_request(read(tmp_path))
    assert DATA_URL in str(longest)


def test_apis_of_bare_prompts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(row(DATA_URL))
    with pytest.raises(ScenarioError, match="takes one bare prompt"):
        read(tmp_path, "{url: 'http://h:1', api: completions}")
