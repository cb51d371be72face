"""Images that are made: PNGs that any reader takes, no two alike, the same bytes everywhere."""

from __future__ import annotations

import hashlib
import struct
import time
import zlib
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.domain import TokenFit, TokenSource
from llmload.endpoint import Endpoint
from llmload.frameworks.registry import REGISTRY
from llmload.scenario.lengths import Fixed
from llmload.scenario.traffic import NoiseImages
from llmload.workload.noise import noise_png
from llmload.workload.plan import Plan

WINDOW = hashlib.blake2b(b"a window", digest_size=32).digest()
PLAN = Plan(
    seed=1,
    step=0,
    look=0,
    input_tokens=Fixed(9),
    output_tokens=Fixed(4),
    unique=True,
    fit=TokenFit(0.0, 1.0, 0.0, TokenSource.USAGE),
    images=NoiseImages(2, 40, 30),
)


def pixels(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and pixels, read as the standard has it (W3C PNG, clauses 5, 9 and 10), checksums included."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(png):
        size, kind = struct.unpack_from(">I4s", png, at)
        data = png[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + data) == struct.unpack_from(">I", png, at + 8 + size)[0]
        chunks[kind] = data
        at += 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *form = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert form == [8, 2, 0, 0, 0]
    raw, stride, rows = zlib.decompress(chunks[b"IDAT"]), 3 * width + 1, [bytes(3 * width)]
    assert len(raw) == height * stride
    for begin in range(0, len(raw), stride):
        line = raw[begin + 1 : begin + stride]
        rows.append(bytes((a + b) % 256 for a, b in zip(line, rows[-1], strict=True)) if raw[begin] == 2 else line)
        assert raw[begin] in (0, 2)
    return width, height, b"".join(rows[1:])


@settings(max_examples=25)
@given(st.integers(8, 200), st.integers(8, 200), st.integers(0, 2**40))
def test_any_size_is_a_whole_image(width: int, height: int, number: int) -> None:
    found = pixels(noise_png(WINDOW, number, width, height))
    assert found[:2] == (width, height)


def test_it_is_made_of_cells() -> None:
    width, _, found = pixels(noise_png(WINDOW, 7, 128, 128))
    cells = {found[3 * (y * width + x) :][:3] for y in range(0, 128, 16) for x in range(0, 128, 16)}
    assert len(cells) > 60
    assert {found[3 * (y * width + x) :][:3] for y in range(16) for x in range(16)} == {found[:3]}


@pytest.mark.parametrize(("width", "height"), [(512, 512), (8, 8)])
def test_no_two_of_a_window_have_the_same_pixels(width: int, height: int) -> None:
    assert len({noise_png(WINDOW, number, width, height) for number in range(5000)}) == 5000
    few = [pixels(noise_png(WINDOW, number, width, height))[2] for number in (0, 1, 256, 65536)]
    assert len(set(few)) == 4


def test_its_bytes_are_these_on_any_machine() -> None:
    assert hashlib.sha256(noise_png(WINDOW, 5, 100, 70)).hexdigest() == (
        "01019b99b5f48da16ad6cd03299f8f97d0544e0a08cf72bbed16f13fec97e0cc"
    )


def test_the_next_image_costs_next_to_nothing() -> None:
    """0.03 ms (docs/images.md), with much time for a busy machine: it is joined of ready pieces, and not compressed."""
    noise_png(WINDOW, 0, 512, 512)
    begin = time.process_time()
    for number in range(200):
        noise_png(WINDOW, number, 512, 512)
    assert (time.process_time() - begin) / 200 < 0.002


def test_every_request_has_images_of_its_own_before_its_text() -> None:
    first, again, other = PLAN.request(3), PLAN.request(3), PLAN.request(4)
    assert first == again
    assert first.input_tokens is None, "what images cost, only the server counts"
    (message,) = first.messages
    *images, text = message["content"]
    assert [part["type"] for part in images] == ["image_url", "image_url"]
    assert text == {"type": "text", "text": replace(PLAN, images=None).request(3).prompt}
    urls = {part["image_url"]["url"] for each in (first, other) for part in each.messages[0]["content"][:2]}
    assert len(urls) == 4
    assert all(url.startswith("data:image/png;base64,iVBOR") for url in urls)


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"run": "r"}, {"look": 1}, {"step": 1}], ids=lambda each: next(iter(each))
)
def test_another_window_has_other_images(change: dict[str, object]) -> None:
    other = replace(PLAN, **change)  # type: ignore[arg-type]
    assert PLAN.request(0).messages[0]["content"][0] != other.request(0).messages[0]["content"][0]


def test_ollama_is_sent_images_as_it_takes_them() -> None:
    endpoint = Endpoint("http://127.0.0.1:1", "ollama", "chat", "m", stream=True, sampling={})
    sent = orjson.loads(REGISTRY["ollama"].dialects["chat"].body(endpoint, PLAN.request(0)))["messages"][0]
    assert sent["content"] == replace(PLAN, images=None).request(0).prompt
    assert [each[:5] for each in sent["images"]] == ["iVBOR", "iVBOR"]
