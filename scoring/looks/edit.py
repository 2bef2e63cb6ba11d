"""Traces of the edit: a seam at its border, no product, or a second one."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.check import Bools, Floats, box_evidence
from scoring.looks.finding import Finding, graded, graded_up
from scoring.looks.sight import Sight
from scoring.style import SMALL, median

# grey levels a pixel times the square root of the length in pixels; honest pictures have 1.1 at most
SEAM = 1.25
# share of the product's pixels that must differ from the base photo
PLACED = 0.3
# share of the product's area that a copy has, times how much it looks like it
COPY = 0.12


def seamed(sight: Sight) -> Finding:
    """A long thin step in the difference to the base photo, where the base photo has none.

    The difference has none of the base photo's own texture; the product's shadow fades, a seam does not.
    """
    one = sight.one
    half, known = (
        np.asarray(cv2.resize(m, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32)
        for m in (sight.difference, sight.expected)
    )
    size = (half.shape[1], half.shape[0])
    far = cv2.resize(sight.away.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    # a shadow may end sharply, where a light is small or the ground drops
    far &= cv2.resize(one.ground.possible, size, interpolation=cv2.INTER_NEAREST) < 0.03
    step, own = _step(half), _step(known)
    # where the photo has an edge of its own, a slightly other softness leaves a difference too
    clear = np.where(far, step - 0.35 * own, 0)
    floor = median(step[far]) if far.any() else 0.0
    ridge = (clear > max(0.45, 3 * floor)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ridge, connectivity=8)
    worst, box = 0.0, None
    for i in range(1, count):
        x, y, w, h, area = (int(n) for n in stats[i])
        length = max(w, h)
        # a seam is long and thin; a thing that appeared is scene_kept's
        if length < 24 or area > 6 * (w + h):
            continue
        cut = labels[y : y + h, x : x + w] == i
        value = float(np.median(clear[y : y + h, x : x + w][cut])) * np.sqrt(length / 48)
        if value > worst:
            worst, box = value, (2 * x, 2 * y, 2 * (x + w), 2 * (y + h))
    evidence = (box_evidence("seam", *box),) if box else ()
    return Finding("seam", graded(worst, SEAM, 3), "A seam shows around the edited area.", worst, evidence)


def _step(values: Floats) -> Floats:
    smooth = cv2.GaussianBlur(values, (0, 0), 1.2)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(cv2.magnitude(across, down) / 8, np.float32)


def untouched(sight: Sight) -> Finding:
    """Inside the product's mask the picture is still the base photo: the product was never placed."""
    one = sight.one
    rows, columns = one.crop(0)
    inside = one.inside[rows, columns]
    if not inside.any():
        words = "The reference shows no product in this view: check the scene's place."
        return Finding("missing product", 0.0, words)
    expected = sight.expected[rows, columns]
    change = np.abs(one.grey[rows, columns] - expected)[inside]
    wanted = np.abs(one.render_grey[rows, columns] - expected)[inside]
    # where product and base look alike anyway, no change says nothing
    telling = wanted > 12
    share = float((change[telling] > 6).mean()) if telling.sum() > 200 else float((change > 3).mean())
    sentence = "The product is missing: where it should be, the picture is still the base photo."
    return Finding(
        "missing product", graded_up(share, PLACED, 3), sentence, share, (sight.box("no product"),)
    )


def duplicated(sight: Sight) -> Finding:
    """A second product: something new beside the place that looks like the product, whole or in part."""
    one = sight.one
    changed = one.ground.unexplained > 14
    mask = np.asarray(cv2.resize(one.scene.mask, (SMALL, SMALL), interpolation=cv2.INTER_AREA), np.uint8)
    area = float((mask > 127).sum())
    # a smear along the outline has the product's colours too: that is a halo, no second product
    changed &= one.ground.away > 10
    if area < 60 or float(changed.sum()) < 0.06 * area:
        return Finding("duplicate", 1.0, "There is no second product.")
    joined = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    worst, found = 0.0, None
    for x, y, w, h, size in sorted((tuple(map(int, s)) for s in stats[1:]), key=lambda s: -s[4])[:3]:
        if size < 0.06 * area:
            break
        likeness = _likeness(sight.small, mask, (x, y, w, h), joined > 0)
        value = min(1.0, size / area) ** 0.5 * likeness
        if value > worst:
            worst, found = value, (x, y, w, h)
    if found is None:
        return Finding("duplicate", 1.0, "There is no second product.")
    x, y, w, h = found
    across, down = sight.scale
    corners = (x * across, y * down, (x + w) * across, (y + h) * down)
    evidence = box_evidence("second product", *corners)
    sentence = "The product is there twice: a second one, or a large part of it, stands elsewhere."
    return Finding("duplicate", graded(worst, COPY, 3), sentence, worst, (evidence,))


def _likeness(
    picture: Floats, mask: NDArray[np.uint8], place: tuple[int, int, int, int], new: Bools
) -> float:
    """How much the colours of a place are the product's: shared part of two colour histograms, 0 to 1."""
    x, y, w, h = place
    cut = np.s_[y : y + h, x : x + w]
    there, product = picture[cut][new[cut]], picture[mask > 200]
    return float(np.minimum(_histogram(there), _histogram(product)).sum())


def _histogram(colours: Floats) -> Floats:
    bins = np.clip(colours / 25.6, 0, 9).astype(int)
    flat = np.bincount(bins @ np.array([100, 10, 1]), minlength=1000).astype(np.float32)
    # neighbouring bins share, so that a slightly other light still meets
    pairs = cv2.blur(flat.reshape(100, 10), (3, 3)).reshape(10, 100)
    cube = np.asarray(cv2.blur(pairs, (1, 3)), np.float32).ravel()
    return np.asarray(cube / max(float(cube.sum()), 1e-6), np.float32)
