"""Damage to real models: colours shifted, parts dropped, surfaces melted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from benchmarks.held_back.files import Glb
from packline.colour import ciede2000, from_lab, to_lab, to_linear, to_srgb

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Colours:
    """A texture's main colours, Lab, with how much of the product's picture each takes."""

    centres: Floats
    shares: Floats

    @property
    def several(self) -> bool:
        """Whether a person would call the product multi-coloured."""
        large = self.centres[self.shares > 0.12]
        apart = [ciede2000(a[None], b[None])[0] for i, a in enumerate(large) for b in large[:i]]
        return max(apart, default=0.0) > 15


def main_colours(albedo: NDArray[np.uint8], mask: NDArray[np.uint8], count: int = 4) -> Colours:
    """Cluster what the picture shows of the product."""
    seen = to_lab(to_linear(albedo[mask > 250])).astype(np.float32)
    sample = seen[:: max(1, len(seen) // 20000)]
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 0.2)
    cv2.setRNGSeed(1)
    _, labels, centres = cv2.kmeans(sample, count, np.empty(0), stop, 3, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(labels.ravel(), minlength=count) / len(sample)
    return Colours(centres.astype(float), shares)


def shifted_lab(lab: Floats, delta: float, rng: np.random.Generator) -> Floats | None:
    """A colour `delta` away by CIEDE2000 in a random direction, within sRGB; None where twenty tries fail."""
    for _ in range(20):
        way = rng.normal(size=3) * (0.7, 1, 1)
        low, high = 0.0, 60.0
        for _ in range(30):
            middle = (low + high) / 2
            there = lab + way / np.linalg.norm(way) * middle
            low, high = (middle, high) if ciede2000(lab[None], there[None])[0] < delta else (low, middle)
        linear = from_lab(there[None])[0]
        if linear.min() >= 0 and linear.max() <= 0.97:
            return np.asarray(there)
    return None


def recoloured(texture: Image.Image, colours: Colours, which: int | None, shift: Floats) -> Image.Image:
    """The texture with one of its main colours shifted in Lab, or all of them (None)."""
    pixels = np.asarray(texture)
    lab = to_lab(to_linear(pixels)).reshape(-1, 3)
    if which is None:
        weight = np.ones(len(lab))
    else:
        near = np.linalg.norm(lab[:, None] - colours.centres[None], axis=2)
        weight = (near.argmin(1) == which).astype(float)
        weight = cv2.GaussianBlur(weight.reshape(pixels.shape[:2]), (0, 0), 0.8).ravel()
    moved = to_srgb(np.clip(from_lab(lab + weight[:, None] * shift), 0, 1)).reshape(pixels.shape)
    return Image.fromarray(moved)


def without_piece(glb: Glb, rng: np.random.Generator) -> list[Glb]:
    """Files without one connected piece each: a random few of those that are neither tiny nor everything."""
    out = []
    for number, primitive in enumerate(glb.primitives()):
        if "indices" not in primitive or primitive.get("mode", 4) != 4:
            continue
        faces = glb.array(primitive["indices"]).reshape(-1, 3)
        points = glb.array(primitive["attributes"]["POSITION"])
        _, welded = np.unique(
            np.round(points / (np.ptp(points, 0).max() * 1e-5)), axis=0, return_inverse=True
        )
        ring = welded.ravel()[faces]
        pairs = np.concatenate([ring[:, :2], ring[:, 1:]])
        count = int(welded.max()) + 1
        graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (count, count))
        _, piece = connected_components(graph, directed=False)
        of_face = piece[ring[:, 0]]
        sizes = np.bincount(of_face)
        for which in np.flatnonzero((sizes > 0.005 * len(faces)) & (sizes < 0.7 * len(faces))):
            out.append((number, faces[of_face != which].reshape(-1, 1)))
    rng.shuffle(out)  # type: ignore[arg-type]
    return [glb.with_array(glb.primitives()[number]["indices"], kept) for number, kept in out[:3]]


def melted(glb: Glb, rng: np.random.Generator, size: float, depth: float) -> Glb:
    """A region drawn out of shape: vertices within `size` of a random one sag by `depth` (of the extent)."""
    primitives = glb.primitives()
    weights = [glb.tree["accessors"][p["attributes"]["POSITION"]]["count"] for p in primitives]
    number = int(rng.choice(len(primitives), p=np.array(weights) / sum(weights)))
    accessor = primitives[number]["attributes"]["POSITION"]
    points = glb.array(accessor).astype(float)
    extent = float(np.ptp(points, 0).max())
    centre = points[int(rng.integers(len(points)))]
    away = np.linalg.norm(points - centre, axis=1) / (size * extent)
    weight = np.exp(-2 * away**2)[:, None]
    waves = sum(
        np.sin(points / extent * rng.uniform(9, 22) @ rng.normal(size=3) + rng.uniform(0, 6))[:, None]
        * rng.normal(size=3)
        for _ in range(3)
    )
    return glb.with_array(accessor, points + weight * waves * depth * extent / 2.5)
