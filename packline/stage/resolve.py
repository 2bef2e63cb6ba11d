"""From the large maps that were drawn to the G-buffer: the box filter."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import to_linear
from packline.stage.model import Floats, GBuffer


def resolve(
    albedo: NDArray[np.uint8],
    geometry: NDArray[np.float32],
    surface: NDArray[np.uint8],
    emissive: NDArray[np.uint8] | None,
    scale: int,
    camera: Camera,
) -> GBuffer:
    """Box-filter the large maps down; colours are averaged in linear light over covered samples only."""
    height, width = camera.height, camera.width
    rows, columns = _touched(albedo[..., 3], scale)
    maps = GBuffer(
        albedo=np.zeros((height, width, 3), np.float32),
        normals=np.zeros((height, width, 3), np.float32),
        depth=np.zeros((height, width), np.float32),
        mask=np.zeros((height, width), np.float32),
        roughness=np.zeros((height, width), np.float32),
        metallic=np.zeros((height, width), np.float32),
        emissive=np.zeros((height, width, 3), np.float32),
        occlusion=np.ones((height, width), np.float32),
        unlit=np.zeros((height, width), np.float32),
        uv=np.zeros((height, width, 2), np.float32),
        parts=np.zeros((height, width), np.uint16),
    )
    if rows.stop == rows.start:
        return maps
    window = (rows, columns)
    large = (slice(rows.start * scale, rows.stop * scale), slice(columns.start * scale, columns.stop * scale))

    def shrink(values: NDArray[Any]) -> Floats:
        values = np.ascontiguousarray(values, np.float32)
        size = (values.shape[1] // scale, values.shape[0] // scale)
        return values if scale == 1 else np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA))

    mask = shrink(albedo[large][..., 3]) / np.float32(255)
    covered = np.maximum(mask, np.float32(1e-6))[..., None]
    maps.mask[window] = mask
    maps.albedo[window] = shrink(to_linear(albedo[large][..., :3])) / covered
    normals = shrink(geometry[large][..., :3])
    maps.normals[window] = normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    rough_metal = shrink(surface[large][..., :2]) / np.float32(255) / covered
    maps.roughness[window], maps.metallic[window] = rough_metal[..., 0], rough_metal[..., 1]
    if emissive is not None:
        maps.emissive[window] = shrink(to_linear(emissive[large][..., :3])) / covered
    maps.depth[window] = _depth(geometry[large][..., 3], scale, camera.focal)
    return maps


def _depth(metres: NDArray[np.float32], scale: int, focal: float) -> NDArray[np.float32]:
    """The mean depth of a pixel's samples; the nearest one where they lie on different surfaces."""
    height, width = metres.shape[0] // scale, metres.shape[1] // scale
    samples = metres.reshape(height, scale, width, scale)
    total, count = np.zeros((2, height, width), np.float32)
    near = np.full((height, width), np.inf, np.float32)
    far = np.zeros((height, width), np.float32)
    for row in range(scale):
        for column in range(scale):
            sample = samples[:, row, :, column]
            total += sample
            count += sample > 0
            near = np.minimum(near, np.where(sample > 0, sample, np.inf))
            far = np.maximum(far, sample)
    # eight pixels deep for one across is steeper than any surface that is still a surface
    mean = np.where(far - near < 8 * near / focal, total / np.maximum(count, 1), near)
    return np.where(count > 0, mean, 0).astype(np.float32)


def _touched(coverage: NDArray[np.uint8], scale: int) -> tuple[slice, slice]:
    """The window, in pixels of the small picture, outside of which nothing was drawn."""
    spans = []
    for axis in (1, 0):
        hit = np.flatnonzero(coverage.max(axis))
        spans.append(slice(int(hit[0]) // scale, int(hit[-1]) // scale + 1) if len(hit) else slice(0, 0))
    return spans[0], spans[1]
