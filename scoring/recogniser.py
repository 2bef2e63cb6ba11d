"""A text recogniser and the likelihood that it gives to a string that is expected.

The network is RapidOCR's PP-OCRv6 recogniser, run directly by ONNX Runtime: the checks need its character
probabilities, which RapidOCR's own interface does not hand out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import rapidocr
from numpy.typing import NDArray

from packline.errors import FixSettings
from packline.reference import Picture

HEIGHT = 48
MAX_WIDTH = 480
# 16 strips' probabilities over 18,710 classes are some 70 MB
BATCH = 16
MODEL = "PP-OCRv6_rec_small.onnx"
# what a person would not call a spelling mistake in a display typeface
ALIKE = ("0Oo", "1Il|i", "-–—", "'’`´", '"”“')
# what the network is given for each of the 8-bit values
_LEVELS = (np.arange(256) / 127.5 - 1).astype(np.float32)
_FLOOR = 1e-6
_NEVER = -1e9

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Reading:
    """What the recogniser makes of one strip.

    Parameters
    ----------
    likelihood
        Natural log of the CTC likelihood of the expected string, by letter; 0 is certain.
    letters
        For each letter of the expected string (spaces left out) the best log probability on its best path.
    text
        What it reads without expecting anything.
    confidence
        Mean probability of the letters in `text`, 0 to 1.
    """

    likelihood: float
    letters: tuple[float, ...]
    text: str
    confidence: float


def same_text(a: str, b: str) -> bool:
    """Whether two strings are one to a reader: case, spaces and letters that look alike do not matter."""
    return _folded(a) == _folded(b)


def _folded(text: str) -> str:
    alike = {character: group[0] for group in ALIKE for character in group}
    return "".join(alike.get(c, c.upper()) for c in text if c != " ").upper()


class Recogniser:
    """PP-OCRv6 on the CPU with one thread."""

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise FixSettings(
                f"The text recogniser's weights {model} are missing; reinstall the package rapidocr, "
                "which brings them."
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        listed = self._session.get_modelmeta().custom_metadata_map["character"].splitlines()
        # class 0 is CTC's blank, the last one the space
        self.characters = ["", *listed, " "]

    @cached_property
    def _index(self) -> dict[str, int]:
        return {character: i for i, character in reversed(list(enumerate(self.characters)))}

    def knows(self, text: str) -> bool:
        """Whether it could read every letter and digit of a text; other signs that it lacks do no harm."""
        return all(self._classes(character) != [0] for character in text if character.isalnum())

    def _classes(self, character: str) -> list[int]:
        """The classes that count as `character`: both cases, and those that look alike; else the blank."""
        same = {character, character.lower(), character.upper()}
        for group in ALIKE:
            if character in group:
                same |= set(group)
        return sorted({self._index[one] for one in same if one in self._index}) or [0]

    def probabilities(self, strips: Sequence[Picture]) -> Floats:
        """Recognise RGB strips, uint8 (H, W, 3), in one batch.

        Returns
        -------
        numpy.ndarray
            float32 (strips, steps, classes); each step's probabilities sum to 1.
        """
        widths = [
            min(MAX_WIDTH, max(24, int(np.ceil(HEIGHT * strip.shape[1] / strip.shape[0]))))
            for strip in strips
        ]
        width = max(64, int(np.ceil(max(widths) / 16) * 16))
        batch = np.zeros((len(strips), 3, HEIGHT, width), np.float32)
        for i, (strip, w) in enumerate(zip(strips, widths, strict=True)):
            scaled = cv2.resize(strip, (w, HEIGHT), interpolation=cv2.INTER_AREA)
            # the network was trained on OpenCV's channel order
            batch[i, ::-1, :, :w] = [cv2.LUT(channel, _LEVELS) for channel in cv2.split(scaled)]
        return np.asarray(self._session.run(None, {"x": batch})[0], np.float32)

    def read(self, strips: Sequence[Picture], expected: Sequence[str]) -> list[Reading]:
        """Recognise strips and rate the string expected of each.

        Parameters
        ----------
        strips
            RGB, uint8 (H, W, 3), any size; one line of text along x.
        expected
            As many strings; letters' case and spaces do not matter.
        """
        if not strips:
            return []
        order = sorted(range(len(strips)), key=lambda i: strips[i].shape[1] / strips[i].shape[0])
        readings: list[Reading | None] = [None] * len(strips)
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            for i, reading in zip(
                part, self._read([strips[i] for i in part], [expected[i] for i in part]), strict=True
            ):
                readings[i] = reading
        return [reading for reading in readings if reading is not None]

    def _read(self, strips: Sequence[Picture], expected: Sequence[str]) -> list[Reading]:
        probabilities = self.probabilities(strips)
        best = probabilities.argmax(2)
        top = np.take_along_axis(probabilities, best[..., None], 2)[..., 0]
        plain = [text.replace(" ", "") for text in expected]
        total, letters = self._align(probabilities, plain)
        readings = []
        for i, text in enumerate(plain):
            kept = (best[i] != 0) & np.r_[True, best[i][1:] != best[i][:-1]]
            readings.append(
                Reading(
                    likelihood=float(total[i] / max(1, len(text))),
                    letters=tuple(float(value) for value in letters[i, : len(text)]),
                    text="".join(self.characters[k] for k in best[i][kept]).strip(),
                    confidence=float(top[i][kept].mean()) if kept.any() else 0.0,
                )
            )
        return readings

    def _align(
        self, probabilities: Floats, texts: Sequence[str]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """CTC's forward likelihood and best path of each text (Graves et al. 2006, section 4.1).

        Returns log likelihoods (B,) and the best log probability of each letter on the best path (B, L).
        """
        count, steps, _ = probabilities.shape
        longest = max(map(len, texts), default=0)
        states = 2 * longest + 1
        emit = np.full((count, steps, states), _NEVER)
        # a space is no letter here: it counts as blank, so that wide tracking does no harm
        blank = np.log(np.maximum(probabilities[:, :, 0] + probabilities[:, :, self._index[" "]], _FLOOR))
        skip = np.zeros((count, states), bool)
        for i, text in enumerate(texts):
            emit[i, :, 0 : 2 * len(text) + 1 : 2] = blank[i][:, None]
            for j, character in enumerate(text):
                share = probabilities[i][:, self._classes(character)].sum(1)
                emit[i, :, 2 * j + 1] = np.log(np.maximum(share, _FLOOR))
                skip[i, 2 * j + 1] = j > 0 and character.lower() != text[j - 1].lower()
        ends = np.array([2 * len(text) for text in texts])
        rows = np.arange(count)
        forward = np.full((count, states), _NEVER)
        forward[:, :2] = emit[:, 0, :2]
        path = forward.copy()
        came = np.zeros((steps, count, states), np.int8)

        def moved(values: NDArray[np.float64], by: int) -> NDArray[np.float64]:
            out = np.full_like(values, _NEVER)
            out[:, by:] = values[:, :-by] if values.shape[1] > by else out[:, by:]
            return out

        for t in range(1, steps):
            jump = np.where(skip, moved(forward, 2), _NEVER)
            forward = np.logaddexp(np.logaddexp(forward, moved(forward, 1)), jump) + emit[:, t]
            options = np.stack([path, moved(path, 1), np.where(skip, moved(path, 2), _NEVER)])
            came[t] = options.argmax(0)
            path = options.max(0) + emit[:, t]
        before = np.maximum(ends - 1, 0)
        total = np.logaddexp(forward[rows, ends], np.where(ends > 0, forward[rows, before], _NEVER))
        state = np.where(path[rows, ends] >= path[rows, before], ends, before)
        letters = np.full((count, max(1, longest)), _NEVER)
        for t in range(steps - 1, -1, -1):
            odd = state % 2 == 1
            slot = state[odd] // 2
            letters[rows[odd], slot] = np.maximum(letters[rows[odd], slot], emit[rows[odd], t, state[odd]])
            state = state - came[t, rows, state]
        return total, np.maximum(letters, np.log(_FLOOR))


@lru_cache(maxsize=1)
def recogniser() -> Recogniser:
    """The one recogniser of this process."""
    return Recogniser(Path(rapidocr.__file__).parent / "models" / MODEL)
