"""Pictures as data URIs: decoded once, resized, encoded as JPEG."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup

from packline.reference import Picture

# 4:4:4 keeps thin coloured print legible; chroma subsampling smears it
_JPEG = [
    cv2.IMWRITE_JPEG_QUALITY,
    85,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
]


@dataclass(frozen=True)
class Print:
    """A picture as it goes into the report.

    Parameters
    ----------
    uri
        ``data:image/jpeg;base64,...``; empty where the picture cannot be shown.
    width, height
        Pixels of the embedded picture.
    full
        Width and height of the file on disk in pixels: the space in which evidence is given.
    problem
        Why there is no picture, in words; empty where there is one.
    """

    uri: Markup
    width: int
    height: int
    full: tuple[int, int]
    problem: str = ""


@dataclass(frozen=True)
class Edges:
    """The longest sides in pixels at which pictures are embedded.

    A report of many candidates gets smaller pictures, so that a browser still opens it.
    """

    select: int
    candidate: int
    reference: int
    raw: int
    thumb: int = 240

    @staticmethod
    def for_candidates(count: int) -> Edges:
        """Choose for a report of `count` candidates."""
        if count <= 160:
            return Edges(select=768, candidate=512, reference=448, raw=320)
        if count <= 640:
            return Edges(select=512, candidate=320, reference=256, raw=192)
        return Edges(select=384, candidate=224, reference=192, raw=128, thumb=160)


class Album:
    """Encodes pictures, each file and size once."""

    def __init__(self) -> None:
        self._prints: dict[tuple[Path, int], Print] = {}
        self._decoded: tuple[Path, Picture] | None = None

    def embed(self, file: Path | None, edge: int) -> Print:
        """Encode a picture so that its longer side has at most `edge` pixels.

        Parameters
        ----------
        file
            PNG or JPEG; None or an unreadable file gives a print without picture that says so.
        edge
            Pixels; smaller pictures keep their size.
        """
        if file is None:
            return _missing("no picture was made", edge)
        key = (file, edge)
        if key not in self._prints:
            self._prints[key] = self._encode(file, edge)
        return self._prints[key]

    def _encode(self, file: Path, edge: int) -> Print:
        if not file.is_file():
            return _missing(f"{file.name} is no longer on disk", edge)
        pixels = self._decode(file)
        if pixels is None:
            return _missing(f"{file.name} cannot be read as a picture", edge)
        height, width = pixels.shape[:2]
        scale = min(1.0, edge / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        if scale < 1:
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        _, data = cv2.imencode(".jpg", pixels, _JPEG)
        # base64 needs no escaping; Markup spares Jinja from searching megabytes for angle brackets
        uri = Markup("data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode())
        return Print(uri, *size, full=(width, height))

    def _decode(self, file: Path) -> Picture | None:
        # the same candidate is asked for at two sizes in a row; one slot is enough
        if self._decoded and self._decoded[0] == file:
            return self._decoded[1]
        pixels = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if pixels is None:
            return None
        self._decoded = (file, np.asarray(pixels, np.uint8))
        return self._decoded[1]


def _missing(problem: str, edge: int) -> Print:
    return Print(Markup(""), edge, edge, (edge, edge), problem)
