"""The product's depth as lights far away see it, and what of their light reaches each pixel of a view.

Import it after `gl.make_current`, which tells PyOpenGL to use EGL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from OpenGL import GL  # type: ignore[import-untyped]

from packline.camera import Camera
from packline.stage.model import Floats

#: The size of the arrays in the shaders.
MAX_DIRECTIONS = 64
#: Side in texels of all maps of one kind together, and how many lie side by side.
_KEY_SIDE, _KEY_TILES = 2048, 5
_FILL_SIDE, _FILL_TILES = 1536, 8
#: How much of a tile's side the product may fill.
_ROOM = 0.96

Program = Callable[[str, dict[str, int | str]], Any]


class DepthMaps:
    """Maps of one product at a time; made once a rasteriser.

    Parameters
    ----------
    size
        Longest side in pixels of the views.
    program
        Gives a bound shader program by name and defines.
    """

    def __init__(self, size: int, program: Program) -> None:
        self.size = size
        self._program = program
        self._frame = GL.glGenFramebuffers(1)
        self._maps = {"key": _depths(_KEY_SIDE), "fill": _depths(_FILL_SIDE)}
        self._holds: dict[str, tuple[int, bytes]] = {}
        self._geometry = _floats(size)
        half = -(-size // 2)
        self._half, self._whole = _floats(half), _floats(size)
        self._triangle = GL.glGenVertexArrays(1)

    def draw(
        self, kind: str, serial: int, caster: Any, sphere: tuple[NDArray[np.float64], float], axes: Floats
    ) -> None:
        """Draw the product's depth from all directions of a kind, unless that was drawn last.

        Parameters
        ----------
        kind
            "key", at most 25 directions, or "fill", at most 64.
        serial
            Another one for each product.
        caster
            pyrender's primitive of what casts shadows.
        sphere
            Centre and radius in metres of a sphere around it.
        axes
            Rows of right, up and towards the light, float32 (directions, 3, 3).
        """
        key = (serial, axes.tobytes())
        if self._holds.get(kind) == key:
            return
        side, tiles = (_KEY_SIDE, _KEY_TILES) if kind == "key" else (_FILL_SIDE, _FILL_TILES)
        if len(axes) > tiles**2:
            raise ValueError(f"at most {tiles**2} directions of the {kind}, got {len(axes)}")
        self._target(depth=self._maps[kind])
        GL.glViewport(0, 0, side, side)
        for state in (GL.GL_SCISSOR_TEST, GL.GL_BLEND, GL.GL_CULL_FACE, GL.GL_MULTISAMPLE):
            GL.glDisable(state)
        GL.glEnable(GL.GL_DEPTH_TEST)
        GL.glDepthMask(GL.GL_TRUE)
        GL.glDepthFunc(GL.GL_LESS)
        GL.glClear(GL.GL_DEPTH_BUFFER_BIT)
        program = self._program("depth", {})
        program.set_uniform("centre", sphere[0])
        program.set_uniform("radius", float(sphere[1]))
        program.set_uniform("tiles", tiles)
        program.set_uniform("room", _ROOM)
        _set_axes(program, axes)
        caster._bind()
        GL.glDrawElementsInstanced(GL.GL_TRIANGLES, caster.indices.size, GL.GL_UNSIGNED_INT, None, len(axes))
        caster._unbind()
        self._holds[kind] = key

    def opening(
        self,
        camera: Camera,
        normals: Floats,
        depth: Floats,
        sphere: tuple[NDArray[np.float64], float],
        key_axes: Floats,
        fill_axes: Floats,
    ) -> tuple[Floats, Floats]:
        """What share of the key and of the fill reaches each pixel, after both were drawn.

        Parameters
        ----------
        camera
            The view.
        normals, depth
            World normals and metres of what it shows, float32 (H, W, 3) and (H, W); 0 metres: nothing.
        sphere, key_axes, fill_axes
            As they were drawn.

        Returns
        -------
        tuple of float32 (H, W)
            1 where nothing is.
        """
        shape = depth.shape
        key, fill = np.ones(shape, np.float32), np.ones(shape, np.float32)
        seen = depth > 0
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        if not rows.size:
            return key, fill
        top, left = int(rows[0]), int(columns[0])
        height, width = int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left
        window = (slice(top, top + height), slice(left, left + width))
        geometry = np.empty((height, width, 4), np.float32)
        geometry[..., :3], geometry[..., 3] = normals[window], depth[window]
        GL.glActiveTexture(GL.GL_TEXTURE0)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._geometry)
        GL.glTexSubImage2D(GL.GL_TEXTURE_2D, 0, 0, 0, width, height, GL.GL_RGBA, GL.GL_FLOAT, geometry)

        half_width, half_height = -(-width // 2), -(-height // 2)
        program = self._pass("visibility", self._half, half_width, half_height, camera, (left, top))
        _set_whole(program, "last", width - 1, height - 1)
        for unit, kind in ((1, "key"), (2, "fill")):
            GL.glActiveTexture(GL.GL_TEXTURE0 + unit)
            GL.glBindTexture(GL.GL_TEXTURE_2D, self._maps[kind])
            program.set_uniform(f"{kind}_maps", unit)
        program.set_uniform("eye", np.asarray(camera.eye, float))
        program.set_uniform("centre", sphere[0])
        program.set_uniform("radius", float(sphere[1]))
        program.set_uniform("room", _ROOM)
        for kind, side, tiles, axes in (
            ("key", _KEY_SIDE, _KEY_TILES, key_axes),
            ("fill", _FILL_SIDE, _FILL_TILES, fill_axes),
        ):
            program.set_uniform(f"{kind}_tiles", tiles)
            program.set_uniform(f"{kind}_count", len(axes))
            program.set_uniform(f"{kind}_texel", float(2 * sphere[1] * tiles / side / _ROOM))
        both = np.zeros((2 * MAX_DIRECTIONS, 3, 3), np.float32)
        both[: len(key_axes)], both[MAX_DIRECTIONS : MAX_DIRECTIONS + len(fill_axes)] = key_axes, fill_axes
        _set_axes(program, both)
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)

        program = self._pass("spread", self._whole, width, height, camera, (left, top))
        GL.glActiveTexture(GL.GL_TEXTURE1)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._half)
        program.set_uniform("open_map", 1)
        _set_whole(program, "last", half_width - 1, half_height - 1)
        _set_whole(program, "end", width - 1, height - 1)
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)
        GL.glBindVertexArray(0)
        found = np.empty((height, width, 4), np.float32)
        GL.glReadPixels(0, 0, width, height, GL.GL_RGBA, GL.GL_FLOAT, found)
        key[window], fill[window] = found[..., 0], found[..., 1]
        return key, fill

    def _pass(
        self, name: str, target: Any, width: int, height: int, camera: Camera, corner: tuple[int, int]
    ) -> Any:
        self._target(colour=target)
        GL.glViewport(0, 0, width, height)
        for state in (GL.GL_SCISSOR_TEST, GL.GL_DEPTH_TEST, GL.GL_BLEND, GL.GL_CULL_FACE):
            GL.glDisable(state)
        program = self._program(name, {})
        # after the program: pyrender unbinds it when it compiles one
        GL.glBindVertexArray(self._triangle)
        GL.glActiveTexture(GL.GL_TEXTURE0)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._geometry)
        program.set_uniform("geometry", 0)
        program.set_uniform("pose", camera.pose)
        program.set_uniform("lens", np.array([camera.width / 2, camera.height / 2, camera.focal]))
        _set_whole(program, "corner", *corner)
        return program

    def _target(self, colour: Any = 0, depth: Any = 0) -> None:
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self._frame)
        for attachment, texture in ((GL.GL_COLOR_ATTACHMENT0, colour), (GL.GL_DEPTH_ATTACHMENT, depth)):
            GL.glFramebufferTexture2D(GL.GL_FRAMEBUFFER, attachment, GL.GL_TEXTURE_2D, texture, 0)
        GL.glDrawBuffer(GL.GL_COLOR_ATTACHMENT0 if colour else GL.GL_NONE)
        GL.glReadBuffer(GL.GL_COLOR_ATTACHMENT0 if colour else GL.GL_NONE)
        status = GL.glCheckFramebufferStatus(GL.GL_FRAMEBUFFER)
        if status != GL.GL_FRAMEBUFFER_COMPLETE:
            raise RuntimeError(f"OpenGL refused a framebuffer for shadows (status 0x{status:x})")


def _set_axes(program: Any, axes: Floats) -> None:
    for index, name in enumerate(("rights", "ups", "directions")):
        location = GL.glGetUniformLocation(program._program_id, name)
        GL.glUniform3fv(location, len(axes), np.ascontiguousarray(axes[:, index], np.float32))


def _set_whole(program: Any, name: str, x: int, y: int) -> None:
    GL.glUniform2i(GL.glGetUniformLocation(program._program_id, name), x, y)


def _depths(side: int) -> Any:
    """A depth texture that compares when it is read, and smooths over the nearest four answers."""
    texture = GL.glGenTextures(1)
    GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
    GL.glTexImage2D(
        GL.GL_TEXTURE_2D, 0, GL.GL_DEPTH_COMPONENT32F, side, side, 0, GL.GL_DEPTH_COMPONENT, GL.GL_FLOAT, None
    )
    for name, value in (
        (GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR),
        (GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR),
        (GL.GL_TEXTURE_WRAP_S, GL.GL_CLAMP_TO_EDGE),
        (GL.GL_TEXTURE_WRAP_T, GL.GL_CLAMP_TO_EDGE),
        (GL.GL_TEXTURE_COMPARE_MODE, GL.GL_COMPARE_REF_TO_TEXTURE),
        (GL.GL_TEXTURE_COMPARE_FUNC, GL.GL_LEQUAL),
    ):
        GL.glTexParameteri(GL.GL_TEXTURE_2D, name, value)
    return texture


def _floats(side: int) -> Any:
    texture = GL.glGenTextures(1)
    GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
    GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, GL.GL_RGBA32F, side, side, 0, GL.GL_RGBA, GL.GL_FLOAT, None)
    for name in (GL.GL_TEXTURE_MIN_FILTER, GL.GL_TEXTURE_MAG_FILTER):
        GL.glTexParameteri(GL.GL_TEXTURE_2D, name, GL.GL_NEAREST)
    return texture
