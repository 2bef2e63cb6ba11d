"""Where the rasteriser draws to: large targets for the samples, small ones for the pixels.

Import it after `gl.make_current`, which tells PyOpenGL to use EGL.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from OpenGL import GL  # type: ignore[import-untyped]

from packline.stage.resolve import Window

#: What surface.frag writes for a sample, in the order of its outputs.
SAMPLE_TARGETS = {
    "albedo": GL.GL_RGBA16,  # linear, and the part
    "geometry": GL.GL_RGBA32F,
    "surface": GL.GL_RGBA8,
    "place": GL.GL_RG32F,
    "emissive": GL.GL_RGBA16F,  # linear and unbounded
}
#: What resolve.frag writes for a pixel, in the order of its outputs; all RGBA32F.
PIXEL_TARGETS = ("albedo", "geometry", "surface", "place", "emissive")
#: The opaque surfaces' depths and, in turns, those of the layer being peeled and of the one before it.
DEPTHS = 3


class Framebuffer:
    """Square targets of `size` pixels a side, and of `supersample` times as many samples."""

    def __init__(self, size: int, supersample: int) -> None:
        self.size = size * supersample
        self._samples = GL.glGenFramebuffers(1)
        self._pixels = GL.glGenFramebuffers(1)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._samples)
        self._maps = {}
        for index, (name, kind) in enumerate(SAMPLE_TARGETS.items()):
            self._maps[name] = _texture(kind, self.size)
            _attach(GL.GL_COLOR_ATTACHMENT0 + index, self._maps[name])
        self._depths = [_texture(GL.GL_DEPTH_COMPONENT32F, self.size)]
        _attach(GL.GL_DEPTH_ATTACHMENT, self._depths[0])
        _check(self.size)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._pixels)
        for index in range(len(PIXEL_TARGETS)):
            target = GL.glGenRenderbuffers(1)
            GL.glBindRenderbuffer(GL.GL_RENDERBUFFER, target)
            GL.glRenderbufferStorage(GL.GL_RENDERBUFFER, GL.GL_RGBA32F, size, size)
            GL.glFramebufferRenderbuffer(
                GL.GL_FRAMEBUFFER, GL.GL_COLOR_ATTACHMENT0 + index, GL.GL_RENDERBUFFER, target
            )
        _check(size)
        # a fullscreen triangle needs a vertex array, though an empty one
        self._triangle = GL.glGenVertexArrays(1)

    def begin(self, window: Window, targets: list[str], depth: int = 0) -> None:
        """Draw samples here from now on, onto nothing, with the depth buffer of that number."""
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._samples)
        while len(self._depths) <= depth:
            self._depths.append(_texture(GL.GL_DEPTH_COMPONENT32F, self.size))
        _attach(GL.GL_DEPTH_ATTACHMENT, self._depths[depth])
        names = list(SAMPLE_TARGETS)
        GL.glDrawBuffers(len(targets), [GL.GL_COLOR_ATTACHMENT0 + names.index(name) for name in targets])
        GL.glDisable(GL.GL_MULTISAMPLE)
        GL.glDisable(GL.GL_BLEND)
        GL.glEnable(GL.GL_DEPTH_TEST)
        GL.glDepthMask(GL.GL_TRUE)
        # of surfaces at one depth the last in the file shows, as a label on its bottle does in viewers
        GL.glDepthFunc(GL.GL_LEQUAL)
        # the projection turns the picture upside down, so that rows come back from the top: windings swap
        GL.glFrontFace(GL.GL_CW)
        GL.glEnable(GL.GL_SCISSOR_TEST)
        GL.glScissor(window.left, window.top, window.width, window.height)
        GL.glClearColor(0.0, 0.0, 0.0, 0.0)
        GL.glClear(GL.GL_COLOR_BUFFER_BIT | GL.GL_DEPTH_BUFFER_BIT)

    def bind_depth(self, unit: int, depth: int) -> None:
        """Let a shader read the depth buffer of that number through a texture unit."""
        GL.glActiveTexture(GL.GL_TEXTURE0 + unit)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._depths[depth])

    def resolve(self, program: Any, window: Window, targets: list[str]) -> None:
        """Run the bound `program` once for each pixel of `window` on the samples of `targets`."""
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._pixels)
        GL.glDrawBuffers(len(targets), [GL.GL_COLOR_ATTACHMENT0 + i for i in range(len(targets))])
        for unit, name in enumerate(targets):
            GL.glActiveTexture(GL.GL_TEXTURE0 + unit)
            GL.glBindTexture(GL.GL_TEXTURE_2D, self._maps[name])
            program.set_uniform(f"{name}_map", unit)
        GL.glViewport(window.left, window.top, window.width, window.height)
        GL.glScissor(window.left, window.top, window.width, window.height)
        for state in (GL.GL_DEPTH_TEST, GL.GL_BLEND, GL.GL_CULL_FACE):
            GL.glDisable(state)
        GL.glBindVertexArray(self._triangle)
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)
        GL.glBindVertexArray(0)

    def read_pixels(self, name: str, window: Window) -> NDArray[np.float32]:
        """What `resolve` wrote to a target, float32 (window.height, window.width, 4)."""
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._pixels)
        return _read(PIXEL_TARGETS.index(name), window, GL.GL_FLOAT, np.float32)

    def read_samples(self, name: str, window: Window) -> NDArray[np.uint8]:
        """A target of the samples in bytes, uint8 (window.height, window.width, 4)."""
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._samples)
        return _read(list(SAMPLE_TARGETS).index(name), window, GL.GL_UNSIGNED_BYTE, np.uint8)


def _read(index: int, window: Window, kind: Any, dtype: type) -> NDArray[Any]:
    GL.glReadBuffer(GL.GL_COLOR_ATTACHMENT0 + index)
    pixels: NDArray[Any] = np.empty((window.height, window.width, 4), dtype)
    GL.glReadPixels(window.left, window.top, window.width, window.height, GL.GL_RGBA, kind, pixels)
    return pixels


def _texture(kind: Any, size: int) -> Any:
    texture = GL.glGenTextures(1)
    GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
    depth = kind == GL.GL_DEPTH_COMPONENT32F
    layout = GL.GL_DEPTH_COMPONENT if depth else GL.GL_RGBA
    GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, kind, size, size, 0, layout, GL.GL_FLOAT, None)
    # without a filter that needs no mipmaps, a texture of one level reads as nothing
    for filtered in (GL.GL_TEXTURE_MIN_FILTER, GL.GL_TEXTURE_MAG_FILTER):
        GL.glTexParameteri(GL.GL_TEXTURE_2D, filtered, GL.GL_NEAREST)
    return texture


def _attach(attachment: Any, texture: Any) -> None:
    GL.glFramebufferTexture2D(GL.GL_FRAMEBUFFER, attachment, GL.GL_TEXTURE_2D, texture, 0)


def _check(size: int) -> None:
    status = GL.glCheckFramebufferStatus(GL.GL_FRAMEBUFFER)
    if status != GL.GL_FRAMEBUFFER_COMPLETE:
        raise RuntimeError(f"OpenGL refused a {size} px framebuffer (status 0x{status:x})")
