"""A learned judge of whether two unrolled strips show the same print, the same way round.

A small convolutional network sees the strip as the 3D model prints it and the strip as the candidate has it,
one upon the other, and says for every place of 8 x 8 px whether they differ there, and for the whole whether
they do. It was trained (`training/verifier.py`) to overlook light, colour cast, softness, compression and a
remainder of misregistration, and to see letters replaced, bent, melted, smeared, erased, and prints turned or
mirrored. It compares pictures and reads nothing, so it serves marks and patterns as it does text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.errors import FixSettings
from packline.reference import Picture
from scoring.strips import ink_axes

Floats = NDArray[np.float32]

#: Pixels of a long strip's shorter side, margins included; of a near-square one's.
WIDE, TALL = 40, 72
#: How much longer than high a strip is from which it counts as long.
LONG = 2.2
#: What stands around the print on every side, a share of the strip's shorter side.
MARGIN = 0.1
#: Pixels of a place.
STRIDE = 8
MAX_LENGTH = 1600
CHANNELS = 6
# pairs of like length go through the network together, as many pixels as fit
BATCH_PIXELS = 400_000
WEIGHTS = Path(__file__).parent.parent / "assets" / "models" / "checks" / "verifier" / "verifier.safetensors"


@dataclass(frozen=True)
class Likeness:
    """What the verifier says of one pair.

    Parameters
    ----------
    alike
        Log odds that both show the same print the same way round; positive is alike.
    differs
        Log odds that they differ, place by place, float32 (rows, columns); in the expected strip's own frame.
    """

    alike: float
    differs: Floats

    @property
    def worst(self) -> float:
        """Log odds at the place that differs most."""
        return float(self.differs.max())

    @property
    def share(self) -> float:
        """Share of all places that differ more likely than not, 0 to 1."""
        return float((self.differs > 0).mean())


class Verifier:
    """The network on the CPU.

    Parameters
    ----------
    weights
        A .safetensors file as `training/verifier.py` writes it.

    Raises
    ------
    FixSettings
        Where the file is missing or no verifier's.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        if not weights.is_file():
            raise FixSettings(
                f"The verifier's weights {weights} are missing; make them with `python -m training.verifier` "
                "or take them from the repository."
            )
        from safetensors.torch import load_file

        self._network = network()
        try:
            stored = {name: value.float() for name, value in load_file(weights).items()}
            self._network.load_state_dict(stored)
        except (RuntimeError, ValueError, OSError) as error:
            raise FixSettings(
                f"The file {weights} does not hold this verifier's weights; make them anew with "
                "`python -m training.verifier` or take them from the repository."
            ) from error
        self._network.eval()

    def alike(self, expected: Sequence[Picture], seen: Sequence[Picture]) -> Floats:
        """Whether pairs of strips show the same print the same way round; all pairs in few batches.

        Parameters
        ----------
        expected
            Strips as the render has them, RGB uint8 (H, W, 3), any size, the print with about `MARGIN` of
            the shorter side around it.
        seen
            The candidate's, in the same frame; resized where the size differs.

        Returns
        -------
        numpy.ndarray
            Log odds, float32 (N,); positive is alike.
        """
        return np.array([one.alike for one in self.compare(expected, seen)], np.float32)

    def where(self, expected: Sequence[Picture], seen: Sequence[Picture]) -> list[Floats]:
        """Where pairs of strips differ: probabilities, float32 (H, W) at each expected strip's size."""
        maps = []
        for one, strip in zip(self.compare(expected, seen), expected, strict=True):
            odds = 1 / (1 + np.exp(-one.differs))
            size = (strip.shape[1], strip.shape[0])
            maps.append(np.asarray(cv2.resize(odds, size, interpolation=cv2.INTER_LINEAR), np.float32))
        return maps

    def compare(self, expected: Sequence[Picture], seen: Sequence[Picture]) -> list[Likeness]:
        """All that the verifier has to say about each pair; see `alike`."""
        import torch

        pairs = [channels(*sized(a, b)) for a, b in zip(expected, seen, strict=True)]
        turned = [a.shape[0] > a.shape[1] for a in expected]
        order = sorted(range(len(pairs)), key=lambda i: (pairs[i].shape[1], pairs[i].shape[2]))
        found: dict[int, Likeness] = {}
        start = 0
        while start < len(order):
            stop = start + 1
            height = pairs[order[start]].shape[1]
            while stop < len(order):
                _, h, w = pairs[order[stop]].shape
                if h != height or (stop + 1 - start) * h * w > BATCH_PIXELS:
                    break
                stop += 1
            part = order[start:stop]
            batch, inside = padded([pairs[i] for i in part])
            with torch.inference_mode():
                whole, places = self._network(
                    torch.from_numpy(batch).contiguous(memory_format=torch.channels_last),
                    torch.from_numpy(inside),
                )
            for row, i in enumerate(part):
                columns = int(inside[row, 0, 0].sum())
                local = places[row, 0, :, :columns].float().numpy()
                found[i] = Likeness(-float(whole[row]), local.T.copy() if turned[i] else local.copy())
            start = stop
        return [found[i] for i in range(len(pairs))]


@lru_cache(maxsize=1)
def verifier() -> Verifier:
    """The one verifier of this process."""
    return Verifier()


def sized(expected: Picture, seen: Picture) -> tuple[Picture, Picture]:
    """Both strips lying along x, at the size that the network knows."""
    if expected.shape[0] > expected.shape[1]:
        expected, seen = np.swapaxes(expected, 0, 1), np.swapaxes(seen, 0, 1)
    height, width = expected.shape[:2]
    side = WIDE if width >= LONG * height else TALL
    size = (int(np.clip(round(side * width / height), side, MAX_LENGTH)), side)
    # one way of reducing for both, by the expected strip's size
    return _resized(expected, size), _resized(seen, size)


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    if picture.shape[1::-1] == size:
        return picture
    how = cv2.INTER_AREA if picture.shape[0] > size[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=how), np.uint8)


def channels(expected: Picture, seen: Picture) -> Floats:
    """What the network sees of a pair of one size, float32 (6, H, W).

    Each strip along the expected one's two strongest directions of colour: the first with local mean and
    contrast evened out and with the whole strip's, the second with the whole strip's.
    """
    axes = ink_axes(expected)
    out = np.empty((CHANNELS, *expected.shape[:2]), np.float32)
    sigma = 0.35 * expected.shape[0]
    spread = 1.0
    for i, picture in enumerate((expected, seen)):
        values = picture.astype(np.float32) @ axes.T
        first, second = np.ascontiguousarray(values[..., 0]), values[..., 1]
        rest = first - cv2.GaussianBlur(first, (0, 0), sigma)
        local = np.sqrt(cv2.GaussianBlur(rest * rest, (0, 0), sigma))
        spread = float(first.std()) + 3.0
        out[i] = rest / (local + 3.0)
        out[2 + i] = (first - first.mean()) / spread
        out[4 + i] = (second - second.mean()) / spread
    return np.clip(out, -4.0, 4.0)


def padded(pairs: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Pairs of one height in one batch, float32 (N, 6, H, W); which places are theirs, (N, 1, h, w)."""
    height = int(np.ceil(pairs[0].shape[1] / STRIDE)) * STRIDE
    width = int(np.ceil(max(pair.shape[2] for pair in pairs) / STRIDE)) * STRIDE
    batch = np.zeros((len(pairs), CHANNELS, height, width), np.float32)
    inside = np.zeros((len(pairs), 1, height // STRIDE, width // STRIDE), np.float32)
    for i, pair in enumerate(pairs):
        batch[i, :, : pair.shape[1], : pair.shape[2]] = pair
        inside[i, :, :, : int(np.ceil(pair.shape[2] / STRIDE))] = 1
    return batch, inside


def network() -> Any:
    """The network, untrained: a torch module from (N, 6, H, W) and (N, 1, H / 8, W / 8) to log odds that the
    pairs differ, (N,) and place by place (N, 1, H / 8, W / 8)."""
    import torch
    from torch import nn

    def layer(wide_in: int, wide: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
        convolution = nn.Conv2d(wide_in, wide, 3, stride, dilation, dilation, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(wide), nn.ReLU(inplace=True))

    class Block(nn.Module):
        def __init__(self, wide: int, dilation: int = 1) -> None:
            super().__init__()
            self.first, self.second = layer(wide, wide, 1, dilation), layer(wide, wide)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = x + self.second(self.first(x))
            return out

    class Compare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.near = nn.Sequential(
                layer(CHANNELS, 32, 2), layer(32, 32), layer(32, 56, 2), Block(56), layer(56, 80, 2)
            )
            self.far = nn.Sequential(Block(80), Block(80, 2))
            self.place = nn.Conv2d(80, 1, 1)
            self.whole = nn.Sequential(nn.Linear(162, 48), nn.ReLU(inplace=True), nn.Linear(48, 1))

        def forward(self, x: torch.Tensor, inside: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            features = self.far(self.near(x))
            places = self.place(features)
            outside = (1 - inside) * -1e4
            count = inside.sum((2, 3))
            highest = (features + outside).amax((2, 3))
            mean = (features * inside).sum((2, 3)) / count
            worst = (places + outside).flatten(1)
            steep = torch.stack([worst.amax(1), worst.topk(3, 1).values.mean(1)], 1)
            return self.whole(torch.cat([highest, mean, steep], 1))[:, 0], places

    return Compare()
