"""Scenes of the bench: the demo's, and others made here of which camera, ground and light are known.

The two splits share none. Made scenes are a ground and a wall under the stage's own model of light, some with
things standing about that the stage draws; they are written as any scene is, photo and JSON file, once a
machine into its folder for temporary files, and read by `load_scene`.
"""

from __future__ import annotations

import json
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import to_linear
from packline.scenes import Light, Scene, load_scene
from packline.stage.lighting import develop
from scoring.bench.props import props

Floats = NDArray[np.float32]
Triple = tuple[float, float, float]
_SHIPPED = Path(__file__).parents[2] / "assets" / "scenes"
_SIZE = 1024
_MADE = {"calibration": 9, "test": 13}
#: Looks of ground and wall by split; the test's last ones are not among the calibration's.
_GROUNDS = {
    "calibration": ("sweep", "planks", "cloth", "terrazzo"),
    "test": ("sweep", "planks", "marble", "tiles", "terrazzo"),
}
_WALLS = {
    "calibration": ("plain", "two-tone", "panels"),
    "test": ("plain", "brick", "tiles", "panels", "paper"),
}


@lru_cache(maxsize=2)
def scenes(split: str) -> tuple[Scene, ...]:
    """All scenes of a split, in a fixed order: every other one of the demo's, then the made ones."""
    shipped = sorted(_SHIPPED.glob("*.json"))
    made = [_made(split, number) for number in range(_MADE[split])]
    return tuple(load_scene(file) for file in [*shipped[split == "test" :: 2], *made])


def _made(split: str, number: int) -> Path:
    """The file of a made scene, drawn where it is not there yet."""
    here = Path(__file__)
    version = zlib.crc32(here.read_bytes() + here.with_name("props.py").read_bytes())
    folder = Path(tempfile.gettempdir()) / f"packline-bench-scenes-{version:08x}"
    file = folder / f"{split}-{number:02d}.json"
    if not file.exists():
        folder.mkdir(exist_ok=True)
        setting = _setting(split, number)
        photo = _photo(setting)
        cv2.imwrite(str(file.with_suffix(".jpg")), photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        part = file.with_suffix(f".{zlib.crc32(photo.tobytes()):x}.part")
        part.write_text(json.dumps(_record(setting, file.with_suffix(".jpg").name)))
        part.rename(file)
    return file


@dataclass(frozen=True)
class _Setting:
    """What a made scene is: looks, colours (linear), camera, light, and the seed of all chance."""

    ground: str
    wall: str
    busy: bool
    colours: tuple[Triple, Triple, Triple, Triple]
    words: str
    camera: Camera
    wall_z: float
    yaw: float
    fit: float
    light: Light
    seed: int


_PALETTES: tuple[tuple[str, tuple[int, int, int], tuple[int, int, int]], ...] = (
    ("sand", (222, 205, 176), (206, 186, 152)),
    ("sage", (176, 192, 166), (150, 170, 142)),
    ("terracotta", (204, 132, 100), (180, 108, 80)),
    ("slate", (108, 118, 130), (88, 98, 110)),
    ("white", (236, 234, 230), (218, 216, 212)),
    ("walnut", (126, 86, 58), (98, 64, 42)),
    ("oak", (196, 158, 112), (172, 132, 90)),
    ("sky", (170, 196, 216), (146, 176, 200)),
    ("rose", (222, 184, 182), (204, 160, 158)),
    ("charcoal", (70, 70, 74), (52, 52, 56)),
    ("teal", (72, 132, 134), (54, 112, 116)),
    ("mustard", (210, 172, 88), (190, 150, 66)),
    ("lilac", (196, 184, 214), (174, 160, 196)),
    ("concrete", (168, 166, 162), (150, 148, 144)),
)
_WOODS = ("walnut", "oak", "sand")


def _setting(split: str, number: int) -> _Setting:
    rng = np.random.default_rng([53, len(split), number])
    grounds, walls = _GROUNDS[split], _WALLS[split]
    ground, wall = grounds[number % len(grounds)], walls[number % len(walls)]
    names = [one for one in _PALETTES if (ground != "planks" or one[0] in _WOODS)]
    below = names[int(rng.integers(len(names)))]
    others = [one for one in _PALETTES if one[0] != below[0]]
    behind = below if ground == "sweep" else others[int(rng.integers(len(others)))]
    busy = ground != "sweep" and number % 2 == 1
    eye = (float(rng.uniform(-0.28, 0.28)), float(rng.uniform(0.3, 0.52)), float(rng.uniform(1.1, 1.25)))
    camera = Camera(eye, (0.0, float(rng.uniform(0.13, 0.17)), 0.0), float(rng.uniform(28, 33)), _SIZE, _SIZE)
    side = -1 if rng.random() < 0.5 else 1
    azimuth, height = side * rng.uniform(0.25, 1.15), rng.uniform(0.6, 1.05)
    flat = np.cos(height)
    warm = rng.uniform(-0.04, 0.08)
    key = rng.uniform(0.55, 0.8)
    sky = 0.97 - key - rng.uniform(0.0, 0.06)
    tint = np.array([1 + warm, 1.0, 1 - 1.3 * warm])
    arriving = sky + key * np.sin(height)
    under = np.asarray(to_linear(np.array([[below[1]]], np.uint8))[0, 0], float)
    soft = rng.uniform(5, 14)
    light = Light(
        key_direction=(float(flat * np.sin(azimuth)), float(np.sin(height)), float(flat * np.cos(azimuth))),
        key_colour=_triple(key * tint),
        sky_colour=_triple(sky * tint[::-1] ** 0.3),
        ground_colour=_triple(0.5 * arriving * under),
        key_size=float(soft),
        words=f"{'soft' if soft > 8 else 'crisp'} light from the {'left' if side < 0 else 'right'}",
    )
    nouns = {
        "sweep": "backdrop",
        "planks": "plank table",
        "cloth": "tablecloth",
        "marble": "marble top",
        "tiles": "tiled counter",
        "terrazzo": "terrazzo top",
    }
    sort = "" if wall in ("plain", "two-tone") else f"{wall} "
    words = (
        f"a plain {below[0]} backdrop"
        if ground == "sweep"
        else (
            f"a {below[0]} {nouns[ground]} before a {behind[0]} {sort}wall"
            f"{' with things about' if busy else ''}"
        )
    )
    colours = tuple(
        _triple(np.asarray(to_linear(np.array([[rgb]], np.uint8))[0, 0], float))
        for rgb in (*below[1:], *behind[1:])
    )
    return _Setting(
        ground=ground,
        wall=wall,
        busy=busy,
        colours=(colours[0], colours[1], colours[2], colours[3]),
        words=words,
        camera=camera,
        wall_z=-float(rng.uniform(0.55, 0.95)),
        yaw=float(np.degrees(np.arctan2(eye[0], eye[2])) + rng.uniform(-6, 6)),
        fit=float(rng.uniform(0.32, 0.42)),
        light=light,
        seed=int(rng.integers(1 << 31)),
    )


def _triple(values: NDArray[np.float64]) -> Triple:
    r, g, b = (round(float(value), 4) for value in values)
    return r, g, b


def _record(setting: _Setting, image: str) -> dict[str, object]:
    light = setting.light
    return {
        "image": image,
        "words": setting.words,
        "camera": setting.camera.to_dict(),
        "ground": {"point": [0, 0, 0], "normal": [0, 1, 0]},
        "place": {"position": [0, 0, 0], "yaw": setting.yaw, "fit": [setting.fit, setting.fit]},
        "light": {
            "key_direction": light.key_direction,
            "key_colour": light.key_colour,
            "sky_colour": light.sky_colour,
            "ground_colour": light.ground_colour,
            "key_size": light.key_size,
            "words": light.words,
        },
    }


def _photo(setting: _Setting) -> NDArray[np.uint8]:
    """Ground and wall under the light, things on the ground, a little lens fall-off and grain."""
    rng = np.random.default_rng(setting.seed)
    camera, light = setting.camera, setting.light
    rays = camera.rays()
    eye = np.asarray(camera.eye)
    with np.errstate(divide="ignore"):
        down = np.where(rays[..., 1] < -1e-6, -eye[1] / rays[..., 1], np.inf)
        back = np.where(rays[..., 2] < -1e-6, (setting.wall_z - eye[2]) / rays[..., 2], np.inf)
    on_ground = down < back
    depth = np.where(on_ground, down, back)
    spots = (eye + depth[..., None] * rays).astype(np.float32)
    unit = (depth / camera.focal).astype(np.float32)
    a, b, c, d = (np.asarray(colour, np.float32) for colour in setting.colours)
    direction = np.asarray(light.key_direction, np.float32)
    key, sky, bounce = (
        np.asarray(x, np.float32) for x in (light.key_colour, light.sky_colour, light.ground_colour)
    )
    lit_ground = sky + key * direction[1]
    lit_wall = 0.5 * (sky + bounce) + key * max(float(direction[2]), 0.0)
    if setting.ground == "sweep":
        # the ground bends up into the wall: one colour, one gradient
        share = np.clip((spots[..., 1] * 2.2 - spots[..., 2] * 0.5), 0, 1)[..., None] ** 0.8
        colour = a * (lit_ground * (1 - share) + 0.55 * (lit_ground + lit_wall) * 0.8 * share)
        colour = np.asarray(cv2.GaussianBlur(colour, (0, 0), 12))
    else:
        below = LOOKS[setting.ground](spots[..., 0], spots[..., 2], unit, rng)[..., None]
        behind = LOOKS[setting.wall](spots[..., 0], spots[..., 1], unit, rng)[..., None]
        wall = (c + (d - c) * behind) * lit_wall
        # the wall is out of focus
        wall = np.asarray(cv2.GaussianBlur(wall.astype(np.float32), (0, 0), float(rng.uniform(1.2, 3.5))))
        near = 1 - 0.35 * np.exp(-np.abs(spots[..., 2:3] - setting.wall_z) / 0.05)
        floor = (a + (b - a) * below) * lit_ground * near
        colour = np.where(on_ground[..., None], floor, wall * (1 - 0.3 * np.exp(-spots[..., 1:2] / 0.05)))
    across = 1 + 0.1 * direction[0] * spots[..., :1]
    x, y = np.meshgrid(np.linspace(-1, 1, camera.width), np.linspace(-1, 1, camera.height))
    fall = 1 - 0.06 * (x**2 + y**2)[..., None]
    photo = develop(colour * across * fall)
    if setting.busy:
        photo = props(camera, light, setting.wall_z, rng).over(photo)
    grain = rng.normal(0, 0.9, photo.shape[:2])[..., None]
    return np.clip(np.round(photo + grain), 0, 255).astype(np.uint8)


def _edge(distance: Floats, unit: Floats) -> Floats:
    return np.asarray(np.clip(distance / (1.5 * unit) + 0.5, 0, 1), np.float32)


def _noise(x: Floats, y: Floats, cell: float, rng: np.random.Generator, octaves: int = 3) -> Floats:
    """Smooth noise over a plane, about 0 to 1, with cells of so many metres and finer ones on top."""
    total, weight = np.zeros_like(x), 0.0
    for octave in range(octaves):
        lattice = rng.random((64, 64)).astype(np.float32)
        spread = 2.0**octave / cell
        u, v = ((z * spread).astype(np.float32) % 63 for z in (x + 31.7, y + 17.3))
        fine = cv2.remap(lattice, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
        total, weight = total + np.asarray(fine, np.float32) * np.float32(0.5**octave), weight + 0.5**octave
    return np.asarray(total / weight, np.float32)


def _grid(
    x: Floats, y: Floats, pitch: tuple[float, float], gap: float, unit: Floats, offset: float = 0.0
) -> Floats:
    """1 in the joints between tiles whose rows are staggered by `offset`."""
    row = np.floor(y / pitch[1])
    across = (x / pitch[0] + offset * (row % 2)) % 1
    down = y / pitch[1] % 1
    apart = np.minimum(np.minimum(across, 1 - across) * pitch[0], np.minimum(down, 1 - down) * pitch[1])
    return _edge(gap - apart, unit)


def _planks(x: Floats, y: Floats, unit: Floats, rng: np.random.Generator) -> Floats:
    wide = float(rng.uniform(0.07, 0.13))
    row = np.floor(x / wide)
    tone = np.asarray(np.sin(row * 12.9898) * 43758.5453 % 1, np.float32)
    veins = _noise(x * 14, y * 0.9 + tone * 9, 0.35, rng, 4)
    return np.asarray(
        np.clip(0.35 * tone + 0.9 * (veins - 0.25), 0, 1) + 0.8 * _grid(x, y * 0, (wide, 1e3), 0.0012, unit)
    )


def _cloth(x: Floats, y: Floats, unit: Floats, rng: np.random.Generator) -> Floats:
    fade = np.clip(0.0016 / unit, 0, 1)
    weave = 0.5 + 0.25 * (np.sin(x * 2400) + np.sin(y * 2400)) * fade
    return np.asarray(0.45 * weave + 0.75 * (_noise(x, y, 0.16, rng) - 0.2), np.float32)


def _terrazzo(x: Floats, y: Floats, unit: Floats, rng: np.random.Generator) -> Floats:
    chips = _noise(x, y, 0.018, rng, 1)
    other = _noise(x, y, 0.03, rng, 1)
    return np.asarray(
        0.2 * _noise(x, y, 0.2, rng)
        + 0.8 * _edge((chips - 0.72) * 0.02, unit)
        - 0.7 * _edge((other - 0.8) * 0.03, unit)
    )


def _marble(x: Floats, y: Floats, unit: Floats, rng: np.random.Generator) -> Floats:
    bent = _noise(x, y, 0.25, rng, 4)
    veins = np.abs(np.sin((x * 0.7 + y) * 9 + 9 * bent))
    return np.asarray(0.3 * bent + 1.3 * np.exp(-veins / 0.07) * (bent > 0.35), np.float32)


def _tiles(x: Floats, y: Floats, unit: Floats, rng: np.random.Generator) -> Floats:
    pitch = float(rng.uniform(0.09, 0.16))
    tone = np.sin(np.floor(x / pitch) * 78.2 + np.floor(y / pitch) * 37.7) * 43758.5 % 1
    return np.asarray(0.4 * tone + 1.1 * _grid(x, y, (pitch, pitch), 0.0022, unit), np.float32)


def _brick(x: Floats, y: Floats, unit: Floats, rng: np.random.Generator) -> Floats:
    tone = np.sin(np.floor(x / 0.2) * 12.9 + np.floor(y / 0.065) * 78.2) * 43758.5 % 1
    return np.asarray(
        0.5 * tone + 0.4 * _noise(x, y, 0.05, rng) - 1.2 * _grid(x, y, (0.2, 0.065), 0.005, unit, 0.5)
    )


def _two_tone(x: Floats, y: Floats, unit: Floats, rng: np.random.Generator) -> Floats:
    return 1.4 * _edge(np.asarray(float(rng.uniform(0.12, 0.4)) - y, np.float32), unit) + 0.15 * _noise(
        x, y, 0.3, rng
    )


def _panels(x: Floats, y: Floats, unit: Floats, rng: np.random.Generator) -> Floats:
    return 1.2 * _grid(x, y * 0, (float(rng.uniform(0.1, 0.22)), 1e3), 0.006, unit) + 0.2 * _noise(
        x, y, 0.2, rng
    )


def _paper(x: Floats, y: Floats, unit: Floats, rng: np.random.Generator) -> Floats:
    pitch = float(rng.uniform(0.07, 0.12))
    a, b = x / pitch % 1 - 0.5, (y / pitch + 0.5 * (np.floor(x / pitch) % 2)) % 1 - 0.5
    leaf = 0.36 * (0.6 + 0.4 * np.cos(4 * np.arctan2(b, a))) - np.hypot(a, b)
    return np.asarray(1.3 * _edge(leaf * pitch, unit), np.float32)


def _plain(x: Floats, y: Floats, unit: Floats, rng: np.random.Generator) -> Floats:
    return 0.3 * _noise(x, y, 0.25, rng)


#: Patterns of a plane: from two coordinates and a pixel's size in metres to shares of the second colour.
LOOKS: dict[str, Callable[[Floats, Floats, Floats, np.random.Generator], Floats]] = {
    "planks": _planks,
    "cloth": _cloth,
    "terrazzo": _terrazzo,
    "marble": _marble,
    "tiles": _tiles,
    "brick": _brick,
    "two-tone": _two_tone,
    "panels": _panels,
    "paper": _paper,
    "plain": _plain,
}
