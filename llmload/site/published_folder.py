"""The folder of a static site: written beside what is there, then put in place at once.

A list of our files lies in it, so that pages of runs that are gone can go as well and nobody else's file is touched.
"""

from __future__ import annotations

import errno
import filecmp
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from llmload.errors import StoreError, UsageError
from llmload.plain_text import plain
from llmload.store.replacing import alone_in

MANIFEST = "llmload-site.json"
"""The list of our files: what an earlier publishing wrote, the next one may replace or remove."""

_FORMAT = "llmload-site-v1"
_STAGING = ".llmload-"
_REMEDY = "Name an empty folder, a new one, or one that llmload has published into before"


@dataclass(slots=True)
class Staging:
    """A site in the making. Files that are in the folder already with the same bytes are left as they are."""

    folder: Path
    partial: Path
    earlier: frozenset[str]  # files that an earlier publishing wrote
    files: dict[str, int] = field(default_factory=dict)  # bytes, by path from the folder
    changed: list[str] = field(default_factory=list)

    def add(self, path: str, content: bytes) -> None:
        """One file of the site; `path` is ours, with safe names (`links.file_name`)."""
        made = self.place(path)
        made.write_bytes(content)
        self.keep(path)

    def place(self, path: str) -> Path:
        """Where to write a file that `keep` then takes."""
        if path in self.files:
            raise StoreError(plain(path), "two pages would be one file", "Please report it with the names of both")
        made = self.partial / path
        made.parent.mkdir(parents=True, exist_ok=True)
        return made

    def keep(self, path: str) -> None:
        """Take what was written at `place` as a file of the site."""
        made, there = self.partial / path, self.folder / path
        self.files[path] = made.stat().st_size
        if path in self.earlier and there.is_file() and filecmp.cmp(made, there, shallow=False):
            made.unlink()
        else:
            self.changed.append(path)


@dataclass(frozen=True, slots=True)
class Published:
    """What was written: bytes of every file of the site by its path, how many of them are new, and which are gone."""

    files: dict[str, int]
    changed: int
    removed: tuple[str, ...]


@contextmanager
def stage(folder: Path) -> Iterator[Staging]:
    """A site in the making, for `put`; nobody else publishes into the folder meanwhile.

    Whatever happens before `put`, the folder stays what it was. UsageError where it is no folder of ours, StoreError
    where the disk is full.
    """
    is_new = not folder.exists()
    with _explained(folder):
        if not is_new and not folder.is_dir():
            raise UsageError(plain(str(folder)), "is a file", _REMEDY)
        folder.mkdir(parents=True, exist_ok=True)
        with alone_in(folder):
            earlier = _earlier(folder)
            for path in folder.glob(f"{_STAGING}*"):  # of a process that was killed
                shutil.rmtree(path, ignore_errors=True)
            partial = Path(mkdtemp(prefix=_STAGING, dir=folder))
            try:
                yield Staging(folder, partial, earlier)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
                if is_new:
                    with suppress(OSError):  # it is not empty: the site is there
                        folder.rmdir()


def put(staging: Staging) -> Published:
    """Put the whole site in place and remove what it no longer has. No signal comes between. Raises as `stage` does."""
    folder, ours = staging.folder, set(staging.files) | {MANIFEST}
    with _explained(folder):
        for path in staging.changed:
            _refuse_taken(staging, path)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
        removed = tuple(sorted(path for path in staging.earlier - ours if _is_inside(folder, path)))
        meanwhile, afterwards = (staging.partial / f"{MANIFEST}.{name}" for name in ("meanwhile", "afterwards"))
        meanwhile.write_bytes(_manifest(staging.earlier | set(staging.files)))
        afterwards.write_bytes(_manifest(staging.files))
        with _undisturbed():
            meanwhile.replace(folder / MANIFEST)
            for path in sorted(staging.changed, key=_last):
                (staging.partial / path).replace(folder / path)
            for path in removed:
                _remove(folder, path)
            afterwards.replace(folder / MANIFEST)
    changed = [*staging.changed, *([MANIFEST] if staging.earlier != set(staging.files) else [])]
    return Published({**staging.files, MANIFEST: (folder / MANIFEST).stat().st_size}, len(changed), removed)


def _last(path: str) -> tuple[int, str]:
    """Pages come after what they show, and the first page last."""
    return (2 if path == "index.html" else 1 if path.endswith(".html") else 0, path)


def _manifest(files: frozenset[str] | set[str] | dict[str, int]) -> bytes:
    told = {"format": _FORMAT, "files": sorted(files)}
    return f"{json.dumps(told, indent=1)}\n".encode()


def _earlier(folder: Path) -> frozenset[str]:
    """What an earlier publishing wrote here. UsageError where somebody else's files are."""
    path = folder / MANIFEST
    if not path.exists():
        foreign = sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))
        if foreign:
            problem = f"is not empty and was not published by llmload (it has {plain(foreign[0], 80)})"
            raise UsageError(plain(str(folder)), problem, _REMEDY)
        return frozenset()
    try:
        told = json.loads(path.read_bytes())
        if told["format"] != _FORMAT or not all(isinstance(each, str) for each in told["files"]):
            raise ValueError
    except (ValueError, KeyError, TypeError) as error:
        problem = "is not the list of files that llmload writes"
        raise UsageError(plain(str(path)), problem, "Name another folder, or empty this one") from error
    return frozenset(told["files"])


def _refuse_taken(staging: Staging, path: str) -> None:
    """Somebody else's file, or a link that leads out of the folder, stands where one of ours is to be."""
    there = staging.folder / path
    if not _is_inside(staging.folder, path) or (os.path.lexists(there) and path not in staging.earlier):
        raise UsageError(plain(str(there)), "is there already, and llmload did not write it", "Move it elsewhere")
    if there.is_dir():
        raise UsageError(plain(str(there)), "is a folder, where a file is to be", "Move it elsewhere")


def _is_inside(folder: Path, path: str) -> bool:
    """Whether a path, of a list that may be anybody's, is that of a file within the folder."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts or "\0" in path:
        return False
    return (folder / path).parent.resolve().is_relative_to(folder.resolve())


def _remove(folder: Path, path: str) -> None:
    gone = folder / path
    if gone.is_dir() and not gone.is_symlink():
        return
    gone.unlink(missing_ok=True)
    with suppress(OSError):  # it still has files
        while (gone := gone.parent) != folder:
            gone.rmdir()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait for the few renames: afterwards the site is the new one, before them the old one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = plain(str(folder))
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            problem = "there is no room for the site"
            raise StoreError(where, problem, "Make room and publish again; what was there before is whole") from error
        problem = f"cannot be written ({(error.strerror or type(error).__name__).lower()})"
        raise UsageError(where, problem, "Check its permissions, or name another folder") from error
