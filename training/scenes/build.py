"""From a description to solids and surroundings."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.finish import GROUNDS, Finish, linear, linen, paper, plain, plaster, tiles, wood
from training.scenes.noise import field, step
from training.scenes.props import PROPS
from training.scenes.solid import Solid, box, grid, lathe, quad
from training.scenes.spec import KEY_DISTANCE, Prop, SceneSpec

GLAZES = ((228, 228, 222), (196, 208, 200), (122, 146, 140), (60, 84, 92), (206, 178, 160), (168, 186, 200))


def solids(spec: SceneSpec, texels: int) -> list[Solid]:
    """Everything in the set but the lights; maps are `texels` square."""
    rng = np.random.default_rng(spec.seed)
    out = _ground(spec, rng, texels) + _back(spec, rng, texels)
    for prop in spec.props:
        spot = _spot(spec, prop)
        out += [part.moved(spot, spec.azimuth + prop.turn) for part in PROPS[prop.name](rng)]
    if spec.key.gobo:
        out += _window(spec)
    return out


def _spot(spec: SceneSpec, prop: Prop) -> NDArray[np.float64]:
    """Where a prop stands, world metres, shape (3,); never inside the wall."""
    azimuth = np.radians(spec.azimuth)
    behind = -np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
    right = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
    spot = prop.beside * right + prop.behind * behind
    if spec.back != "room":
        spot[2] = max(spot[2], -spec.back_distance + 0.13)
    return np.asarray(spot)


def _finish(spec: SceneSpec, rng: np.random.Generator, texels: int) -> Finish:
    if spec.ground == "linen":
        return linen(rng, texels, spec.cloth, spec.stripe)
    if spec.ground == "paper":
        return paper(rng, texels, spec.wall)
    return GROUNDS[spec.ground][0](rng, texels, spec.tone)


def _map(x: NDArray[np.float64], z: NDArray[np.float64], turn: float, span: float) -> NDArray[np.float64]:
    """Ground coordinates to metres along the map, turned, with the place in the map's middle."""
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return np.stack([c * x - s * z + span / 2, s * x + c * z + span / 2], -1)


def _flat(finish: Finish, front: float, back: float, half: float, turn: float) -> Solid:
    x, z = np.meshgrid([-half, half], [-back, front])
    return grid(np.stack([x, np.zeros_like(x), z], -1), _map(x, z, turn, finish.span), finish)


def _ground(spec: SceneSpec, rng: np.random.Generator, texels: int) -> list[Solid]:
    finish = _finish(spec, rng, texels)
    back = spec.back_distance
    if spec.back == "sweep" and spec.kind != "plinth":
        return [_sweep(finish, 0.0, back)]
    if spec.kind == "fabric":
        return [_cloth(spec, finish, rng)]
    if spec.kind == "shelf":
        plank = box((3.2, 0.03, back + 0.17), finish, 0.003)
        return [plank.moved((0.0, -0.03, (0.17 - back) / 2))]
    if spec.kind == "plinth":
        if rng.random() < 0.5:
            drum = [
                (0.0, 0.0),
                (0.2, 0.0),
                (0.235, 0.0),
                (0.242, 0.0),
                (0.245, -0.003),
                (0.245, -0.2),
                (0.245, -0.9),
            ]
            top = lathe(drum, finish, 128)
            flat = top.vertices[:, 1] > -0.0005
            level = _map(top.vertices[:, 0], top.vertices[:, 2], spec.grain_turn, finish.span)
            block = Solid(top.vertices, top.faces, np.where(flat[:, None], level, top.uv), finish)
        else:
            block = box((0.48, 0.9, 0.44), finish, 0.003).moved((0.0, -0.9, 0.0), spec.grain_turn)
        floor = linear(150, 146, 140) if spec.back != "sweep" else spec.wall
        if spec.back == "sweep":
            return [block, _sweep(paper(rng, min(texels, 1024), spec.wall), -0.9, back)]
        return [block, quad((-3, -0.9, -back), (6, 0, 0), (0, 0, 5), plain(floor, 0.5))]
    edge = min(back, 0.75) if spec.back == "room" else back
    table = _flat(finish, 2.0, edge, 2.4, spec.grain_turn)
    return [table]


def _sweep(finish: Finish, low: float, back: float) -> Solid:
    radius = 0.7
    # the paper starts to bend gently, so that light on it has no edge
    share = np.linspace(0, 1, 40)
    angle = np.pi / 2 * share**2 * (3 - 2 * share)
    run = radius * np.pi / 2 / 39
    z = np.concatenate([[2.2], np.linspace(-0.3, -back, 6)[:-1], -back - np.cumsum(np.cos(angle)) * run])
    y = np.concatenate([np.zeros(6), np.cumsum(np.sin(angle)) * run])
    z, y = np.append(z, z[-1] - 1e-3), np.append(y, 3.0) + low
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(z), np.diff(y)))])
    x = np.array([-2.6, 2.6])
    points = np.stack(
        [np.broadcast_to(x, (len(z), 2)), np.repeat(y[:, None], 2, 1), np.repeat(z[:, None], 2, 1)], -1
    )
    uv = np.stack([np.broadcast_to(x, (len(z), 2)), np.repeat(length[:, None], 2, 1)], -1)
    return grid(points, uv, finish)


def _cloth(spec: SceneSpec, finish: Finish, rng: np.random.Generator) -> Solid:
    """A cloth that lies flat where the product and props stand and ripples around them."""
    count, half = 420, 1.15
    x, z = np.meshgrid(np.linspace(-half, half, count), np.linspace(-half, half, count))
    if spec.back != "room":
        z = np.maximum(z, -spec.back_distance)
    around = np.hypot(x, z)
    sway = 0.09 * field(rng, count, 2 * half, 0.5).astype(float)
    heading = rng.uniform(0, np.pi)
    along = np.cos(heading) * x + np.sin(heading) * z + sway
    folds = np.abs(np.sin(np.pi * along / rng.uniform(0.16, 0.26))) ** 2.2
    patches = step(-0.2, 1.0, field(rng, count, 2 * half, 0.35))
    ripples = 0.012 * field(rng, count, 2 * half, 0.22) + 0.0025 * field(rng, count, 2 * half, 0.07)
    free = step(0.24, 0.5, around.astype(np.float32))
    for prop in spec.props:
        spot = _spot(spec, prop)
        # props press the cloth flat as well
        free = free * step(0.08, 0.2, np.hypot(x - spot[0], z - spot[2]).astype(np.float32))
    low = cv2.GaussianBlur((folds * patches).astype(np.float32), (0, 0), 3.5)
    y = free * np.maximum(0.04 * low + ripples, -0.002 + 0.0015 * ripples) + 0.0004 * (1 - free) * ripples
    return grid(np.stack([x, y, z], -1), _map(x, z, spec.grain_turn, finish.span), finish)


def _back(spec: SceneSpec, rng: np.random.Generator, texels: int) -> list[Solid]:
    low = -1.6 if spec.kind in ("shelf", "plinth") else -0.02
    z, wide = -spec.back_distance, 6.0
    if spec.back in ("room", "sweep"):
        return []
    texels = min(texels, 2048)
    if spec.back == "tiles":
        width, rise = ((0.15, 0.075), (0.1, 0.1), (0.2, 0.065))[int(rng.integers(3))]
        glaze = linear(*GLAZES[rng.integers(len(GLAZES))])
        finish = tiles(rng, texels, glaze, width, rise)
    elif spec.back == "panels":
        boards = wood(rng, texels, str(rng.choice(["pale oak", "oak", "walnut", "white wash", "smoked oak"])))
        # vertical boards: the grain runs up the wall
        return [
            Solid(
                np.array([[-3, low, z], [3, low, z], [3, 2.4, z], [-3, 2.4, z]], float),
                np.array([[0, 1, 2], [0, 2, 3]]),
                np.array([[0, 0], [0, wide], [2.4 - low, wide], [2.4 - low, 0]]),
                boards,
            )
        ]
    else:
        finish = plaster(rng, texels, spec.wall)
    return [quad((-3, 2.4, z), (wide, 0, 0), (0, low - 2.4, 0), finish)]


def _window(spec: SceneSpec) -> list[Solid]:
    """A wall with a window between the key and the set; the place lies in the middle of a pane's light."""
    direction = np.asarray(spec.key_direction)
    level = np.array([direction[0], 0.0, direction[2]])
    level /= np.linalg.norm(level)
    side = np.cross([0.0, 1.0, 0.0], level)
    away = 1.15
    middle = away * level + np.array([0.0, 0.15 + away * np.tan(np.radians(spec.key.elevation)), 0.0])
    wall, frame = plain(linear(226, 222, 214), 0.8, 0.2), plain(linear(232, 230, 226), 0.5)
    pane_wide, pane_tall, bar = 0.5, 0.56, 0.045

    def slab(left: float, right: float, low: float, high: float, finish: Finish, deep: float) -> Solid:
        block = box((right - left, high - low, deep), finish, 0.002)
        turn = float(np.degrees(np.arctan2(level[0], level[2])))
        return block.moved(middle + side * (left + right) / 2 + np.array([0, low, 0]), turn)

    # three panes wide and two high; the light of the lower middle one falls on the place
    left, right = -1.5 * pane_wide - bar, 1.5 * pane_wide + bar
    low, high = -pane_tall / 2 - bar, 1.5 * pane_tall + bar
    out = [
        slab(left - 1.2, left, -2.0, 1.9, wall, 0.05),
        slab(right, right + 1.2, -2.0, 1.9, wall, 0.05),
        slab(left, right, -2.0, low, wall, 0.05),
        slab(left, right, high, 1.9, wall, 0.05),
    ]
    out += [slab(pane_wide / 2, pane_wide / 2 + bar, low, high, frame, 0.03)]
    out += [slab(-pane_wide / 2 - bar, -pane_wide / 2, low, high, frame, 0.03)]
    out += [slab(left, right, pane_tall / 2, pane_tall / 2 + bar, frame, 0.03)]
    return out


def surroundings(spec: SceneSpec) -> NDArray[np.float32]:
    """The room as an environment map: linear RGB radiance, shape (256, 512, 3), white means 1 under the key.

    The column of direction (x, y, z) is ``atan2(x, -z)``, so the middle of the picture looks along +Z.
    """
    rng = np.random.default_rng([spec.seed, 7])
    rows, columns = 256, 512
    up = np.sin(np.radians(90.0 - (np.arange(rows) + 0.5) * 180.0 / rows))[:, None]
    around = (np.arange(columns) + 0.5) * 2 * np.pi / columns
    wall = np.asarray(spec.wall)
    cool = np.asarray(spec.key.colour) ** 0.5
    tone = np.where(up[..., None] > 0, 0.85 + 0.25 * up[..., None], 0.62 + 0.5 * up[..., None])
    picture = np.broadcast_to(tone * cool * (0.35 + 0.65 * wall**0.4), (rows, columns, 3)).copy()
    direction = spec.key_direction
    towards = np.cos(around - np.arctan2(direction[0], -direction[2]))[None, :, None]
    picture *= 1.0 + 0.45 * towards * np.clip(1 - np.abs(up), 0, 1)[..., None]
    if spec.back == "room":
        _paint_room(picture, wall, rng)
    # three copies side by side, so that the blur goes round
    blurred = cv2.GaussianBlur(np.concatenate([picture] * 3, 1).astype(np.float32), (0, 0), 1.6)
    return np.asarray(np.ascontiguousarray(blurred[:, columns : 2 * columns]) * spec.fill_light, np.float32)


def _paint_room(picture: NDArray[np.float64], wall: NDArray[np.float64], rng: np.random.Generator) -> None:
    """Furniture, pictures and a window around the horizon, far out of focus; drawn in place."""
    rows, columns = picture.shape[:2]

    def patch(
        middle: float, wide: float, low: float, high: float, colour: object, soft: bool = False
    ) -> None:
        top, bottom = (int((90.0 - angle) / 180.0 * rows) for angle in (high, low))
        columns_at = (
            np.arange(int((middle - wide / 2) / 360 * columns), int((middle + wide / 2) / 360 * columns))
        ) % columns
        shade = np.linspace(1.08, 0.85, max(bottom - top, 1))[:, None, None] if soft else 1.0
        picture[top:bottom, columns_at] = np.asarray(colour, float) * shade

    floor = np.asarray(linear(*((132, 106, 82), (168, 150, 128), (110, 106, 102))[rng.integers(3)]))
    patch(180.0, 360.0, -90.0, -15.0, 0.75 * floor)
    patch(180.0, 360.0, -15.0, 60.0, 0.85 * (0.25 + 0.75 * wall), True)
    tones = (
        (92, 74, 60),
        (150, 128, 104),
        (196, 186, 172),
        (70, 82, 88),
        (128, 138, 122),
        (178, 120, 96),
        (52, 50, 52),
    )
    middle = -70.0
    while middle < 70.0:
        wide = rng.uniform(7, 26)
        if rng.random() < 0.75:
            tint = np.asarray(linear(*tones[rng.integers(len(tones))])) * rng.uniform(0.6, 1.0)
            high = rng.uniform(-9, 9)
            patch(middle + wide / 2, wide, -17.0, high, tint, True)
            for _ in range(int(rng.integers(0, 5))):
                small, at = rng.uniform(0.8, 3.0), middle + rng.uniform(0.1, 0.9) * wide
                patch(
                    at,
                    small,
                    high,
                    high + rng.uniform(1, 7),
                    np.asarray(linear(*tones[rng.integers(len(tones))])),
                )
        middle += wide + rng.uniform(0, 12)
    for _ in range(int(rng.integers(1, 3))):
        at, wide = rng.uniform(-40, 40), rng.uniform(9, 20)
        low, high = rng.uniform(-6, 2), rng.uniform(14, 30)
        patch(at, wide + 1.6, low - 0.8, high + 0.8, np.full(3, 0.8))
        for half in (-1, 1):
            patch(
                at + half * wide / 4,
                wide / 2 - 0.7,
                low,
                high,
                np.array([2.1, 2.3, 2.5]) * rng.uniform(0.8, 1.2),
            )


def key_half_size(spec: SceneSpec) -> tuple[float, float]:
    """Distance of the key from the place and half its side, metres."""
    distance = KEY_DISTANCE[spec.key.kind]
    # a square with the same solid angle as a disc of that angular radius
    return distance, distance * float(np.tan(np.radians(spec.key.size))) * float(np.sqrt(np.pi)) / 2
