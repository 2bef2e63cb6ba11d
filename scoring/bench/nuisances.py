"""Nuisances: what an honest picture may do that is no defect, and how it is done to a photograph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture

Floats = NDArray[np.float32]
_EDITOR = Path(__file__).parents[2] / "assets" / "models" / "editor"
#: Share of the small VAE's error that a re-encoded picture keeps: production VAEs err about 9 dB less.
_REENCODED = 0.35


@dataclass(frozen=True)
class Nuisance:
    """What an honest picture may do that is no defect. All neutral by default.

    Parameters
    ----------
    key_turn, key_tilt
        The key light's direction strays by this many degrees about the vertical, and in height.
    key_gain, sky_gain
        Factors of the key's and of the sky's and ground's irradiance.
    warmth
        The light's colour: -1 (6 % bluer) to 1 (a warm lamp); it falls on the product and on the scene alike.
    foreign
        How far another renderer's idea of surfaces goes, 0 to 1 (`scoring.bench.renderers`).
    shift, turn, scale
        The product strays: pixels of the picture across and down, degrees about Y, factor.
    style
        Name of a harmless restyling of the whole picture ("" or one of `STYLES`), `style_strength` 0 to 1.
    blur
        Sigma in pixels of a softness that a decoder leaves over the whole picture, up to about 0.6.
    codec
        "" or "jpeg", "webp", with `quality`.
    grain
        Standard deviation of grain in grey levels, up to about 2.
    reencoded
        Whether the picture went once through a VAE, as a diffusion model's does: the embedded editor's,
        whose error is mixed in at about a third, which is what a production VAE's is.
    """

    key_turn: float = 0.0
    key_tilt: float = 0.0
    key_gain: float = 1.0
    sky_gain: float = 1.0
    warmth: float = 0.0
    foreign: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    scale: float = 1.0
    style: str = ""
    style_strength: float = 0.0
    blur: float = 0.0
    codec: str = ""
    quality: int = 95
    grain: float = 0.0
    reencoded: bool = False
    seed: int = 0


def draw_nuisance(
    rng: np.random.Generator, size: int, pose: bool = True, light: bool = True, foreign: float | None = None
) -> Nuisance:
    """Draw what an honest candidate does: this is what "good" means in the bench's false-reject rate.

    Each of these is there or not, mostly mild, sometimes at its edge (a mild one is normal with a third of
    the edge as its deviation, cut off at the edge; one of eight is anywhere up to the edge):

    - light (7 of 10): the key turned by up to 25 degrees and tilted by up to 12, key and sky gains 0.8 to
      1.25, warmth -1 to 1;
    - pose (7 of 10): shifted by up to 1 % of the picture, turned by up to 3 degrees, scaled by 0.97 to 1.03;
    - style (1 of 3): one of `STYLES`, strength up to 0.5 and one of eight up to 0.8;
    - softness (1 of 2): sigma up to 0.6 px at 1024 px (half of that at 512);
    - re-encoding by a VAE (1 of 10);
    - grain (1 of 3): up to 2 grey levels;
    - compression (2 of 3): JPEG or WebP of quality 75 to 97;
    - another renderer's idea of surfaces (1 of 4; `scoring.bench.renderers`), anywhere up to its edge.

    Parameters
    ----------
    size
        Pixels on the picture's longer side.
    pose, light
        Whether these may stray at all.
    foreign
        How far another renderer's idea of surfaces goes in every picture, which has half of it at least; 0
        for none. All else is drawn as it is without.
    """

    def stray(edge: float) -> float:
        if rng.random() < 0.125:
            return float(rng.uniform(-edge, edge))
        return float(np.clip(rng.normal(0, edge / 3), -edge, edge))

    values: dict[str, Any] = {"seed": int(rng.integers(1 << 31))}
    if light and rng.random() < 0.7:
        values |= {"key_turn": stray(25.0), "key_tilt": stray(12.0)}
        values |= {"key_gain": 1.25 ** stray(1.0), "sky_gain": 1.25 ** stray(1.0), "warmth": stray(1.0)}
    if pose and rng.random() < 0.7:
        values |= {"shift": (stray(0.01 * size), stray(0.01 * size)), "turn": stray(3.0)}
        values["scale"] = 1 + stray(0.03)
    if rng.random() < 1 / 3:
        most = 0.8 if rng.random() < 0.125 else 0.5
        values |= {"style": str(rng.choice(list(STYLES))), "style_strength": float(rng.uniform(0.1, most))}
    if rng.random() < 0.5:
        values["blur"] = float(rng.uniform(0.1, 0.6)) * size / 1024
    values["reencoded"] = bool(rng.random() < 0.1)
    if rng.random() < 1 / 3:
        values["grain"] = float(rng.uniform(0.3, 2.0))
    if rng.random() < 2 / 3:
        values |= {"codec": str(rng.choice(["jpeg", "webp"])), "quality": int(rng.integers(75, 98))}
    apart = np.random.default_rng([911, values["seed"]])
    if foreign is not None:
        values["foreign"] = foreign * float(apart.uniform(0.5, 1.0))
    elif apart.random() < 0.25:
        values["foreign"] = float(apart.uniform(0.1, 1.0))
    return Nuisance(**values)


def finish(picture: Picture, nuisance: Nuisance) -> Picture:
    """Do to a whole picture what comes after the drawing: style, VAE, softness, grain, compression.

    Parameters
    ----------
    picture
        sRGB uint8 (H, W, 3); it is not changed.

    Returns
    -------
    uint8 (H, W, 3)
        The picture itself where there is nothing to do.
    """
    if nuisance.style and nuisance.style_strength > 0:
        styled = STYLES[nuisance.style](np.asarray(picture / np.float32(255), np.float32))
        picture = _rounded(picture + (styled * 255 - picture) * np.float32(nuisance.style_strength))
    if nuisance.reencoded:
        picture = _rounded(picture + _REENCODED * (_through_vae(picture) - picture))
    if nuisance.blur > 0.05:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), nuisance.blur), np.uint8)
    if nuisance.grain > 0:
        rng = np.random.default_rng(nuisance.seed)
        noise = rng.standard_normal(picture.shape[:2], np.float32)
        picture = _rounded(picture + noise[..., None] * np.float32(nuisance.grain))
    if nuisance.codec:
        picture = compressed(picture, nuisance.codec, nuisance.quality)
    return picture


def compressed(picture: Picture, codec: str, quality: int) -> Picture:
    """A picture after a lossy codec, "jpeg" or "webp"."""
    option = {"jpeg": cv2.IMWRITE_JPEG_QUALITY, "webp": cv2.IMWRITE_WEBP_QUALITY}[codec]
    _, data = cv2.imencode(f".{codec}", picture[..., ::-1], [option, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1].copy()


def _rounded(values: NDArray[Any]) -> Picture:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _graded(
    gains: tuple[float, float, float], lift: float = 0.0, contrast: float = 1.0
) -> Callable[[Floats], Floats]:
    def style(x: Floats) -> Floats:
        y = x * np.asarray(gains, np.float32)
        y = (y - 0.5) * np.float32(contrast) + 0.5
        return np.asarray(lift + (1 - lift) * np.clip(y, 0, 1), np.float32)

    return style


def _faded(x: Floats) -> Floats:
    grey = x @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(0.07 + 0.87 * (0.72 * x + 0.28 * grey[..., None]), np.float32)


def _curve(x: Floats) -> Floats:
    return np.asarray(0.55 * x + 0.45 * x * x * (3 - 2 * x), np.float32)


def _vignette(x: Floats) -> Floats:
    down, across = (np.linspace(-1, 1, n, dtype=np.float32) for n in x.shape[:2])
    reach = across**2 + down[:, None] ** 2
    return np.asarray(x * (1 - 0.2 * np.clip(reach - 0.25, 0, None))[..., None], np.float32)


def _vivid(x: Floats) -> Floats:
    grey = (x @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    return np.asarray(np.clip(grey + 1.22 * (x - grey), 0, 1), np.float32)


#: Harmless restylings of a whole picture at full strength: functions of sRGB float32 (H, W, 3) from 0 to 1.
STYLES: dict[str, Callable[[Floats], Floats]] = {
    "warm": _graded((1.05, 1.0, 0.88)),
    "cool": _graded((0.93, 1.0, 1.05)),
    "faded": _faded,
    "contrast": _curve,
    "bright": _graded((1.07, 1.07, 1.07), lift=0.01),
    "dusk": _graded((0.98, 0.92, 0.94), lift=0.02, contrast=0.95),
    "vignette": _vignette,
    "vivid": _vivid,
}


def _through_vae(picture: Picture) -> Floats:
    """A picture encoded and decoded by the embedded editor's VAE, float32 (H, W, 3) from 0 to 255."""
    import torch

    vae = _vae()
    height, width = picture.shape[:2]
    padded = cv2.copyMakeBorder(picture, 0, -height % 16, 0, -width % 16, cv2.BORDER_REPLICATE)
    x = torch.from_numpy(padded.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1)
    with torch.inference_mode():
        y = vae.decode(vae.encode(x).latent_dist.mode()).sample
    back = (y[0].numpy().transpose(1, 2, 0) + 1) * 127.5
    return np.asarray(np.clip(back[:height, :width], 0, 255), np.float32)


@lru_cache(maxsize=1)
def _vae() -> Any:
    from diffusers import AutoencoderKLFlux2

    load: Any = AutoencoderKLFlux2.from_pretrained  # (it is not typed)
    vae = load(_EDITOR / "vae", local_files_only=True)
    return vae.float().eval()
