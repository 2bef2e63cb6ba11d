"""Scenes: base photos (image 1) with camera, ground, light and the place where the product belongs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from packline.camera import Camera
from packline.errors import GiveUp

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Place:
    """Where the product stands.

    Parameters
    ----------
    position
        The middle of the product's footprint on the ground, metres.
    yaw
        Degrees about Y that turn the product's front (+Z) towards the camera.
    fit
        Width and height in metres; the product is scaled until it just fits both.
    shift, turn, scale
        How far a candidate may stray: metres, degrees, share of the size.
    light_turn, light_height, light_size, exposure
        How far the light that a candidate is drawn in may stray from the scene's: degrees about the vertical,
        degrees up and down, share of `Light.key_size`, share of all light.
    """

    position: Triple
    yaw: float
    fit: tuple[float, float]
    shift: float = 0.02
    turn: float = 8.0
    scale: float = 0.05
    light_turn: float = 4.0
    light_height: float = 3.0
    light_size: float = 0.2
    exposure: float = 0.04


@dataclass(frozen=True)
class Light:
    """The scene's light, linear RGB irradiance on a surface that faces it.

    Parameters
    ----------
    key_direction
        Unit vector from the place towards the key light.
    key_colour, sky_colour, ground_colour
        Linear RGB irradiance of the key, of the upper and of the lower hemisphere.
    key_size
        Angular radius of the key in degrees; larger is softer.
    words
        How a prompt says it ("soft daylight from the left").
    """

    key_direction: Triple
    key_colour: Triple
    sky_colour: Triple
    ground_colour: Triple
    key_size: float = 8.0
    words: str = "soft light"

    def strayed(
        self, turn: float = 0.0, height: float = 0.0, size: float = 1.0, exposure: float = 1.0
    ) -> Light:
        """This light with its key turned about the vertical and raised, softened, and all of it dimmed.

        Parameters
        ----------
        turn, height
            Degrees; positive turns from front (+Z) to right (+X), and up.
        size, exposure
            Factors on `key_size` and on all three colours.
        """
        x, y, z = self.key_direction
        azimuth = np.arctan2(x, z) + np.radians(turn)
        was = np.arcsin(np.clip(y, -1, 1))
        # a key stays above the ground and short of the zenith, unless it was not to begin with
        low, high = min(was, np.radians(5.0)), max(was, np.radians(88.0))
        elevation = np.clip(was + np.radians(height), low, high)
        flat = np.cos(elevation)
        direction = (float(flat * np.sin(azimuth)), float(np.sin(elevation)), float(flat * np.cos(azimuth)))

        def dimmed(colour: Triple) -> Triple:
            return (colour[0] * exposure, colour[1] * exposure, colour[2] * exposure)

        return replace(
            self,
            key_direction=direction,
            key_colour=dimmed(self.key_colour),
            sky_colour=dimmed(self.sky_colour),
            ground_colour=dimmed(self.ground_colour),
            key_size=self.key_size * size,
        )


@dataclass(frozen=True)
class Scene:
    """A base photo and what is known about it.

    Parameters
    ----------
    light_estimated
        Whether `light` is a guess from the photo, because the scene's file has none.
    """

    name: str
    image: Path
    words: str
    camera: Camera
    ground_point: Triple
    ground_normal: Triple
    place: Place
    light: Light
    sha256: str = ""
    light_estimated: bool = False

    def photo(self) -> NDArray[np.uint8]:
        """The base photo, sRGB, shape (height, width, 3)."""
        return _photo(self.name, self.image, self.camera)

    def photo_at(self, size: int) -> NDArray[np.uint8]:
        """The base photo at the size of a delivered picture, sRGB, shape (size, size, 3)."""
        import cv2

        photo = self.photo()
        if photo.shape[:2] == (size, size):
            return photo
        how = cv2.INTER_AREA if photo.shape[0] > size else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(photo, (size, size), interpolation=how), np.uint8)


def load_scene(file: Path) -> Scene:
    """Read a scene's small JSON file; the photo lies beside it.

    Raises
    ------
    GiveUp
        With a sentence, where the file or its photo is missing or a field is wrong.
    """
    name = file.stem
    try:
        data, image, digest = _read(file)
        place, ground = data["place"], data["ground"]
        camera = _square(name, Camera.from_dict(data["camera"]))
        known = data.get("light") is not None
        return Scene(
            name=name,
            image=image,
            words=str(data["words"]),
            camera=camera,
            ground_point=_triple(ground["point"]),
            ground_normal=_triple(ground["normal"]),
            place=Place(
                position=_triple(place["position"]),
                yaw=float(place["yaw"]),
                fit=(float(place["fit"][0]), float(place["fit"][1])),
                shift=float(place.get("shift", 0.02)),
                turn=float(place.get("turn", 8.0)),
                scale=float(place.get("scale", 0.05)),
                light_turn=float(place.get("light_turn", 4.0)),
                light_height=float(place.get("light_height", 3.0)),
                light_size=float(place.get("light_size", 0.2)),
                exposure=float(place.get("exposure", 0.04)),
            ),
            light=_light(data["light"]) if known else _estimated(name, image, camera, digest),
            sha256=digest,
            light_estimated=not known,
        )
    except FileNotFoundError as error:
        raise GiveUp(f"Scene {name}: {error.filename} is missing; add it or name another scene.") from error
    except KeyError as error:
        raise GiveUp(
            f"Scene {name}: field {error} is missing in {file}; add it (see docs/scenes.md)."
        ) from error
    except (TypeError, ValueError, IndexError) as error:
        raise GiveUp(f"Scene {name}: {file} is malformed ({error}); see docs/scenes.md.") from error


def scene_digest(file: Path) -> str:
    """`Scene.sha256` without the rest; empty where the scene cannot be read."""
    try:
        return _read(file)[2]
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _read(file: Path) -> tuple[dict[str, Any], Path, str]:
    """A scene's JSON, its photo, and the hash of both."""
    data: dict[str, Any] = json.loads(file.read_text())
    image = file.parent / data["image"]
    return data, image, hashlib.sha256(file.read_bytes() + image.read_bytes()).hexdigest()


def _light(data: dict[str, Any]) -> Light:
    return Light(
        key_direction=_triple(data["key_direction"]),
        key_colour=_triple(data["key_colour"]),
        sky_colour=_triple(data["sky_colour"]),
        ground_colour=_triple(data["ground_colour"]),
        key_size=float(data.get("key_size", 8.0)),
        words=str(data.get("words", "soft light")),
    )


@lru_cache(maxsize=64)
def _estimated(name: str, image: Path, camera: Camera, digest: str) -> Light:
    """The light of a photo; `digest` changes with its bytes."""
    from packline.stage.light_estimate import estimate_light

    return estimate_light(_photo(name, image, camera), camera)


def _square(name: str, camera: Camera) -> Camera:
    """Pictures are square, and a photo that is not would be squashed while the product is not."""
    if camera.width != camera.height:
        raise GiveUp(
            f"Scene {name}: it is {camera.width}x{camera.height} px; crop it square, photo and camera alike "
            f"(see docs/scenes.md)."
        )
    return camera


def _photo(name: str, image: Path, camera: Camera) -> NDArray[np.uint8]:
    try:
        with Image.open(image) as picture:
            # a camera that was held upright often says so beside the pixels only
            pixels = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except OSError as error:
        raise GiveUp(
            f"Scene {name}: its base photo {image} cannot be read ({error}); replace the file."
        ) from error
    if pixels.shape[:2] != (camera.height, camera.width):
        raise GiveUp(
            f"Scene {name}: the photo is {pixels.shape[1]}x{pixels.shape[0]} px but its file says "
            f"{camera.width}x{camera.height}; correct one of them."
        )
    return pixels


def _triple(values: Any) -> Triple:
    x, y, z = values
    return float(x), float(y), float(z)
