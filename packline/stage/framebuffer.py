"""Where the rasteriser draws to: one framebuffer with a target for each map.

Import it after `gl.make_current`, which tells PyOpenGL to use EGL.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from OpenGL import GL  # type: ignore[import-untyped]


class Framebuffer:
    """A square framebuffer with the four targets of the G-buffer and a depth buffer."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._id = GL.glGenFramebuffers(1)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._id)
        formats = (GL.GL_RGBA8, GL.GL_RGBA32F, GL.GL_RGBA8, GL.GL_RGBA8)
        self._colours = [GL.GL_COLOR_ATTACHMENT0 + i for i in range(len(formats))]
        attachments = [*zip(self._colours, formats, strict=True)]
        attachments.append((GL.GL_DEPTH_ATTACHMENT, GL.GL_DEPTH_COMPONENT32F))
        for attachment, kind in attachments:
            target = GL.glGenRenderbuffers(1)
            GL.glBindRenderbuffer(GL.GL_RENDERBUFFER, target)
            GL.glRenderbufferStorage(GL.GL_RENDERBUFFER, kind, size, size)
            GL.glFramebufferRenderbuffer(GL.GL_FRAMEBUFFER, attachment, GL.GL_RENDERBUFFER, target)
        status = GL.glCheckFramebufferStatus(GL.GL_FRAMEBUFFER)
        if status != GL.GL_FRAMEBUFFER_COMPLETE:
            raise RuntimeError(f"OpenGL refused a {size} px framebuffer (status 0x{status:x})")

    def begin(self, width: int, height: int) -> None:
        """Draw here from now on, onto nothing, in a corner of so many pixels."""
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._id)
        GL.glDrawBuffers(len(self._colours), self._colours)
        GL.glViewport(0, 0, width, height)
        GL.glDisable(GL.GL_MULTISAMPLE)
        GL.glEnable(GL.GL_DEPTH_TEST)
        GL.glDepthMask(GL.GL_TRUE)
        GL.glDepthFunc(GL.GL_LESS)
        # the projection turns the picture upside down, so that rows come back from the top: windings swap
        GL.glFrontFace(GL.GL_CW)
        GL.glEnable(GL.GL_SCISSOR_TEST)
        GL.glScissor(0, 0, width, height)
        GL.glClearColor(0.0, 0.0, 0.0, 0.0)
        GL.glClear(GL.GL_COLOR_BUFFER_BIT | GL.GL_DEPTH_BUFFER_BIT)

    def read(self, target: int, width: int, height: int) -> NDArray[Any]:
        """Rows from the top, 4 channels: uint8, or float32 for the geometry target."""
        GL.glReadBuffer(self._colours[target])
        kind = GL.GL_FLOAT if target == 1 else GL.GL_UNSIGNED_BYTE
        pixels = np.empty((height, width, 4), np.float32 if target == 1 else np.uint8)
        GL.glReadPixels(0, 0, width, height, GL.GL_RGBA, kind, pixels)
        return pixels
