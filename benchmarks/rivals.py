"""What the stage's speed is held against: plain pyrender loops and a plain moderngl deferred renderer.

Written as a team would write them in an afternoon, without our hardening, but not to be slow. Each draws the
same model from the same cameras and hands back NumPy arrays.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from benchmarks.three_js import front_of
from packline.camera import Camera

Maps = dict[str, NDArray[Any]]
Draw = Callable[[Camera], Maps]


def trimesh_scene(path: Path) -> trimesh.Scene:
    """The model as trimesh reads it, front to +Z, centred, on the ground."""
    scene = trimesh.load_scene(path)
    turn = trimesh.transformations.rotation_matrix(-np.radians(front_of(path)), [0, 1, 0])
    scene.apply_transform(turn)
    low, high = scene.bounds
    scene.apply_translation([-(low[0] + high[0]) / 2, -low[1], -(low[2] + high[2]) / 2])
    return scene


def _meshes(path: Path) -> list[trimesh.Trimesh]:
    """The model's meshes with their node transforms baked in."""
    return [mesh for mesh in trimesh_scene(path).dump() if isinstance(mesh, trimesh.Trimesh)]


def pyrender_beauty(path: Path, size: int) -> Draw:
    """One lit picture a view: what `pyrender.OffscreenRenderer.render` gives."""
    pyrender, renderer, scene = _pyrender(path, size)
    flags = pyrender.RenderFlags.NONE

    def draw(camera: Camera) -> Maps:
        with _from(pyrender, scene, camera):
            # its depth buffer comes with it, unasked; without antialiasing, so it is not counted as a map
            colour, _ = renderer.render(scene, flags=flags)
        return {"colour": colour}

    return draw


def pyrender_maps(path: Path, size: int) -> Draw:
    """Beauty, flat colour, depth, mask and normals, each by a pass of its own."""
    pyrender, renderer, scene = _pyrender(path, size)
    flags = pyrender.RenderFlags
    painted = pyrender.Scene(bg_color=[0, 0, 0, 0], ambient_light=[1.0, 1.0, 1.0])
    for mesh in _meshes(path):
        # the usual trick: normals as vertex colours under the flat flag
        colours = np.uint8(np.clip((mesh.vertex_normals + 1) * 127.5, 0, 255))
        bare = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colours, process=False)
        painted.add(pyrender.Mesh.from_trimesh(bare))

    def draw(camera: Camera) -> Maps:
        with _from(pyrender, scene, camera):
            colour, _ = renderer.render(scene)
            flat, _ = renderer.render(scene, flags=flags.FLAT)
            depth = renderer.render(scene, flags=flags.DEPTH_ONLY)
            nodes = dict.fromkeys(scene.mesh_nodes, (255, 255, 255))
            mask, _ = renderer.render(scene, flags=flags.SEG, seg_node_map=nodes)
        with _from(pyrender, painted, camera):
            normals, _ = renderer.render(painted, flags=flags.FLAT)
        return {"colour": colour, "albedo": flat, "depth": depth, "mask": mask[..., 0], "normals": normals}

    return draw


def _pyrender(path: Path, size: int) -> tuple[Any, Any, Any]:
    os.environ["PYOPENGL_PLATFORM"] = "egl"
    if not hasattr(np, "infty"):
        np.infty = np.inf  # type: ignore[attr-defined]
    import pyrender  # type: ignore[import-untyped]

    scene = pyrender.Scene.from_trimesh_scene(
        trimesh_scene(path), bg_color=[0.8, 0.8, 0.8, 1.0], ambient_light=[0.3, 0.3, 0.3]
    )
    for azimuth, elevation, power in ((40, 40, 3.0), (-50, 20, 1.5), (170, 30, 2.0)):
        light = pyrender.DirectionalLight(intensity=power)
        scene.add(light, pose=_light_pose(azimuth, elevation))
    return pyrender, pyrender.OffscreenRenderer(size, size), scene


def _light_pose(azimuth: float, elevation: float) -> NDArray[np.float64]:
    around, up = np.radians(azimuth), np.radians(elevation)
    turn = trimesh.transformations.rotation_matrix(around, [0, 1, 0])
    return np.asarray(turn @ trimesh.transformations.rotation_matrix(-up, [1, 0, 0]))


class _from:  # noqa: N801
    """The scene seen from a camera, for the length of a `with`."""

    def __init__(self, pyrender: Any, scene: Any, camera: Camera) -> None:
        self.scene = scene
        reach = float(np.linalg.norm(np.asarray(camera.eye) - np.asarray(camera.target)))
        lens = pyrender.PerspectiveCamera(np.radians(camera.fov_y), znear=reach / 10, zfar=reach * 10)
        self.node = pyrender.Node(camera=lens, matrix=camera.pose)

    def __enter__(self) -> None:
        self.scene.add_node(self.node)
        self.scene.main_camera_node = self.node

    def __exit__(self, *_: object) -> None:
        self.scene.remove_node(self.node)


_VERTEX = """
#version 330
uniform mat4 view_projection;
uniform mat4 view;
in vec3 at; in vec3 normal; in vec2 uv;
out vec3 n; out vec2 t; out float metres;
void main() {
    n = normal; t = uv; metres = -(view * vec4(at, 1.0)).z;
    gl_Position = view_projection * vec4(at, 1.0);
}
"""
_SURFACE = """
#version 330
uniform sampler2D picture; uniform vec4 factor; uniform float part;
in vec3 n; in vec2 t; in float metres;
layout(location = 0) out vec4 albedo;
layout(location = 1) out vec4 geometry;
layout(location = 2) out vec4 place;
void main() {
    albedo = vec4(factor.rgb * pow(texture(picture, t).rgb, vec3(2.2)), 1.0);
    vec3 m = normalize(n);
    geometry = vec4(gl_FrontFacing ? m : -m, metres);
    place = vec4(fract(t), part, 1.0);
}
"""
_FULL = """
#version 330
void main() {
    vec2 at = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
    gl_Position = vec4(at * 2.0 - 1.0, 0.0, 1.0);
}
"""
_LIGHT = """
#version 330
uniform sampler2D albedo_map, geometry_map, place_map;
layout(location = 0) out vec4 colour;
layout(location = 1) out vec4 albedo;
layout(location = 2) out vec4 geometry;
layout(location = 3) out vec4 place;
void main() {
    ivec2 corner = ivec2(gl_FragCoord.xy) * 2;
    vec3 lit = vec3(0.0), flat_colour = vec3(0.0), n = vec3(0.0);
    float covered = 0.0, metres = 0.0;
    for (int i = 0; i < 4; ++i) {
        ivec2 at = corner + ivec2(i & 1, i >> 1);
        vec4 a = texelFetch(albedo_map, at, 0), g = texelFetch(geometry_map, at, 0);
        if (a.a == 0.0) continue;
        float key = max(dot(g.xyz, normalize(vec3(0.6, 0.6, 0.6))), 0.0);
        float fill = max(dot(g.xyz, normalize(vec3(-0.7, 0.3, 0.6))), 0.0);
        float rim = max(dot(g.xyz, normalize(vec3(0.1, 0.5, -0.9))), 0.0);
        lit += a.rgb * (0.4 + 0.3 * g.y * 0.5 + 0.6 * key + 0.3 * fill + 0.4 * rim);
        flat_colour += a.rgb; n += g.xyz; metres += g.w; covered += 1.0;
    }
    float share = max(covered, 1.0);
    vec3 shown = mix(vec3(0.6), lit / share, covered / 4.0);
    colour = vec4(pow(shown, vec3(1.0 / 2.2)), 1.0);
    albedo = vec4(pow(flat_colour / share, vec3(1.0 / 2.2)), covered / 4.0);
    geometry = vec4(covered > 0.0 ? normalize(n) : n, metres / share);
    place = texelFetch(place_map, corner, 0);
}
"""


def moderngl_deferred(path: Path, size: int) -> Draw:
    """Colour, albedo, mask, normals, depth, UV and part from one pass at 2x2 samples and one that lights."""
    import moderngl

    context: Any = moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]
    surface = context.program(_VERTEX, _SURFACE)
    light = context.program(_FULL, _LIGHT)
    samples = [context.texture((2 * size, 2 * size), 4, dtype=kind) for kind in ("f2", "f4", "f4")]
    buffer = context.framebuffer(samples, context.depth_texture((2 * size, 2 * size)))
    pixels = [context.texture((size, size), 4, dtype=kind) for kind in ("f1", "f1", "f4", "f4")]
    result = context.framebuffer(pixels)
    whole = context.vertex_array(light, [])
    parts = []
    for index, mesh in enumerate(_meshes(path)):
        uv = getattr(mesh.visual, "uv", None)
        uv = np.zeros((len(mesh.vertices), 2)) if uv is None else uv
        rows = np.hstack([mesh.vertices, mesh.vertex_normals, uv]).astype("f4")
        vertices, faces = context.buffer(rows.tobytes()), context.buffer(mesh.faces.astype("i4").tobytes())
        array = context.vertex_array(surface, [(vertices, "3f 3f 2f", "at", "normal", "uv")], faces)
        parts.append((array, *_picture(context, mesh), float(index + 1)))

    def draw(camera: Camera) -> Maps:
        distance = float(np.linalg.norm(np.asarray(camera.eye)))
        projection = _projection(camera, distance / 50, distance * 4)
        buffer.use()
        context.enable(moderngl.DEPTH_TEST)
        buffer.clear()
        surface["view"].write(camera.view.T.astype("f4").tobytes())
        surface["view_projection"].write((projection @ camera.view).T.astype("f4").tobytes())
        for array, picture, factor, number in parts:
            picture.use(0)
            surface["factor"], surface["part"] = factor, number
            array.render()
        result.use()
        context.disable(moderngl.DEPTH_TEST)
        for unit, (name, texture) in enumerate(
            zip(("albedo_map", "geometry_map", "place_map"), samples, strict=True)
        ):
            texture.use(unit)
            light[name] = unit
        whole.render(moderngl.TRIANGLES, vertices=3)
        colour, albedo, geometry, place = (
            np.frombuffer(texture.read(), dtype).reshape(size, size, 4)[::-1]
            for texture, dtype in zip(pixels, ("u1", "u1", "f4", "f4"), strict=True)
        )
        return {
            "colour": colour[..., :3],
            "albedo": albedo[..., :3],
            "mask": albedo[..., 3],
            "normals": geometry[..., :3],
            "depth": geometry[..., 3],
            "uv": place[..., :2],
            "parts": place[..., 2],
        }

    return draw


def _picture(context: Any, mesh: trimesh.Trimesh) -> tuple[Any, tuple[float, ...]]:
    """A part's base colour texture (white where it has none) and its factor."""
    material = getattr(mesh.visual, "material", None)
    image = getattr(material, "baseColorTexture", None)
    factor = getattr(material, "baseColorFactor", None)
    factor = (1.0,) * 4 if factor is None else tuple(float(x) for x in np.asarray(factor) / 255)
    if image is None:
        return context.texture((1, 1), 4, b"\xff" * 4), factor
    rgba = image.convert("RGBA")
    texture = context.texture(rgba.size, 4, np.asarray(rgba)[::-1].tobytes())
    texture.build_mipmaps()
    texture.anisotropy = 8.0
    return texture, factor


def _projection(camera: Camera, near: float, far: float) -> NDArray[np.float64]:
    focal = 1 / np.tan(np.radians(camera.fov_y) / 2)
    matrix = np.zeros((4, 4))
    matrix[0, 0] = focal * camera.height / camera.width
    matrix[1, 1] = focal
    matrix[2, 2] = (far + near) / (near - far)
    matrix[2, 3] = 2 * far * near / (near - far)
    matrix[3, 2] = -1
    return matrix


RIVALS: Sequence[tuple[str, Callable[[Path, int], Draw]]] = (
    ("pyrender, beauty only", pyrender_beauty),
    ("pyrender, five maps", pyrender_maps),
    ("moderngl deferred, seven maps", moderngl_deferred),
)
