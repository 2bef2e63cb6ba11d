"""What a set is: a frozen description from which photo, camera, place and light all follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from packline.camera import Camera
from packline.scenes import Place
from training.scenes.finish import GROUNDS, Colour, linear

#: The height that the product may fill, as a share of the frame's height.
FILL = 0.47

#: Metres from the place to the key, by its kind.
KEY_DISTANCE = {"daylight": 1.8, "softbox": 1.5, "sun": 6.0}


@dataclass(frozen=True)
class Key:
    """The dominant light.

    Parameters
    ----------
    azimuth
        Degrees about Y from the camera's side of the place (0: behind the camera), positive to the right.
    elevation
        Degrees above the ground.
    size
        Angular radius in degrees, seen from the place.
    colour
        Linear RGB, brightest channel 1.
    kind
        "daylight", "softbox" or "sun".
    gobo
        Whether a window frame stands between the key and the set.
    """

    azimuth: float
    elevation: float
    size: float
    colour: Colour
    kind: str = "daylight"
    gobo: bool = False


@dataclass(frozen=True)
class Prop:
    """A prop by name, metres beside (positive right) and behind the place as the camera sees it."""

    name: str
    beside: float
    behind: float
    turn: float = 0.0


@dataclass(frozen=True)
class SceneSpec:
    """One set.

    Parameters
    ----------
    kind
        "table", "shelf", "sweep", "fabric", "plinth" or "counter".
    seed
        Of every texture and prop.
    ground, tone
        Family and tone of the surface the product stands on (see `finish.GROUNDS`), or "linen" / "paper".
    back
        What lies behind: "wall", "tiles", "panels", "room" or "sweep".
    back_distance
        Metres from the place to the back.
    wall
        Linear RGB of the back.
    height, distance, azimuth
        The camera's height over the ground and distance along it, metres; degrees about Y from +Z.
    fill
        Share of the frame's height that a product filling the place takes.
    aside
        How far the place lies to the right of the middle, as a share of the frame's width.
    turn
        Degrees by which the product is turned away from facing the camera.
    aperture
        Radius of the lens, metres.
    fill_light
        Strength of the surroundings against the key.
    """

    kind: str
    seed: int
    ground: str
    tone: str
    back: str
    back_distance: float
    wall: Colour
    height: float
    distance: float
    azimuth: float
    key: Key
    props: tuple[Prop, ...] = ()
    fill: float = FILL
    aside: float = 0.0
    turn: float = 0.0
    aperture: float = 0.008
    fill_light: float = 0.35
    cloth: Colour = (0.6, 0.55, 0.47)
    stripe: Colour | None = None
    grain_turn: float = 0.0

    @property
    def place(self) -> Place:
        """The origin, facing the camera."""
        return Place(position=(0.0, 0.0, 0.0), yaw=round(self.azimuth + self.turn, 3), fit=(0.30, 0.30))

    def camera(self, size: int = 1024) -> Camera:
        """A camera that sees the place's box `fill` of the frame high, a little below the middle."""
        azimuth = np.radians(self.azimuth)
        level = np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
        right = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
        eye = self.distance * level + np.array([0.0, self.height, 0.0])
        low = np.array([0.0, 0.0, 0.0])
        tall = self.place.fit[1]
        target, fov = np.array([0.0, 0.5 * tall, 0.0]), 35.0
        # the place's lowest and highest point are put where they belong by a few secant-like steps
        for _ in range(12):
            camera = Camera(_triple(eye), _triple(target), fov, size, size)
            ends, _ = camera.project(np.array([low, low + np.array([0, tall, 0])]))
            share = (ends[0, 1] - ends[1, 1]) / size
            fov = float(np.clip(fov * share / self.fill, 18.0, 60.0))
            metres = tall / (share * size)
            middle = (ends[0, 1] + ends[1, 1]) / 2
            target = target + np.array([0, 1.0, 0]) * (0.555 * size - middle) * metres * 0.8
            target = target + right * ((ends[0, 0] - size / 2) - self.aside * size) * metres * 0.8
        eye_rounded, target_rounded = (tuple(round(float(x), 5) for x in v) for v in (eye, target))
        return Camera(_triple(eye_rounded), _triple(target_rounded), round(fov, 4), size, size)

    @property
    def key_direction(self) -> tuple[float, float, float]:
        """Unit vector from the place towards the key."""
        around, up = np.radians(self.azimuth + self.key.azimuth), np.radians(self.key.elevation)
        vector = [np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)]
        return _triple(vector)


def _triple(values: object) -> tuple[float, float, float]:
    x, y, z = np.asarray(values, float)
    return float(x), float(y), float(z)


def warmth(kelvin: float) -> Colour:
    """Linear sRGB of a black body, brightest channel 1 (Tanner Helland's fit, 1000 to 15000 K)."""
    t = kelvin / 100.0
    red = 255.0 if t <= 66 else 329.698727446 * (t - 60) ** -0.1332047592
    green = (
        99.4708025861 * np.log(t) - 161.1195681661 if t <= 66 else 288.1221695283 * (t - 60) ** -0.0755148492
    )
    blue = 255.0 if t >= 66 else 0.0 if t <= 19 else 138.5177312231 * np.log(t - 10) - 305.0447927307
    colour = np.array(linear(*(int(np.clip(c, 0, 255)) for c in (red, green, blue))))
    # a photographer balances most of it away
    colour = colour**0.55
    return _triple(colour / colour.max())


WALLS = (
    (232, 228, 220), (214, 206, 194), (188, 196, 192), (150, 164, 158), (120, 134, 146), (196, 168, 150),
    (90, 104, 98), (72, 82, 98), (206, 190, 160), (168, 150, 140), (222, 214, 214), (60, 62, 66),
)  # fmt: skip
PAPERS = (
    (236, 234, 230), (214, 220, 224), (228, 210, 194), (206, 216, 204), (222, 196, 190), (176, 190, 206),
    (232, 218, 178), (150, 154, 158), (86, 92, 98),
)  # fmt: skip
CLOTHS = (
    (214, 204, 186),
    (226, 222, 214),
    (150, 158, 150),
    (104, 116, 132),
    (186, 150, 130),
    (120, 112, 104),
)
STRIPES = ((70, 90, 120), (140, 70, 60), (90, 100, 84))
KINDS = ("table", "shelf", "sweep", "fabric", "plinth", "counter", "window", "stone")


def random_props(rng: np.random.Generator, most: int, back_distance: float) -> tuple[Prop, ...]:
    """Props beside and behind the place; its middle stays free unless the prop is far behind."""
    names = ("vase", "bowl", "cup", "books", "plant", "branches", "board", "bottle", "candle", "jars")
    out: list[Prop] = []
    for _ in range(int(rng.integers(0, most + 1))):
        behind = float(rng.uniform(0.26, max(0.27, min(back_distance - 0.12, 0.95))))
        nearest = 0.14 if behind > 0.4 else 0.27
        beside = float(rng.uniform(nearest, 0.32 + 0.35 * behind) * rng.choice([-1, 1]))
        if all(np.hypot(beside - p.beside, behind - p.behind) > 0.22 for p in out):
            out.append(Prop(names[rng.integers(len(names))], beside, behind, float(rng.uniform(-25, 25))))
    return tuple(out)


def random_spec(rng: np.random.Generator) -> SceneSpec:
    """Draw one set: its kind, surfaces, props, camera and light."""
    kind = str(rng.choice(KINDS))
    ground = str(rng.choice(list(GROUNDS)))
    back, back_distance = str(rng.choice(["wall", "room", "panels"])), float(rng.uniform(0.5, 1.5))
    most = 4
    height, distance = float(rng.uniform(0.2, 0.85)), float(rng.uniform(0.85, 1.2))
    if kind == "table":
        ground = "wood"
    elif kind == "stone":
        ground = str(rng.choice(["stone", "marble", "terrazzo", "concrete"]))
    elif kind == "shelf":
        ground, back, back_distance = (
            "wood",
            str(rng.choice(["wall", "panels", "tiles"])),
            float(rng.uniform(0.24, 0.34)),
        )
        height, most = float(rng.uniform(0.15, 0.4)), 3
    elif kind == "sweep":
        ground, back, back_distance, most = "paper", "sweep", float(rng.uniform(0.5, 1.1)), 0
        height = float(rng.uniform(0.15, 0.6))
    elif kind == "fabric":
        ground, most = "linen", 3
    elif kind == "plinth":
        ground = str(rng.choice(["concrete", "stone", "terrazzo", "marble", "wood"]))
        back, back_distance, most = str(rng.choice(["wall", "sweep"])), float(rng.uniform(0.6, 1.3)), 0
        height = float(rng.uniform(0.2, 0.6))
    elif kind == "counter":
        ground, back = str(rng.choice(["marble", "terrazzo", "wood", "stone"])), "tiles"
        back_distance, height = float(rng.uniform(0.32, 0.6)), float(rng.uniform(0.2, 0.6))
    tones = GROUNDS[ground][1] if ground in GROUNDS else ("plain",)
    light = str(rng.choice(["daylight", "softbox", "sun"], p=[0.45, 0.35, 0.2]))
    gobo = kind == "window"
    if gobo:
        light = "sun"
    size = {"daylight": (7, 15), "softbox": (9, 18), "sun": (1.0, 3.0)}[light]
    kelvin = {"daylight": (5200, 8500), "softbox": (4800, 6500), "sun": (3800, 6000)}[light]
    side = float(rng.choice([-1, 1]))
    around = float(rng.uniform(55, 90) if gobo else rng.uniform(15, 130))
    steep = float(rng.uniform(28, 42) if gobo else rng.uniform(max(28.0, 0.4 * around), 68))
    radius = float(rng.uniform(*size))
    paint = PAPERS if kind == "sweep" else WALLS
    azimuth = float(rng.uniform(-12, 12) if kind in ("shelf", "counter") else rng.uniform(-22, 22))
    away = KEY_DISTANCE[light]
    room = -9.0 if back == "room" else 0.1 - back_distance + away * float(np.tan(np.radians(radius)))
    # no key behind the back of the set: turn it towards the camera until it is clear
    while (
        around > 20 and away * np.cos(np.radians(steep)) * np.cos(np.radians(azimuth + side * around)) < room
    ):
        around -= 4
    return SceneSpec(
        kind=kind,
        seed=int(rng.integers(2**31)),
        ground=ground,
        tone=str(rng.choice(tones)),
        back=back,
        back_distance=back_distance,
        wall=linear(*paint[rng.integers(len(paint))]),
        height=height,
        distance=distance,
        azimuth=azimuth,
        key=Key(side * around, steep, radius, warmth(float(rng.uniform(*kelvin))), light, gobo),
        props=random_props(rng, most, back_distance),
        fill=float(rng.uniform(0.41, 0.52)),
        aside=float(rng.uniform(-0.09, 0.09)),
        turn=float(rng.uniform(-14, 14)),
        aperture=float(rng.uniform(0.004, 0.01)),
        fill_light=float(rng.uniform(0.2, 0.6)),
        cloth=linear(*CLOTHS[rng.integers(len(CLOTHS))]),
        stripe=linear(*STRIPES[rng.integers(len(STRIPES))]) if rng.random() < 0.4 else None,
        grain_turn=float(rng.uniform(-12, 12)) + float(rng.choice([0.0, 90.0], p=[0.75, 0.25])),
    )
