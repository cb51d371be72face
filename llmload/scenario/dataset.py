"""Datasets of Hugging Face that lie on this disk, as rows that a file of prompts may have.

What `save_to_disk` writes is a folder of Arrow files, what the hub keeps is a folder of Parquet files. Both are read
batch by batch, so that a dataset may be larger than memory. Nothing is downloaded, and no code of a dataset is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from llmload.errors import DataFileError, UsageError
from llmload.scenario.corpus import RowFormat

_BATCH_ROWS = 256
_MOST_FILES = 10_000
_SIGNS = {".parquet": "parquet", ".arrow": "arrow"}
_ARROW_FILE = b"ARROW1"
USUAL_COLUMNS = ("messages", "conversations", "conversation", "prompt", "text")
"""Those that are looked for, the first that there is, where none is named."""

_BUILT: Mapping[str, str] = {"role": "messages", "from": "conversations"}
_FORMATS: Mapping[str, RowFormat] = {"messages": "openai", "conversations": "sharegpt", "prompt": "prompts"}


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a dataset: so many rows of the column, in the format that the file of prompts has."""

    column: str
    format: RowFormat
    rows: int


def files_of(place: Path, split: str | None) -> tuple[Path, ...]:
    """The data files of a dataset in a file or a folder, in the order of their names.

    `split` is a folder of `save_to_disk`, or what names of Parquet files begin with, as the hub writes them.
    UsageError: there are none, several splits and none is named, or more than one kind of file.
    """
    if place.is_file():
        return (place,)
    found = sorted(path for path in place.rglob("*") if path.suffix in _SIGNS and path.is_file())[: _MOST_FILES + 1]
    splits = sorted({_split_of(place, path) for path in found})
    wanted = [path for path in found if split is None or _split_of(place, path) == split]
    if not found:
        raise UsageError(str(place), "there is no .arrow or .parquet file in it", "Name the folder of the dataset")
    if not wanted:
        raise UsageError("--split", f"{split} is none of its splits: {', '.join(splits)[:300]}", "Name one of them")
    if split is None and len(splits) > 1:
        raise UsageError(str(place), f"it has the splits {', '.join(splits)[:300]}", "Name one with --split")
    if len({path.suffix for path in wanted}) > 1 or len(wanted) > _MOST_FILES:
        raise UsageError(str(place), "it holds files of several kinds, or too many", "Name the files of one dataset")
    return tuple(wanted)


def _split_of(place: Path, path: Path) -> str:
    """`train` of `train/data-00000-of-00002.arrow`, and of `data/train-00000-of-00001.parquet`."""
    stem = path.stem.partition("-")[0]
    parents = path.relative_to(place).parts[:-1]
    return parents[-1] if stem == "data" and parents else stem


def write_rows(files: Sequence[Path], column: str | None, output: IO[bytes]) -> Written:
    """Every row of the files as a line of JSON. DataFileError: a file cannot be read, or a row is no prompt.

    A text is written as `prompt`, a list of turns as `messages` or `conversations`, by what its turns are made of.
    """
    name, kind, rows = column, "", 0
    for path in files:
        for found, values in _batches(path, name):
            name = found
            for value in values:
                rows += 1
                where = f"{path}: row {rows} of {name}"
                key, row = _row(value, where)
                if kind and key != kind:
                    problem = f"it is of the kind {key}, and those before it are of the kind {kind}"
                    raise DataFileError(where, problem, "Name another --column")
                kind = key
                output.write(orjson.dumps({key: row}) + b"\n")
    if name is None or not kind:
        raise DataFileError(str(files[0]), "has no rows", "Name a dataset with some")
    return Written(name, _FORMATS[kind], rows)


def _column(path: Path, names: Sequence[str], wanted: str | None) -> str:
    if wanted is None:
        wanted = next((name for name in USUAL_COLUMNS if name in names), None)
    if wanted is None or list(names).count(wanted) != 1:
        what = f"has no column {wanted!r}" if wanted else "has none of the usual columns"
        raise DataFileError(str(path), f"{what}; it has {', '.join(names)[:300]}", "Name one with --column")
    return wanted


def _row(value: object, where: str) -> tuple[str, object]:
    """The key that the value gets in a line of JSON, and the value as JSON has it."""
    if isinstance(value, str):
        return "prompt", value
    turns = _turns(value)
    for sign, key in _BUILT.items():
        if turns and all(isinstance(turn, dict) and sign in turn for turn in turns):
            return key, [{name: each for name, each in turn.items() if each is not None} for turn in turns]
    problem = "it is neither a text nor a list of turns with a role, or with from"
    raise DataFileError(where, problem, "Name a column of texts or of conversations with --column")


def _turns(value: object) -> list[dict[str, object]]:
    """A list of turns; a dataset may keep it as a list of each of their fields."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or not value or not all(isinstance(each, list) for each in value.values()):
        return []
    if len({len(each) for each in value.values()}) > 1:
        return []
    return [dict(zip(value, cells, strict=True)) for cells in zip(*value.values(), strict=True)]


def _batches(path: Path, wanted: str | None) -> Iterator[tuple[str, list[object]]]:
    """The name of the column and a few of its values at a time; DataFileError where the file is no dataset's."""
    try:
        import pyarrow
    except ImportError:
        raise UsageError(
            str(path), "reading a dataset needs the package pyarrow", "Install it: pip install 'llmload[datasets]'"
        ) from None
    read = _parquet if _kind(path) == "parquet" else _arrow
    try:
        yield from read(path, wanted)
    except (pyarrow.ArrowException, OSError) as error:
        told = str(error).splitlines() or [type(error).__name__]
        raise DataFileError(str(path), f"cannot be read ({told[0][:200]})", "Name a whole file of a dataset") from None


def _kind(path: Path) -> str:
    kind = _SIGNS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(str(path), "is neither .arrow nor .parquet", "Name a dataset of Hugging Face on this disk")
    return kind


def _parquet(path: Path, wanted: str | None) -> Iterator[tuple[str, list[object]]]:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        name = _column(path, file.schema_arrow.names, wanted)
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=[name]):
            yield name, batch.column(0).to_pylist()


def _arrow(path: Path, wanted: str | None) -> Iterator[tuple[str, list[object]]]:
    """`datasets` writes streams; others write the file format, which ends with a table of its batches."""
    from pyarrow import ipc, memory_map

    with memory_map(str(path)) as source:
        is_file = source.read(len(_ARROW_FILE)) == _ARROW_FILE
        source.seek(0)
        reader = ipc.open_file(source) if is_file else ipc.open_stream(source)
        name = _column(path, reader.schema.names, wanted)
        batches = (reader.get_batch(place) for place in range(reader.num_record_batches)) if is_file else reader
        for batch in batches:
            for begin in range(0, batch.num_rows, _BATCH_ROWS):
                yield name, batch.column(name).slice(begin, _BATCH_ROWS).to_pylist()
