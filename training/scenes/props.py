"""Props: what stands about a set, out of focus, and never where the product goes.

Every maker takes a random generator and gives solids standing on y = 0 about the origin.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.scenes.finish import Colour, Finish, linear, plain, wood
from training.scenes.solid import Solid, box, lathe, leaf

Solids = list[Solid]

CERAMICS = ((228, 222, 210), (196, 176, 150), (120, 132, 128), (66, 74, 84), (188, 122, 96), (160, 168, 150))
BINDINGS = (
    (128, 62, 52), (58, 78, 98), (196, 176, 140), (84, 98, 78), (222, 212, 194), (60, 56, 58),
    (176, 132, 72), (150, 160, 166), (206, 150, 130), (104, 84, 110),
)  # fmt: skip
GREENS = ((70, 98, 58), (96, 120, 78), (58, 84, 62), (118, 134, 104))


def _pick(rng: np.random.Generator, colours: tuple[tuple[int, int, int], ...]) -> Colour:
    red, green, blue = linear(*colours[rng.integers(len(colours))])
    shade = float(rng.uniform(0.85, 1.12))
    return min(red * shade, 0.88), min(green * shade, 0.88), min(blue * shade, 0.88)


def _ceramic(rng: np.random.Generator) -> Finish:
    return plain(_pick(rng, CERAMICS), float(rng.uniform(0.25, 0.75)), 0.45)


def vase(rng: np.random.Generator) -> Solids:
    """A thrown vase, open at the top."""
    tall, belly = rng.uniform(0.16, 0.3), rng.uniform(0.045, 0.08)
    neck, lip = rng.uniform(0.3, 0.6) * belly, rng.uniform(0.4, 0.75) * belly
    high = rng.uniform(0.3, 0.6)
    profile = [
        (0.0, 0.0), (0.6 * belly, 0.0), (0.75 * belly, 0.02), (belly, high * tall),
        (0.8 * belly, 0.75 * tall), (neck, 0.88 * tall), (lip, tall),
        (lip - 0.004, tall), (neck - 0.005, 0.87 * tall),
        (0.7 * belly, 0.7 * tall), (0.0, 0.3 * tall),
    ]  # fmt: skip
    return [lathe(profile, _ceramic(rng))]


def bowl(rng: np.random.Generator) -> Solids:
    """A bowl, sometimes with fruit."""
    wide, tall = rng.uniform(0.08, 0.13), rng.uniform(0.05, 0.08)
    profile = [
        (0.0, 0.0), (0.45 * wide, 0.0), (0.5 * wide, 0.008), (0.85 * wide, 0.55 * tall), (wide, tall),
        (wide - 0.004, tall), (0.8 * wide, 0.5 * tall), (0.4 * wide, 0.016), (0.0, 0.012),
    ]  # fmt: skip
    out = [lathe(profile, _ceramic(rng))]
    if rng.random() < 0.6:
        kind = plain(
            linear(*((214, 158, 40), (206, 118, 40), (150, 52, 44), (120, 140, 60))[rng.integers(4)]), 0.45
        )
        for angle in (0.0, 2.2, 4.1):
            middle = (0.42 * wide * np.cos(angle), 0.55 * tall + 0.016, 0.42 * wide * np.sin(angle))
            out.append(fruit(0.034, kind).moved(middle, float(rng.uniform(0, 360))))
    return out


def fruit(radius: float, finish: Finish) -> Solid:
    """A slightly flattened ball with a dimple."""
    angle = np.linspace(0, np.pi, 11)
    dent = 1.0 - 0.16 * np.exp(-((angle / 0.35) ** 2))
    line = [
        (float(radius * np.sin(a)), float(0.92 * radius * np.cos(a) * d))
        for a, d in zip(angle, dent, strict=True)
    ]
    return lathe(line, finish, 32).moved((0, 0, 0))


def cup(rng: np.random.Generator) -> Solids:
    """A straight cup without a handle."""
    wide, tall = rng.uniform(0.035, 0.045), rng.uniform(0.07, 0.1)
    profile = [
        (0.0, 0.0), (0.85 * wide, 0.0), (0.95 * wide, 0.01), (wide, tall), (wide - 0.003, tall),
        (0.9 * wide, 0.02), (0.0, 0.012),
    ]  # fmt: skip
    return [lathe(profile, _ceramic(rng))]


def books(rng: np.random.Generator) -> Solids:
    """Books on their side, or a few standing together."""
    out: Solids = []
    pages = plain(linear(226, 216, 196), 0.9, 0.1)
    if rng.random() < 0.55:
        top = 0.0
        for _ in range(rng.integers(2, 5)):
            wide, deep, thick = rng.uniform(0.17, 0.24), rng.uniform(0.12, 0.16), rng.uniform(0.014, 0.035)
            cover = plain(_pick(rng, BINDINGS), 0.65, 0.3)
            turn = float(rng.uniform(-14, 14))
            out.append(box((wide, 0.002, deep), cover, 0.0006).moved((0, top, 0), turn))
            out.append(
                box((wide - 0.008, thick - 0.004, deep - 0.006), pages, 0.0006).moved(
                    (0, top + 0.002, 0), turn
                )
            )
            out.append(box((wide, 0.002, deep), cover, 0.0006).moved((0, top + thick - 0.002, 0), turn))
            spine = box((wide, thick, 0.003), cover, 0.0008)
            out.append(spine.moved((0, top, 0)).moved((0, 0, deep / 2), 0.0).moved((0, 0, 0), turn))
            top += thick + 0.0005
        return out
    x = -0.08
    for _ in range(rng.integers(4, 8)):
        thick, deep, tall = rng.uniform(0.012, 0.034), rng.uniform(0.12, 0.16), rng.uniform(0.18, 0.25)
        out.append(
            box((thick, tall, deep), plain(_pick(rng, BINDINGS), 0.65, 0.3)).moved((x + thick / 2, 0, 0))
        )
        x += thick + 0.0012
    return out


def plant(rng: np.random.Generator) -> Solids:
    """A pot with arching leaves."""
    wide, tall = rng.uniform(0.05, 0.075), rng.uniform(0.08, 0.12)
    pot = [
        (0.0, 0.0), (0.75 * wide, 0.0), (0.8 * wide, 0.01), (wide, tall), (wide - 0.007, tall),
        (0.93 * wide, 0.86 * tall), (0.0, 0.86 * tall),
    ]  # fmt: skip
    out = [lathe(pot, _ceramic(rng))]
    green = _pick(rng, GREENS)
    broad = rng.uniform(0.14, 0.34)
    for number in range(int(rng.integers(16, 30))):
        angle, lift = number * 2.4 + rng.normal(0, 0.2), rng.uniform(0.5, 2.6)
        shade = float(rng.uniform(0.65, 1.25))
        tint = plain((green[0] * shade, green[1] * shade, green[2] * shade), 0.45, 0.4)
        direction = np.array([np.cos(angle), lift, np.sin(angle)])
        length = rng.uniform(0.12, 0.27)
        root = np.array([0.3 * wide * np.cos(angle), 0.85 * tall, 0.3 * wide * np.sin(angle)])
        out.append(leaf(root, direction, length, broad * length, float(rng.uniform(0.15, 0.6)), tint))
    return out


def branches(rng: np.random.Generator) -> Solids:
    """A vase with leafy twigs."""
    out = vase(rng)
    top = float(max(part.vertices[:, 1].max() for part in out))
    green = _pick(rng, GREENS)
    bark = plain(linear(96, 78, 62), 0.8, 0.2)
    for number in range(int(rng.integers(4, 8))):
        angle = number * 2.1 + rng.normal(0, 0.4)
        lean = np.array([np.cos(angle) * 0.35, 1.0, np.sin(angle) * 0.35])
        lean /= np.linalg.norm(lean)
        length = rng.uniform(0.2, 0.36)
        root = np.array([0.0, top - 0.06, 0.0])
        out.append(leaf(root, lean, length, 0.004, 0.1, bark))
        for at in np.linspace(0.3, 1.0, int(rng.integers(7, 11))):
            spot = root + length * (at * lean - 0.1 * at**2 * np.array([0, 1.0, 0]))
            around = rng.uniform(0, 2 * np.pi)
            shade = float(rng.uniform(0.7, 1.25))
            tint = plain((green[0] * shade, green[1] * shade, green[2] * shade), 0.55, 0.3)
            aim = np.array([np.cos(around), rng.uniform(0.1, 0.8), np.sin(around)])
            out.append(leaf(spot, aim, rng.uniform(0.03, 0.05), rng.uniform(0.018, 0.03), 0.15, tint, 6))
    return out


def board(rng: np.random.Generator) -> Solids:
    """A wooden board that leans back."""
    finish = wood(rng, 384, ("oak", "walnut", "pine", "cherry")[rng.integers(4)], False)
    slab = box((rng.uniform(0.2, 0.28), rng.uniform(0.3, 0.42), 0.018), finish, 0.004)
    return [slab.moved((0, 0, 0), float(rng.uniform(-8, 8)), -12.0)]


def bottle(rng: np.random.Generator) -> Solids:
    """A stoneware bottle."""
    wide, tall = rng.uniform(0.03, 0.042), rng.uniform(0.2, 0.3)
    profile = [
        (0.0, 0.0), (0.95 * wide, 0.0), (wide, 0.01), (wide, 0.6 * tall), (0.9 * wide, 0.7 * tall),
        (0.35 * wide, 0.8 * tall), (0.32 * wide, 0.97 * tall), (0.4 * wide, tall), (0.0, tall),
    ]  # fmt: skip
    return [lathe(profile, _ceramic(rng))]


def candle(rng: np.random.Generator) -> Solids:
    """A pillar candle on a dish."""
    wide, tall = rng.uniform(0.028, 0.04), rng.uniform(0.07, 0.15)
    dish = [
        (0.0, 0.0),
        (wide * 1.5, 0.0),
        (wide * 1.9, 0.012),
        (wide * 1.85, 0.013),
        (wide, 0.006),
        (0.0, 0.006),
    ]
    wax = [(0.0, 0.006), (wide, 0.006), (wide, tall), (0.8 * wide, tall), (0.0, tall - 0.006)]
    return [lathe(dish, _ceramic(rng)), lathe(wax, plain(linear(232, 220, 196), 0.5, 0.3))]


def jars(rng: np.random.Generator) -> Solids:
    """Two or three lidded jars in a row."""
    out: Solids = []
    finish, lid = _ceramic(rng), wood(rng, 256, "oak", False)
    x = -0.1
    for tall in np.sort(rng.uniform(0.09, 0.2, int(rng.integers(2, 4)))):
        wide = rng.uniform(0.038, 0.052)
        body = [
            (0.0, 0.0),
            (0.95 * wide, 0.0),
            (wide, 0.008),
            (wide, tall - 0.008),
            (0.95 * wide, tall),
            (0.0, tall),
        ]
        cap = [(0.0, tall), (0.98 * wide, tall), (0.98 * wide, tall + 0.018), (0.0, tall + 0.018)]
        out += [lathe(body, finish).moved((x + wide, 0, 0)), lathe(cap, lid).moved((x + wide, 0, 0))]
        x += 2 * wide + 0.02
    return out


PROPS: dict[str, Callable[[np.random.Generator], Solids]] = {
    "vase": vase,
    "bowl": bowl,
    "cup": cup,
    "books": books,
    "plant": plant,
    "branches": branches,
    "board": board,
    "bottle": bottle,
    "candle": candle,
    "jars": jars,
}
