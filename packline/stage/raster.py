"""The rasteriser: pyrender's context, buffers and uploads; our own shaders and framebuffers.

pyrender's own shading is not used: it has no image-based light, forces every alpha mode to BLEND and encodes
factors differently in its flat mode. One pass writes every map of the G-buffer at once, at twice the size,
and a box filter brings it down, so that every map has clean edges. On llvmpipe the result is bit-identical
from run to run, which is why references can be cached by hash.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.stage import gl
from packline.stage.model import GBuffer, Part, ProductModel
from packline.stage.resolve import resolve
from packline.stage.upload import upload_caster, upload_part

_SHADERS = Path(__file__).parent / "shaders"
_ALPHA_MODES = {"OPAQUE": 0, "MASK": 1, "BLEND": 2}
#: How many light directions one shadow pass takes; the size of the array in shadow.vert.
MAX_DIRECTIONS = 64


class Rasteriser:
    """Draws product models into G-buffers and ground shadows.

    Parameters
    ----------
    size
        Longest side in pixels of the pictures that it will be asked for.
    supersample
        How many times larger each side is drawn before the box filter.

    Raises
    ------
    packline.errors.FixSettings
        Where the machine has no EGL.
    """

    def __init__(self, size: int = 1024, supersample: int = 2) -> None:
        gl.make_current()
        from packline.stage.framebuffer import Framebuffer

        self.size = size
        self.supersample = supersample
        self._buffers = Framebuffer(size * supersample)
        self._renderer = _make_renderer()

    @contextmanager
    def staged(self, model: ProductModel) -> Iterator[Stage]:
        """Upload `model` once to draw it from many cameras; its GL memory is freed at the end."""
        gl.make_current()
        pyrender = gl.import_pyrender()
        scene = pyrender.Scene()
        stage = Stage(self, model, scene)
        try:
            yield stage
        finally:
            gl.make_current()
            # an empty scene makes pyrender delete the buffers and textures of this one
            self._renderer._update_context(pyrender.Scene(), 0)
            stage._close()
            gc.collect()

    def gbuffer(self, model: ProductModel, camera: Camera) -> GBuffer:
        """Draw one view of a model that is not staged."""
        with self.staged(model) as stage:
            return stage.gbuffer(camera)


class Stage:
    """One uploaded product; made by `Rasteriser.staged`."""

    def __init__(self, rasteriser: Rasteriser, model: ProductModel, scene: Any) -> None:
        self.model = model
        self._rasteriser = rasteriser
        self._scene = scene
        textures: dict[tuple[int, bool], Any] = {}
        self._draws = [(part, upload_part(scene, part, textures)) for part in model.parts]
        self._caster = upload_caster(scene, model)
        self._emits = any(max(part.material.emissive) > 0 for part in model.parts)

    def _close(self) -> None:
        self._draws = []
        self._scene = None

    def gbuffer(self, camera: Camera) -> GBuffer:
        """Every map of one view.

        Parameters
        ----------
        camera
            At most the rasteriser's size.

        Returns
        -------
        GBuffer
            Maps of shape (camera.height, camera.width, ...).
        """
        scale = self._rasteriser.supersample
        with self._drawing(camera, scale) as (width, height):
            view, projection = camera.view, _projection(camera, self.model.bounds)
            for layer, (part, primitive) in enumerate(self._draws):
                self._draw(part, primitive, layer, view, projection, camera)
            buffers = self._rasteriser._buffers
            albedo = buffers.read(0, width, height)
            geometry = buffers.read(1, width, height)
            surface = buffers.read(2, width, height)
            emissive = buffers.read(3, width, height) if self._emits else None
        return resolve(albedo, geometry, surface, emissive, scale, camera)

    def shadow_hits(
        self, camera: Camera, directions: NDArray[np.float64], keys: int, ground: float = 0.0
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """How many of the light directions the product hides from each point of the ground.

        Parameters
        ----------
        camera
            Sees the ground; at most the rasteriser's size times its supersampling.
        directions
            Unit vectors towards the light, above the ground, shape (N, 3), N at most 64.
        keys
            The first so many are counted in the first picture, the others in the second.
        ground
            Height of the ground plane in metres.

        Returns
        -------
        tuple of uint8 (camera.height, camera.width)
        """
        from OpenGL import GL  # type: ignore[import-untyped]

        if len(directions) > MAX_DIRECTIONS:
            raise ValueError(f"at most {MAX_DIRECTIONS} light directions a pass, got {len(directions)}")
        with self._drawing(camera, 1) as (width, height):
            renderer, primitive = self._rasteriser._renderer, self._caster
            program = _program(renderer, "shadow", {})
            program.set_uniform("V", camera.view)
            program.set_uniform("P", _projection(camera, self.model.bounds))
            program.set_uniform("ground", float(ground))
            program.set_uniform("count", len(directions))
            program.set_uniform("keys", int(keys))
            location = GL.glGetUniformLocation(program._program_id, "directions")
            GL.glUniform3fv(location, len(directions), np.ascontiguousarray(directions, np.float32))
            GL.glDisable(GL.GL_CULL_FACE)
            GL.glEnable(GL.GL_BLEND)
            GL.glBlendFunc(GL.GL_ONE, GL.GL_ONE)
            primitive._bind()
            GL.glDrawElementsInstanced(
                GL.GL_TRIANGLES, primitive.indices.size, GL.GL_UNSIGNED_INT, None, len(directions)
            )
            primitive._unbind()
            hits = self._rasteriser._buffers.read(0, width, height)
        return np.ascontiguousarray(hits[..., 0]), np.ascontiguousarray(hits[..., 1])

    @contextmanager
    def _drawing(self, camera: Camera, scale: int) -> Iterator[tuple[int, int]]:
        from OpenGL import GL

        if self._scene is None:
            raise RuntimeError("This stage is closed; draw inside its `with` block.")
        width, height = camera.width * scale, camera.height * scale
        largest = self._rasteriser._buffers.size
        if max(width, height) > largest:
            raise ValueError(
                f"a {camera.width}x{camera.height} px view is larger than this rasteriser "
                f"({largest // scale} px); make a larger one"
            )
        gl.make_current()
        # pyrender uploads what it has not seen before
        self._rasteriser._renderer._update_context(self._scene, 0)
        self._rasteriser._buffers.begin(width, height)
        yield width, height
        GL.glUseProgram(0)
        error = GL.glGetError()
        if error:
            raise RuntimeError(f"OpenGL reported error 0x{error:x} while drawing")

    def _draw(
        self,
        part: Part,
        primitive: Any,
        layer: int,
        view: NDArray[np.float64],
        projection: NDArray[np.float64],
        camera: Camera,
    ) -> None:
        from OpenGL import GL

        material = part.material
        textures = {
            "base": primitive.material.baseColorTexture,
            "surface": primitive.material.metallicRoughnessTexture,
            "emissive": primitive.material.emissiveTexture,
            "normal": primitive.material.normalTexture,
        }
        textures = {name: texture for name, texture in textures.items() if texture is not None}
        defines = {f"HAS_{name.upper()}": 1 for name in textures}
        location = 2
        for name, values in (("TEXCOORD_0_LOC", primitive.texcoord_0), ("COLOR_0_LOC", primitive.color_0)):
            if values is not None:
                defines[name] = location
                location += 1
        program = _program(self._rasteriser._renderer, "surface", {"NORMAL_LOC": 1, **defines})
        program.set_uniform("V", view)
        program.set_uniform("P", projection)
        program.set_uniform("eye", np.asarray(camera.eye, float))
        program.set_uniform("base_colour", np.asarray(material.base_colour, float))
        program.set_uniform("roughness", float(material.roughness))
        program.set_uniform("metallic", float(material.metallic))
        program.set_uniform("emissive", np.asarray(material.emissive, float))
        program.set_uniform("alpha_mode", _ALPHA_MODES[material.alpha_mode])
        program.set_uniform("alpha_cutoff", float(material.alpha_cutoff))
        program.set_uniform("supersample", self._rasteriser.supersample)
        program.set_uniform("layer", layer)
        program.set_uniform("normal_scale", float(material.normal_scale))
        for unit, (name, texture) in enumerate(textures.items()):
            GL.glActiveTexture(GL.GL_TEXTURE0 + unit)
            texture._bind()
            program.set_uniform(f"{name}_texture", unit)
        GL.glDisable(GL.GL_BLEND)
        if material.double_sided:
            GL.glDisable(GL.GL_CULL_FACE)
        else:
            GL.glEnable(GL.GL_CULL_FACE)
            GL.glCullFace(GL.GL_BACK)
        primitive._bind()
        GL.glDrawElements(GL.GL_TRIANGLES, primitive.indices.size, GL.GL_UNSIGNED_INT, None)
        primitive._unbind()


def _make_renderer() -> Any:
    pyrender = gl.import_pyrender()
    renderer = pyrender.renderer.Renderer(8, 8)
    renderer._program_cache = pyrender.shader_program.ShaderProgramCache(shader_dir=str(_SHADERS))
    return renderer


def _program(renderer: Any, name: str, defines: dict[str, int]) -> Any:
    program = renderer._program_cache.get_program(f"{name}.vert", f"{name}.frag", defines=defines)
    if not program._in_context():
        program._add_to_context()
    program._bind()
    return program


def _projection(camera: Camera, bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """OpenGL projection, shape (4, 4), upside down, with the clip planes tight around `bounds`."""
    corners = np.array([[x, y, z] for x in bounds[:, 0] for y in bounds[:, 1] for z in bounds[:, 2]])
    depth = camera.project(corners)[1]
    extent = float(np.linalg.norm(bounds[1] - bounds[0]))
    far = max(float(depth.max()), extent * 1e-3) + 0.05 * extent
    near = max(float(depth.min()) - 0.05 * extent, far * 1e-3)
    focal = 1 / np.tan(np.radians(camera.fov_y) / 2)
    matrix = np.zeros((4, 4))
    matrix[0, 0] = focal * camera.height / camera.width
    matrix[1, 1] = -focal
    matrix[2, 2] = (far + near) / (near - far)
    matrix[2, 3] = 2 * far * near / (near - far)
    matrix[3, 2] = -1
    return matrix
