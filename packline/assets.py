"""Digests of the files that a catalog names, remembered for as long as the files' state stays the same.

A file is not read again while its size, its times and its inode are what they were, as git does it. And as
git does it, that is not believed of a file which was changed just before it was read ("racily clean"): it may
have been changed once more within the same tick of the file system's clock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packline.fingerprint import file_digest
from packline.stage.files import companions, digest_of_files, read_model_files

State = tuple[str, int, int, int, int]
"""A file's path, size, mtime and ctime in nanoseconds, and inode."""
Place = tuple[str, str]
"""A file, and the sidecar that a catalog row names for it."""

# file systems count time in ticks: 10 ms on ext4, 2 s on FAT; and a server's clock may be a little behind
TICK = 3_000_000_000
_MOST = 65536


@dataclass(frozen=True, slots=True)
class Asset:
    """A model (or another file) as it was read last.

    Parameters
    ----------
    path, truth
        The file, and the sidecar that a catalog row names for it (else empty).
    digest
        Of the file and all that belong to it.
    files
        Their states.
    names
        What may be the name of another file.
    checked
        Nanoseconds since 1970, from before they were read.
    """

    path: str
    truth: str
    digest: str
    files: tuple[State, ...]
    names: tuple[str, ...]
    checked: int


class Assets:
    """Digests of models and single files; each is looked at once in the lifetime of this object.

    Parameters
    ----------
    recall
        Gives what is remembered of some places; nothing is without it.
    """

    def __init__(self, recall: Callable[[Sequence[Place]], Iterable[Asset]] = lambda places: ()) -> None:
        self._recall = recall
        self._known: dict[Place, Asset] = {}
        self._digests: dict[Place, str] = {}
        self._shared: dict[Path, str] = {}
        self._read: list[Asset] = []

    def expect(self, places: Iterable[Place]) -> None:
        """Recall a batch in one go."""
        wanted = [place for place in dict.fromkeys(places) if place not in self._digests]
        self._known = {(asset.path, asset.truth): asset for asset in self._recall(wanted)}

    def model(self, path: Path | str, truth: Path | str = "") -> str:
        """Digest of a model with its sidecar and all files that it names.

        Raises
        ------
        OSError
            Where one is missing or unreadable.
        """
        return self._of((str(path), str(truth)), self._read_model)

    def file(self, path: Path | str) -> str:
        """SHA-256 of one file.

        Raises
        ------
        OSError
            Where it is missing or unreadable.
        """
        return self._of((str(path), "-"), _read_file)

    def news(self) -> list[Asset]:
        """What was read since the last call, to be remembered."""
        news, self._read = self._read, []
        return news

    def _of(self, place: Place, read: Callable[[Place], Asset]) -> str:
        if place in self._digests:
            return self._digests[place]
        asset = self._known.get(place)
        if asset is None or not unchanged(asset):
            asset = read(place)
            self._read.append(asset)
        if len(self._digests) >= _MOST:
            self._digests.clear()
        self._digests[place] = asset.digest
        return asset.digest

    def _read_model(self, place: Place) -> Asset:
        path, truth = place
        checked = time.time_ns()
        files, names = read_model_files(Path(path), Path(truth) if truth else None, self._once)
        states = tuple(_state(str(file)) for file in files)
        return Asset(path, truth, digest_of_files(Path(path), files.items()), states, tuple(names), checked)

    def _once(self, file: Path) -> str:
        """Hash of a texture, which many models may share."""
        if file not in self._shared:
            if len(self._shared) >= _MOST:
                self._shared.clear()
            self._shared[file] = file_digest(file)
        return self._shared[file]


def unchanged(asset: Asset) -> bool:
    """Whether all files of an asset are as they were, and no other has come."""
    try:
        states = [_state(state[0]) for state in asset.files]
    except OSError:
        return False
    for now, before in zip(states, asset.files, strict=True):
        if now != before or max(now[2], now[3]) > asset.checked - TICK:
            return False
    if asset.truth == "-":
        return True
    known = {state[0] for state in asset.files}
    if not asset.truth:
        # a sidecar may have come; one that has gone was noticed above
        beside = _sidecar_of(asset.path)
        if beside not in known and os.access(beside, os.F_OK):
            return False
    if not asset.names:
        return True
    found = companions(Path(asset.path), asset.names)
    return all(str(file) in known for file in found)


def _sidecar_of(path: str) -> str:
    return f"{path.rpartition('.')[0]}.truth.json"


def _state(path: str) -> State:
    about = os.stat(path)  # noqa: PTH116  (called a million times)
    return path, about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino


def _read_file(place: Place) -> Asset:
    checked = time.time_ns()
    state = _state(place[0])
    return Asset(*place, file_digest(Path(place[0])), (state,), (), checked)
