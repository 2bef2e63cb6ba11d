"""The rasteriser: pyrender's context, buffers and uploads; our own shaders and framebuffers.

pyrender's own shading is not used: it has no image-based light, forces every alpha mode to BLEND and encodes
factors differently in its flat mode. One pass writes every map of the G-buffer at once, at twice the size,
and a second one brings it down to pixels, so that every map has clean edges. See-through surfaces follow by
depth peeling (Everitt 2001), nearest first, one pass each. On llvmpipe the result is bit-identical from run
to run, which is why references can be cached by hash.
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
from packline.stage.model import GBuffer, ProductModel
from packline.stage.resolve import Window, assemble, stacked
from packline.stage.upload import SOLID, Samplers, Uploads, upload_caster, upload_part

_SHADERS = Path(__file__).parent / "shaders"
#: How many see-through surfaces are told apart behind one another; what lies further is left out.
MAX_LAYERS = 3
Uniforms = tuple[tuple[str, NDArray[np.float64]], ...]


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
        from packline.stage.depth_maps import DepthMaps
        from packline.stage.framebuffer import Framebuffer

        self.size = size
        self.supersample = supersample
        self._buffers = Framebuffer(size, supersample)
        self._depth_maps = DepthMaps(size, self._program)
        self._staged = 0
        self._samplers = Samplers()
        self._renderer = _make_renderer()

    @contextmanager
    def staged(self, model: ProductModel) -> Iterator[Stage]:
        """Upload `model` once to draw it from many cameras; its GL memory is freed at the end."""
        gl.make_current()
        pyrender = gl.import_pyrender()
        scene = pyrender.Scene()
        self._staged += 1
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

    def _program(self, name: str, defines: dict[str, int | str]) -> Any:
        """A shader program, compiled once for each set of defines, and bound."""
        defines = {"SUPERSAMPLE": self.supersample, **defines}
        program = self._renderer._program_cache.get_program(f"{name}.vert", f"{name}.frag", defines=defines)
        if not program._in_context():
            program._add_to_context()
        program._bind()
        return program


class Stage:
    """One uploaded product; made by `Rasteriser.staged`."""

    def __init__(self, rasteriser: Rasteriser, model: ProductModel, scene: Any) -> None:
        self.model = model
        self._rasteriser = rasteriser
        self._scene = scene
        uploads: Uploads = {}
        self._parts = [upload_part(scene, part, uploads) for part in model.parts]
        self._caster = upload_caster(scene, model)
        self._serial = rasteriser._staged
        emits = any(max(part.material.emissive) > 0 for part in model.parts)
        self._targets = ["albedo", "geometry", "surface", "place", *(["emissive"] if emits else [])]

    def _close(self) -> None:
        self._parts = []
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
            Maps of shape (camera.height, camera.width, ...): of the opaque surfaces; the see-through ones
            before them, peeled nearest first, are in `over`. `layers.flattened` makes one of all.
        """
        scale, buffers = self._rasteriser.supersample, self._rasteriser._buffers
        window = _window(camera, self.model.bounds)
        if window is None:
            return assemble(camera, None, {})
        samples = window.scaled(scale)
        eye = (*self._matrices(camera), ("eye", np.asarray(camera.eye, float)))
        with self._drawing(camera, scale):
            buffers.begin(samples, self._targets)
            self._view(camera, scale)
            for index in range(len(self._parts)):
                self._draw(index, eye)
            opaque = assemble(camera, window, self._resolved(window, camera))
            if not any(part.see_through for part in self._parts):
                return opaque
            opacities = [buffers.read_samples("surface", samples)[..., 3]]
            layers: list[GBuffer] = []
            for layer in range(1, MAX_LAYERS + 1):
                buffers.begin(samples, self._targets, depth=1 + layer % 2)
                self._view(camera, scale)
                for index, part in enumerate(self._parts):
                    if part.see_through:
                        self._draw(index, eye, layer)
                opacity = buffers.read_samples("surface", samples)[..., 3]
                if not opacity.any():
                    break
                opacities.insert(layer - 1, opacity)
                layers.append(assemble(camera, window, self._resolved(window, camera)))
        return stacked([*layers, opaque], opacities, window, scale)

    def opening(
        self,
        camera: Camera,
        normals: NDArray[np.float32],
        depth: NDArray[np.float32],
        key: NDArray[np.float64],
        fill: NDArray[np.float64],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What share of two lots of light reaches each pixel past the product itself.

        Parameters
        ----------
        camera
            The view, at most the rasteriser's size.
        normals, depth
            World normals and metres of what receives the light there: the product, or the ground; float32
            (H, W, 3) and (H, W), 0 metres: nothing.
        key, fill
            Unit vectors towards the light, shape (N, 3); at most 25 and 64.

        Returns
        -------
        tuple of float32 (camera.height, camera.width)
            Weighted by how much the surface faces each direction; 1 where nothing is.
        """
        low, high = self.model.bounds
        sphere = ((low + high) / 2, max(float(np.linalg.norm(high - low)) / 2, 1e-9))
        axes = {"key": _frames(key), "fill": _frames(fill)}
        maps = self._rasteriser._depth_maps
        with self._drawing(camera, 1):
            for kind, frames in axes.items():
                maps.draw(kind, self._serial, self._caster, sphere, frames)
            return maps.opening(camera, normals, depth, sphere, axes["key"], axes["fill"])

    @contextmanager
    def _drawing(self, camera: Camera, scale: int) -> Iterator[None]:
        from OpenGL import GL  # type: ignore[import-untyped]

        if self._scene is None:
            raise RuntimeError("This stage is closed; draw inside its `with` block.")
        largest = self._rasteriser._buffers.size
        if max(camera.width, camera.height) * scale > largest:
            raise ValueError(
                f"a {camera.width}x{camera.height} px view is larger than this rasteriser "
                f"({largest // scale} px); make a larger one"
            )
        gl.make_current()
        # pyrender uploads what it has not seen before
        self._rasteriser._renderer._update_context(self._scene, 0)
        yield
        GL.glUseProgram(0)
        error = GL.glGetError()
        if error:
            raise RuntimeError(f"OpenGL reported error 0x{error:x} while drawing")

    @staticmethod
    def _view(camera: Camera, scale: int) -> None:
        from OpenGL import GL

        GL.glViewport(0, 0, camera.width * scale, camera.height * scale)

    def _matrices(self, camera: Camera) -> Uniforms:
        return (("V", camera.view), ("P", _projection(camera, self.model.bounds)))

    def _resolved(self, window: Window, camera: Camera) -> dict[str, NDArray[np.float32]]:
        """The pixels of the samples that were drawn last, by target."""
        defines: dict[str, int | str] = {"EMITS": 1} if "emissive" in self._targets else {}
        program = self._rasteriser._program("resolve", defines)
        # eight pixels deep for one across is steeper than any surface that is still a surface
        program.set_uniform("steepest", 8 / camera.focal)
        buffers = self._rasteriser._buffers
        buffers.resolve(program, window, self._targets)
        return {name: buffers.read_pixels(name, window) for name in self._targets}

    def _draw(self, index: int, eye: Uniforms, layer: int = 0) -> None:
        """Draw a part: among the opaque surfaces, or into a layer of see-through ones, from 1 nearest."""
        from OpenGL import GL

        uploaded = self._parts[index]
        primitive, material = uploaded.primitive, uploaded.part.material
        defines, least = dict(uploaded.defines), uploaded.least_alpha
        if uploaded.see_through:
            least = 1 - SOLID if layer else SOLID
        if least is not None:
            defines["CUTS_BELOW"] = 1
        if layer:
            defines["PEELS_LAYER"] = 1
        program = self._rasteriser._program("surface", defines)
        for name, value in (
            *eye,
            ("base_colour", np.asarray(material.base_colour, float)),
            ("roughness", float(material.roughness)),
            ("metallic", float(material.metallic)),
            ("emissive", np.asarray(material.emissive, float)),
            ("part", float(1 + index + 32768 * material.unlit)),
            ("least_alpha", least),
            ("most_alpha", SOLID),
            ("layer", layer),
            ("normal_scale", float(material.normal_scale)),
            ("occlusion_strength", float(material.occlusion_strength)),
        ):
            program.set_uniform(name, value)
        for unit, (name, used) in enumerate(uploaded.textures.items()):
            GL.glActiveTexture(GL.GL_TEXTURE0 + unit)
            used.upload._bind()
            self._rasteriser._samplers.bind(unit, used.texture, used.upload.srgb)
            program.set_uniform(f"{name}_texture", unit)
            program.set_uniform(f"{name}_u", used.rows[0])
            program.set_uniform(f"{name}_v", used.rows[1])
        units = len(uploaded.textures)
        if layer:
            for name, depth in (
                ("opaque_depth", 0),
                ("nearer_depth", 1 + (layer - 1) % 2 if layer > 1 else 0),
            ):
                self._rasteriser._buffers.bind_depth(units, depth)
                program.set_uniform(name, units)
                units += 1
        if material.double_sided:
            GL.glDisable(GL.GL_CULL_FACE)
        else:
            GL.glEnable(GL.GL_CULL_FACE)
            GL.glCullFace(GL.GL_BACK)
        primitive._bind()
        GL.glDrawElements(GL.GL_TRIANGLES, primitive.indices.size, GL.GL_UNSIGNED_INT, None)
        primitive._unbind()
        for unit in range(units):
            GL.glBindSampler(unit, 0)


def _make_renderer() -> Any:
    pyrender = gl.import_pyrender()
    renderer = pyrender.renderer.Renderer(8, 8)
    renderer._program_cache = pyrender.shader_program.ShaderProgramCache(shader_dir=str(_SHADERS))
    return renderer


def _frames(directions: NDArray[np.float64]) -> NDArray[np.float32]:
    """A right and an up to each direction, float32 (N, 3, 3): rows right, up, direction."""
    helper = np.where(np.abs(directions[:, 1:2]) < 0.9, (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
    rights = np.cross(helper, directions)
    rights /= np.linalg.norm(rights, axis=1, keepdims=True)
    return np.stack([rights, np.cross(directions, rights), directions], 1).astype(np.float32)


def _window(camera: Camera, bounds: NDArray[np.float64]) -> Window | None:
    """The pixels outside of which `bounds` cannot be seen; None: it cannot be seen at all."""
    xy, depth = camera.project(_corners(bounds))
    low, high = np.zeros(2), np.array([camera.width, camera.height], float)
    if depth.max() <= 0:
        return None
    if depth.min() > 1e-3 * depth.max():
        low = np.clip(np.floor(xy.min(0)) - 1, low, high)
        high = np.clip(np.ceil(xy.max(0)) + 1, low, high)
    left, top = (int(x) for x in low)
    width, height = (int(x) for x in high - low)
    return Window(left, top, width, height) if width and height else None


def _corners(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([[x, y, z] for x in bounds[:, 0] for y in bounds[:, 1] for z in bounds[:, 2]])


def _projection(camera: Camera, bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """OpenGL projection, shape (4, 4), upside down, with the clip planes tight around `bounds`."""
    depth = camera.project(_corners(bounds))[1]
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
