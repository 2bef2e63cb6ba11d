"""The rasteriser: pyrender's context, buffers and uploads; our own shaders and framebuffers.

pyrender's own shading is not used: it has no image-based light, forces every alpha mode to BLEND and encodes
factors differently in its flat mode. One pass writes every map of the G-buffer at once, at twice the size, and a
box filter brings it down, so that every map has clean edges. On llvmpipe the result is bit-identical from run to
run, which is why references can be cached by hash.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.stage import gl
from packline.stage.lighting import to_linear
from packline.stage.model import Floats, GBuffer, Material, Part, ProductModel

_SHADERS = Path(__file__).parent / "shaders"
_ALPHA_MODES = {"OPAQUE": 0, "MASK": 1, "BLEND": 2}
#: Larger textures are reduced before upload: four texels a pixel of a 1024 px view are enough.
MAX_TEXTURE = 4096
#: How many light directions one shadow pass takes; the size of the array in shadow.vert.
MAX_DIRECTIONS = 64
#: GL_TEXTURE_MAX_ANISOTROPY_EXT, which PyOpenGL's core names lack.
_MAX_ANISOTROPY = 0x84FE


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
        self.size = size
        self.supersample = supersample
        self._buffers = _Framebuffer(size * supersample)
        self._renderer = _make_renderer()

    @contextmanager
    def staged(self, model: ProductModel) -> Iterator[Stage]:
        """Upload `model` once and draw it from as many cameras as wanted; its GL memory is freed at the end."""
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
        self._draws = [(part, _upload(scene, part, textures)) for part in model.parts]
        self._caster = _upload_caster(scene, model)
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
            _clear()
            view, projection = camera.view, _projection(camera, self.model.bounds)
            for layer, (part, primitive) in enumerate(self._draws):
                self._draw(part, primitive, layer, view, projection, camera)
            buffers = self._rasteriser._buffers
            albedo = buffers.read(0, width, height)
            geometry = buffers.read(1, width, height)
            surface = buffers.read(2, width, height)
            emissive = buffers.read(3, width, height) if self._emits else None
        return _resolve(albedo, geometry, surface, emissive, scale, camera)

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
        from OpenGL import GL

        if len(directions) > MAX_DIRECTIONS:
            raise ValueError(f"at most {MAX_DIRECTIONS} light directions a pass, got {len(directions)}")
        with self._drawing(camera, 1) as (width, height):
            _clear()
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
        self._rasteriser._buffers.bind(width, height)
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


class _Framebuffer:
    """A square framebuffer with the four targets of the G-buffer and a depth buffer."""

    def __init__(self, size: int) -> None:
        from OpenGL import GL

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

    def bind(self, width: int, height: int) -> None:
        from OpenGL import GL

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

    def read(self, target: int, width: int, height: int) -> NDArray[Any]:
        """Rows from the top, 4 channels: uint8, or float32 for the geometry target."""
        from OpenGL import GL

        GL.glReadBuffer(self._colours[target])
        kind = GL.GL_FLOAT if target == 1 else GL.GL_UNSIGNED_BYTE
        pixels = np.empty((height, width, 4), np.float32 if target == 1 else np.uint8)
        GL.glReadPixels(0, 0, width, height, GL.GL_RGBA, kind, pixels)
        return pixels


def _clear() -> None:
    from OpenGL import GL

    GL.glClearColor(0.0, 0.0, 0.0, 0.0)
    GL.glClear(GL.GL_COLOR_BUFFER_BIT | GL.GL_DEPTH_BUFFER_BIT)


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


def _upload(scene: Any, part: Part, textures: dict[tuple[int, bool], Any]) -> Any:
    """Add a part to the pyrender scene; textures that parts share are uploaded once."""
    pyrender = gl.import_pyrender()
    material: Material = part.material
    kinds: dict[str, NDArray[np.uint8] | None] = {
        "baseColorTexture": material.texture,
        "emissiveTexture": material.emissive_texture if max(material.emissive) > 0 else None,
        "metallicRoughnessTexture": material.surface_texture,
        "normalTexture": material.normal_texture,
    }
    maps: dict[str, Any] = {}
    for name, pixels in kinds.items():
        if pixels is None or part.uv is None:
            continue
        srgb = name in ("baseColorTexture", "emissiveTexture")
        key = (id(pixels), srgb)
        if key not in textures:
            textures[key] = _texture_class()(pixels, srgb)
        maps[name] = textures[key]
    primitive = pyrender.Primitive(
        positions=part.vertices,
        normals=part.normals,
        texcoord_0=part.uv if maps else None,
        color_0=part.colours,
        indices=part.faces,
        material=pyrender.MetallicRoughnessMaterial(**maps),
    )
    scene.add(pyrender.Mesh([primitive], name=part.name))
    return primitive


def _upload_caster(scene: Any, model: ProductModel) -> Any:
    """All parts that stop light as one primitive, positions only."""
    pyrender = gl.import_pyrender()
    solid = [part for part in model.parts if not _lets_light_through(part.material)] or list(model.parts)
    starts = np.cumsum([0, *(len(part.vertices) for part in solid)])
    primitive = pyrender.Primitive(
        positions=np.concatenate([part.vertices for part in solid]),
        indices=np.concatenate([part.faces + start for part, start in zip(solid, starts, strict=False)]),
        material=pyrender.MetallicRoughnessMaterial(),
    )
    scene.add(pyrender.Mesh([primitive], name="caster"))
    return primitive


def _lets_light_through(material: Material) -> bool:
    return material.alpha_mode == "BLEND" and material.base_colour[3] < 0.5


_texture_classes: list[Any] = []


def _texture_class() -> Any:
    """pyrender's texture, uploaded as sRGB where it is, and unflipped: our V runs down."""
    if not _texture_classes:
        pyrender = gl.import_pyrender()
        from OpenGL import GL

        class StageTexture(pyrender.Texture):  # type: ignore[misc,name-defined]
            def __init__(self, pixels: NDArray[np.uint8], srgb: bool) -> None:
                super().__init__(source=_reduced(pixels), source_channels="RGBA")
                self._srgb = srgb

            def _add_to_context(self) -> None:
                source = np.ascontiguousarray(self.source)
                height, width = source.shape[:2]
                inside = GL.GL_SRGB8_ALPHA8 if self._srgb else GL.GL_RGBA8
                self._texid = GL.glGenTextures(1)
                GL.glBindTexture(GL.GL_TEXTURE_2D, self._texid)
                GL.glTexImage2D(
                    GL.GL_TEXTURE_2D, 0, inside, width, height, 0, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, source
                )
                GL.glGenerateMipmap(GL.GL_TEXTURE_2D)
                for name, value in (
                    (GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR),
                    (GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR_MIPMAP_LINEAR),
                    (GL.GL_TEXTURE_WRAP_S, GL.GL_REPEAT),
                    (GL.GL_TEXTURE_WRAP_T, GL.GL_REPEAT),
                ):
                    GL.glTexParameteri(GL.GL_TEXTURE_2D, name, value)
                if self._srgb:
                    # without it, print on a surface seen at a slant turns to mush; the other maps do not
                    # need it, and on llvmpipe it triples the cost of a texture
                    GL.glTexParameterf(GL.GL_TEXTURE_2D, _MAX_ANISOTROPY, 8.0)
                GL.glBindTexture(GL.GL_TEXTURE_2D, 0)

        _texture_classes.append(StageTexture)
    return _texture_classes[0]


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    longest = max(pixels.shape[:2])
    if longest <= MAX_TEXTURE:
        return pixels
    size = (max(1, pixels.shape[1] * MAX_TEXTURE // longest), max(1, pixels.shape[0] * MAX_TEXTURE // longest))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _resolve(
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
