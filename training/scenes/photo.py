"""The photo: path-traced light, cleaned, exposed and developed."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.scenes.light import measure, texels_for
from training.scenes.spec import SceneSpec

Floats = NDArray[np.float32]

#: Linear light up to here is kept as it is; above, it rolls off towards 1.
KNEE = 0.8


def develop(linear: Floats) -> NDArray[np.uint8]:
    """Linear RGB to an sRGB picture.

    Identity up to `KNEE`, above it ``KNEE + (1 - KNEE) * (1 - exp(-(x - KNEE) / (1 - KNEE)))``, which meets
    it with the same slope, then the sRGB curve: a product lit in linear light and encoded as sRGB matches.
    """
    room = 1.0 - KNEE
    over = np.maximum(linear - KNEE, 0.0)
    light = np.where(linear > KNEE, KNEE + room * (1.0 - np.exp(-over / room)), np.maximum(linear, 0.0))
    coded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    return np.asarray(np.clip(np.round(coded * 255.0), 0, 255), np.uint8)


def clean(
    halves: tuple[Floats, Floats], albedo: Floats, normals: Floats, depth: Floats, levels: int = 4
) -> Floats:
    """Denoise by an edge-stopping à-trous filter on light without texture.

    After Schied et al., Spatiotemporal Variance-Guided Filtering (HPG 2017), for one frame: the variance
    comes from two independent halves of the samples; texture is divided out before, multiplied in after.

    Parameters
    ----------
    halves
        Two renders with independent samples, linear RGB (H, W, 3).
    albedo, normals, depth
        Noise-free guides, (H, W, 3), (H, W, 3) and (H, W).
    levels
        Passes; the last reaches ``2 ** levels`` pixels.
    """
    base = np.maximum(albedo, 0.0) + 0.03
    first, second = (_without_fireflies(np.asarray(half / base, np.float32)) for half in halves)
    light = (first + second) / 2
    noise = ((first - second) ** 2).mean(-1) / 4
    noise = cv2.GaussianBlur(noise, (0, 0), 2.5)
    near = np.maximum(depth, 1e-3)
    weights_1d = np.array([1, 4, 6, 4, 1], np.float32) / 16
    for level in range(levels):
        gap = 2**level
        total = np.zeros_like(light)
        noise_total = np.zeros_like(noise)
        weight_sum = np.zeros_like(noise)
        pad = 2 * gap
        wide = [
            cv2.copyMakeBorder(a, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
            for a in (light, normals, near, noise)
        ]
        rows, columns = noise.shape
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                cut = (
                    slice(pad + dy * gap, pad + dy * gap + rows),
                    slice(pad + dx * gap, pad + dx * gap + columns),
                )
                other, turned, far, loud = (a[cut] for a in wide)
                apart = ((other - light) ** 2).mean(-1) / (4.0 * (noise + loud) + 1e-6)
                bent = ((turned - normals) ** 2).sum(-1) / 0.02
                deep = np.abs(far - near) / (0.015 * near * gap)
                weight = weights_1d[dy + 2] * weights_1d[dx + 2] * np.exp(-apart - bent - deep)
                total += weight[..., None] * other
                noise_total += weight * weight * loud
                weight_sum += weight
        light = total / weight_sum[..., None]
        noise = noise_total / weight_sum**2
    return np.asarray(light * base, np.float32)


def _without_fireflies(light: Floats) -> Floats:
    """Single pixels far brighter than their neighbours are paths that found the key by luck: cap them."""
    cap = 1.5 * cv2.medianBlur(np.ascontiguousarray(light), 5) + 0.02
    return np.asarray(np.minimum(light, cap), np.float32)


def grain(picture: Floats, seed: int, strength: float = 0.008) -> Floats:
    """Photographic grain: a share of the light's square root, slightly soft, mostly without colour."""
    rng = np.random.default_rng([seed, 11])
    rows, columns = picture.shape[:2]
    grey = cv2.GaussianBlur(rng.standard_normal((rows, columns)).astype(np.float32), (0, 0), 0.6)[..., None]
    tint = cv2.GaussianBlur(rng.standard_normal((rows, columns, 3)).astype(np.float32), (0, 0), 0.8)
    speckle = strength * np.sqrt(np.maximum(picture, 0.0)) * (grey + 0.35 * tint)
    return np.asarray(picture + speckle, np.float32)


def render(spec: SceneSpec, size: int, samples: int, seed: int) -> NDArray[np.uint8]:
    """Take the photo.

    Parameters
    ----------
    size
        Side in pixels.
    samples
        Paths a pixel.
    seed
        Of the samples and the grain; the set itself follows from ``spec.seed``.

    Returns
    -------
    NDArray[np.uint8]
        sRGB, shape (size, size, 3).
    """
    from training.scenes import tracer

    exposure = measure(spec).exposure
    scene = tracer.mi.load_dict({"type": "scene", **tracer.contents(spec, texels_for(size))})
    camera = spec.camera(size)
    focus = float(np.linalg.norm(np.asarray(camera.eye) - np.array([0.0, 0.12, 0.06])))
    sensor = tracer.lens(camera, spec.aperture, focus)
    # few samples at a time: the compiled tracer keeps every path of a pass in memory
    most = max(1, (1 << 22) // size**2)

    def average(count: int, first: int, take: Callable[[int, int], Floats]) -> Floats:
        each = min(count, most)
        passes = max(1, count // each)
        total = np.sum([take(each, (first + number) % (1 << 31)) for number in range(passes)], 0)
        return np.asarray(total / passes, np.float32)

    halves = [
        average(samples // 2, (2 * seed + half) * 4096, lambda n, at: tracer.trace(scene, sensor, n, at))
        for half in range(2)
    ]
    names = "a:albedo,n:sh_normal,d:depth"
    guides = average(
        max(12, samples // 4), seed * 4096 + 999, lambda n, at: tracer.features(scene, sensor, names, n, at)
    )
    light = clean(
        (exposure * halves[0], exposure * halves[1]),
        guides[..., :3],
        guides[..., 3:6],
        guides[..., 6],
        3 if size <= 320 else 4,
    )
    return develop(grain(light, seed))
