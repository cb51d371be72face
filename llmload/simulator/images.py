"""Images as the simulated model sees them: each is a fixed number of tokens, and the same image the same tokens."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

IMAGE_TOKENS = 256
"""Of every image, whatever its size; real models take more for larger ones."""


def image_text(content: str) -> str:
    """Words of one token each that stand for an image, told apart by all its bytes."""
    return " ".join([blake2b(content.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()] * IMAGE_TOKENS)


def part_text(part: Mapping[str, object]) -> str:
    """What a part of a message counts as. ValueError: an image that is no data URL, since nothing is fetched."""
    if part.get("type") != "image_url":
        text = part.get("text")
        return text if isinstance(text, str) else ""
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str) or not url.startswith("data:image/"):
        raise ValueError("the simulator takes images as data URLs, and fetches none")
    return image_text(url)
