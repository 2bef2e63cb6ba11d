"""From the pixels that the resolve pass gives back to the G-buffer, and how see-through layers stack up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.stage.model import Floats, GBuffer


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels, rows from the top."""

    left: int
    top: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns in a map."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)

    def scaled(self, factor: int) -> Window:
        """The same rectangle where each pixel has so many samples a side."""
        return Window(self.left * factor, self.top * factor, self.width * factor, self.height * factor)


def assemble(camera: Camera, window: Window | None, pixels: Mapping[str, Floats]) -> GBuffer:
    """The G-buffer of one layer from what resolve.frag wrote.

    Parameters
    ----------
    camera
        The view that was drawn.
    window
        Where in the picture `pixels` lie; None: nothing was drawn.
    pixels
        float32 (window.height, window.width, 4) by the names of `framebuffer.PIXEL_TARGETS`.
    """

    def whole(channels: int, outside: float = 0.0) -> Floats:
        shape = (camera.height, camera.width, channels) if channels > 1 else (camera.height, camera.width)
        return np.full(shape, outside, np.float32) if outside else np.zeros(shape, np.float32)

    alpha = whole(1, 1.0)
    maps = GBuffer(
        albedo=whole(3),
        normals=whole(3),
        depth=whole(1),
        mask=whole(1),
        roughness=whole(1),
        metallic=whole(1),
        emissive=whole(3),
        occlusion=whole(1, 1.0),
        unlit=whole(1),
        uv=whole(2),
        parts=np.zeros((camera.height, camera.width), np.uint16),
        alpha=alpha,
    )
    if window is None:
        return maps
    at = window.slices
    albedo, geometry, surface, place = (pixels[name] for name in ("albedo", "geometry", "surface", "place"))
    maps.albedo[at], maps.mask[at] = albedo[..., :3], albedo[..., 3]
    maps.normals[at], maps.depth[at] = geometry[..., :3], geometry[..., 3]
    maps.roughness[at], maps.metallic[at] = surface[..., 0], surface[..., 1]
    maps.occlusion[at], alpha[at] = surface[..., 2], surface[..., 3]
    maps.uv[at], maps.parts[at], maps.unlit[at] = place[..., :2], place[..., 2], place[..., 3]
    if "emissive" in pixels:
        maps.emissive[at] = pixels["emissive"][..., :3]
    return maps


def stacked(
    layers: Sequence[GBuffer], opacities: Sequence[NDArray[np.uint8]], window: Window, scale: int
) -> GBuffer:
    """Chain layers up and work out which share of each pixel shows which.

    Parameters
    ----------
    layers
        Nearest first, the opaque surfaces last.
    opacities
        Alpha of each layer's samples, uint8 (window.height * scale, window.width * scale); 0 where it has
        none. Known for each sample, so that a pane and the frame that it ends in leave no gap between them.
    """
    open_to = np.ones((window.height * scale, window.width * scale), np.float32)
    over: GBuffer | None = None
    chain = []
    for layer, opacity in zip(layers, opacities, strict=True):
        alpha = opacity.astype(np.float32) / np.float32(255)
        share = np.zeros(layer.mask.shape, np.float32)
        share[window.slices] = _shrunk(open_to * alpha, scale)
        open_to *= 1 - alpha
        chain.append(replace(layer, share=share))
    # each holds the next: from the last peeled to the opaque one, which holds the nearest
    for layer in reversed(chain[:-1]):
        over = replace(layer, over=over)
    return replace(chain[-1], over=over)


def _shrunk(samples: Floats, scale: int) -> Floats:
    if scale == 1:
        return samples
    size = (samples.shape[1] // scale, samples.shape[0] // scale)
    return np.asarray(cv2.resize(samples, size, interpolation=cv2.INTER_AREA))
