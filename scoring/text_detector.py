"""A detector of text: how sure it is, pixel by pixel, that a line of letters lies there.

The network is RapidOCR's PP-OCRv6 detector (differentiable binarisation, Liao et al. 2020), run directly by
ONNX Runtime at the size that the caller chooses: the checks need its map, not its boxes.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import rapidocr
from numpy.typing import NDArray

from packline.errors import FixSettings
from packline.reference import Picture

MODEL = "PP-OCRv6_det_small.onnx"
STEP = 32  # sides are multiples of it
# what the network is given for each of the 8-bit values
_LEVELS = np.arange(256, dtype=np.float32) / 127.5 - 1

Floats = NDArray[np.float32]


class TextDetector:
    """PP-OCRv6's detector on the CPU with one thread.

    Raises
    ------
    FixSettings
        Where its weights are missing.
    """

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise FixSettings(
                f"The text detector's weights {model} are missing; reinstall the package rapidocr, "
                "which brings them."
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def maps(self, pictures: Sequence[Picture], longest: int) -> list[Floats]:
        """Where text lies in each picture.

        Parameters
        ----------
        pictures
            RGB, uint8 (H, W, 3); those of one size go through the network together.
        longest
            Pixels of a picture's longer side as the network sees it; a smaller picture is not enlarged.

        Returns
        -------
        list of numpy.ndarray
            One for each, float32 (h, w), 0 to 1, at the network's size: the whole picture, scaled.
        """
        small = [_scaled(picture, longest) for picture in pictures]
        out: list[Floats] = [np.zeros(0, np.float32)] * len(small)
        for shape in sorted({one.shape for one in small}):
            same = [i for i, one in enumerate(small) if one.shape == shape]
            batch = np.empty((len(same), 3, *shape[:2]), np.float32)
            for planes, i in zip(batch, same, strict=True):
                # the network was trained on OpenCV's channel order
                for plane, channel in zip(planes[::-1], cv2.split(small[i]), strict=True):
                    cv2.LUT(channel, _LEVELS, dst=plane)
            found = self._session.run(None, {"x": batch})[0]
            for i, one in zip(same, found, strict=True):
                out[i] = np.asarray(one[0], np.float32)
        return out


def _scaled(picture: Picture, longest: int) -> Picture:
    height, width = picture.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = [max(STEP, round(side * scale / STEP) * STEP) for side in (width, height)]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(maxsize=1)
def text_detector() -> TextDetector:
    """The one detector of this process."""
    return TextDetector(Path(rapidocr.__file__).parent / "models" / MODEL)


# what the detector says of renders and base photos, by their content: many candidates share them
_MAPS: OrderedDict[tuple[bytes, int], Floats] = OrderedDict()
_KEPT = 64


def remembered_map(picture: Picture, longest: int) -> Floats:
    """`TextDetector.maps` of one picture that is likely to be asked for again."""
    key = (hashlib.sha1(picture.tobytes(), usedforsecurity=False).digest(), longest)
    if key not in _MAPS:
        _MAPS[key] = text_detector().maps([picture], longest)[0]
        if len(_MAPS) > _KEPT:
            _MAPS.popitem(last=False)
    _MAPS.move_to_end(key)
    return _MAPS[key]
