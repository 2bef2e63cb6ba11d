"""Photographs by three.js: a model in a scene, honest in its own way."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.three_js import Browser
from packline.camera import Camera
from packline.colour import to_linear, to_srgb
from packline.scenes import Light

Picture = NDArray[np.uint8]
_OVER = 2  # drawn so many times larger and averaged


@dataclass(frozen=True)
class Lamp:
    """Light and stand of one photograph, as three.js wants them."""

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]
    strength: float
    fill: float
    softness: float
    exposure: float
    key_shadow: float
    sky_shadow: float
    blur: float

    @staticmethod
    def like(light: Light, rng: np.random.Generator) -> Lamp:
        """A light that a person would call the scene's."""
        key, sky = np.array(light.key_colour), np.array(light.sky_colour)
        way = np.array(light.key_direction) + rng.normal(size=3) * 0.12
        way[1] = max(way[1], 0.25)
        way /= np.linalg.norm(way)
        strength = float(key.mean())
        falls = strength * way[1]
        share = falls / (falls + float(sky.mean()))
        colour = key / key.max() * rng.uniform(0.97, 1.03, 3)
        return Lamp(
            (float(way[0]), float(way[1]), float(way[2])),
            (float(colour[0]), float(colour[1]), float(colour[2])),
            strength * float(rng.uniform(0.85, 1.15)),
            float(sky.mean()) * float(rng.uniform(0.8, 1.2)),
            float(np.clip(light.key_size * 0.5, 2, 14)),
            1.0,
            float(share * rng.uniform(0.85, 1.0)),
            float((1 - share) * rng.uniform(0.4, 0.6)),
            float(rng.uniform(1.0, 2.5)),
        )

    def job(self) -> dict[str, Any]:
        return {
            "direction": list(self.direction), "colour": list(self.colour), "strength": self.strength,
            "fill": self.fill, "softness": self.softness, "exposure": self.exposure,
        }  # fmt: skip


@dataclass(frozen=True)
class Shot:
    """A composite, the product's coverage in it, and the product alone; uint8, float32 (H, W), uint8."""

    picture: Picture
    mask: NDArray[np.float32]
    alone: Picture


def shoot(
    page: Browser,
    bounds: list[float],
    pose: NDArray[np.float64],
    camera: Camera,
    lamp: Lamp,
    photo: Picture,
    extra: dict[str, Any] | None = None,
    *,
    shadow: bool = True,
    beside: tuple[int, int] = (0, 0),
) -> Shot:
    """Draw the loaded model into the base photo.

    Parameters
    ----------
    extra
        A foreign body: ``{"kind": "ball" | "box", "size": metres, "at": world, "colour": "#rrggbb"}``.
    shadow
        False leaves the product's shadow away.
    beside
        The shadow is moved by so many pixels against the product, which then floats.
    """
    distance = float(np.linalg.norm(np.array(camera.eye) - np.array(camera.target)))
    job = {
        "bounds": bounds,
        "pose": [float(v) for v in pose.ravel()],
        "camera": {
            "eye": camera.eye, "target": camera.target, "up": [float(v) for v in camera.pose[:3, 1]],
            "fov": camera.fov_y, "near": distance * 0.05, "far": distance * 40,
        },
        "light": lamp.job(),
        "extra": extra,
        "size": camera.width * _OVER,
    }  # fmt: skip
    drawn = {name: _decoded(url) for name, url in page.call("shoot", job).items()}
    solid = (drawn["mask"][..., :1] > 127).astype(np.float32)
    size = (camera.width, camera.height)
    colour = cv2.resize(to_linear(drawn["picture"]) * solid, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(solid, size, interpolation=cv2.INTER_AREA)
    darkness = np.zeros(mask.shape, np.float32)
    if shadow:
        for name, share, blur in (
            ("keyed", lamp.key_shadow, lamp.blur),
            ("sky", lamp.sky_shadow, 0.02 * size[0]),
        ):
            dark = (
                1
                - cv2.resize(drawn[name][..., 0], size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            )
            # the darkness behind the product must not bleed from its own white
            darkness += share * cv2.GaussianBlur(dark, (0, 0), blur)
        if beside != (0, 0):
            darkness = cv2.warpAffine(darkness, np.array([[1, 0, beside[0]], [0, 1, beside[1]]], float), size)
    ground = to_linear(photo) * (1 - np.clip(darkness, 0, 0.95))[..., None]
    out = ground * (1 - mask[..., None]) + colour
    return Shot(to_srgb(np.clip(out, 0, 1)), mask, to_srgb(np.clip(colour, 0, 1)))


def exposed(lamp: Lamp, shot: Shot, wanted: Picture, mask: Picture, rng: np.random.Generator) -> Lamp:
    """The lamp with the exposure under which the product is about as bright as its reference."""
    seen = to_linear(shot.alone)[shot.mask > 0.99].mean(1)
    want = to_linear(wanted)[mask > 250].mean(1)
    if len(seen) == 0:
        return lamp
    ratio = float(np.clip(np.mean(want) / max(float(np.mean(seen)), 1e-3), 0.2, 5.0))
    return replace(lamp, exposure=lamp.exposure * ratio * float(rng.uniform(0.92, 1.08)))


def honest_finish(picture: Picture, rng: np.random.Generator) -> tuple[Picture, dict[str, Any]]:
    """A little of what cameras, styles and codecs do."""
    image = Image.fromarray(picture)
    told: dict[str, Any] = {}
    if rng.random() < 0.5:
        told["tint"] = [float(v) for v in 1 + rng.uniform(-0.025, 0.025, 3)]
        told["contrast"], told["saturation"] = (float(rng.uniform(0.93, 1.08)) for _ in range(2))
        tinted = np.clip(np.asarray(image, float) * told["tint"], 0, 255).astype(np.uint8)
        image = ImageEnhance.Contrast(Image.fromarray(tinted)).enhance(told["contrast"])
        image = ImageEnhance.Color(image).enhance(told["saturation"])
    if rng.random() < 0.3:
        told["resized"] = float(rng.uniform(0.85, 0.97))
        small = image.resize(
            (round(image.width * told["resized"]), round(image.height * told["resized"])),
            Image.Resampling.BICUBIC,
        )
        image = small.resize(image.size, Image.Resampling.BICUBIC)
    if rng.random() < 0.4:
        told["grain"] = float(rng.uniform(0.4, 1.8))
        noisy = np.asarray(image, float) + rng.normal(size=(*picture.shape[:2], 1)) * told["grain"]
        image = Image.fromarray(np.clip(np.round(noisy), 0, 255).astype(np.uint8))
    codec = str(rng.choice(["", "JPEG", "WEBP"]))
    if codec:
        told["codec"], told["quality"] = codec, int(rng.integers(76, 96))
        image = encoded(image, codec, told["quality"])
    return np.asarray(image.convert("RGB")), told


def encoded(image: Image.Image, codec: str, quality: int) -> Image.Image:
    """Through a codec and back."""
    out = io.BytesIO()
    image.save(out, codec, quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")


def blurred(picture: Picture, radius: float) -> Picture:
    """Softened all over."""
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def _decoded(url: str) -> Picture:
    blob = np.frombuffer(base64.b64decode(url.split(",", 1)[1]), np.uint8)
    return np.asarray(cv2.cvtColor(cv2.imdecode(blob, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
