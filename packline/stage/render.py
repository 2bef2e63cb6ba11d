"""References: every pass of one view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from packline.camera import Camera
from packline.colour import to_linear, to_srgb
from packline.reference import BACKDROP, Picture, Reference
from packline.scenes import Scene
from packline.stage.colours import colour_notes, product_colours, seen_colours
from packline.stage.label_map import label_map
from packline.stage.layers import flattened, shaded
from packline.stage.lighting import develop, shade, studio_light
from packline.stage.model import Floats, GBuffer
from packline.stage.raster import Stage
from packline.stage.self_shadow import self_shadow
from packline.stage.shadow import ground_shadow, shadow_ratio
from packline.stage.text_truth import text_truth
from packline.truth import PartColours

#: Shadow on the backdrop that is taken as faint, and the share of the picture's side over which it fades.
_FAINT, _FADE = np.float32(0.12), np.float32(0.10)

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def scene_camera(scene: Scene, size: int) -> Camera:
    """The scene's camera for a picture whose longer side has `size` pixels."""
    camera = scene.camera
    factor = size / max(camera.width, camera.height)
    width, height = round(camera.width * factor), round(camera.height * factor)
    return Camera(camera.eye, camera.target, camera.fov_y, width, height, camera.up)


def render_reference(
    stage: Stage,
    view: str,
    camera: Camera,
    scene: Scene | None = None,
    colours: Sequence[PartColours] | None = None,
) -> Reference:
    """Draw all passes of one view.

    Parameters
    ----------
    stage
        The staged product; in a scene it stands on the scene's place (`views.scene_pose`).
    view
        The reference's name: "scene" or a canonical view.
    camera
        Where it is drawn from: `scene_camera` or `views.canonical_camera`.
    scene
        Lights the product and receives its shadow; None: the neutral catalogue light, and a shadow on the
        backdrop.
    colours
        `colours.product_colours` of the product, which are the same in all its views; None: worked out.

    Returns
    -------
    Reference
        Maps of shape (camera.height, camera.width, ...).
    """
    layered = stage.gbuffer(camera)
    gbuffer = flattened(layered)
    light = studio_light(camera) if scene is None else scene.light
    ground = 0.0 if scene is None else scene.place.position[1]
    floor = None if view in ("top", "bottom") else ground

    def lit(layer: GBuffer) -> Floats:
        return shade(layer, camera, light, floor, self_shadow(stage, camera, layer, light))

    colour = shaded(layered, lit)
    cover = gbuffer.mask[..., None]
    open_share = np.ones(gbuffer.mask.shape, np.float32)
    # from below, nobody sees what the ground receives
    if camera.eye[1] > ground:
        # the studio's softboxes throw no shadow that needs more
        size = camera.height // 4 if scene is None else None
        ratio = shadow_ratio(light, *ground_shadow(stage, camera, light, size, ground))
        open_share = np.clip(ratio @ _LUMINANCE, 0, 1)
    # in linear light, where highlights on glass are far above 1; the grey is below the tone curve's shoulder
    grey = to_linear(np.array([BACKDROP], np.uint8)) if scene is not None else _backdrop(open_share)
    over = develop(colour * cover + grey * (1 - cover))
    shadow = np.round(open_share * 255).astype(np.uint8)
    labels = text_truth(stage.model, camera, layered)
    mask = np.round(gbuffer.mask * 255).astype(np.uint8)
    if colours is None:
        colours = product_colours(stage.model)
    return Reference(
        view=view,
        camera=camera,
        colour=over,
        albedo=to_srgb(gbuffer.albedo),
        depth=gbuffer.depth,
        normals=gbuffer.normals,
        mask=mask,
        shadow=shadow,
        uv=gbuffer.uv - np.floor(gbuffer.uv),
        parts=gbuffer.parts,
        label_map=label_map(stage.model, layered, labels),
        labels=labels,
        colours=seen_colours(colours, gbuffer.parts, mask),
        notes=(*stage.model.notes, *colour_notes(stage.model), *_light_notes(scene)),
        variant=stage.model.variant,
        variants=stage.model.variants,
        surface=surface_pass(gbuffer),
    )


def surface_pass(gbuffer: GBuffer) -> Picture:
    """Roughness and metalness as a reference keeps them, uint8 (H, W, 2)."""
    # what shows its colour whatever the light mirrors none of it
    lit = 1 - gbuffer.unlit
    both = np.stack([1 - (1 - gbuffer.roughness) * lit, gbuffer.metallic * lit], -1)
    return np.round(np.clip(both, 0, 1) * (gbuffer.mask[..., None] > 0) * 255).astype(np.uint8)


def _light_notes(scene: Scene | None) -> tuple[str, ...]:
    if scene is None or not scene.light_estimated:
        return ()
    return (f"scene {scene.name}: its light estimated from the photo ({scene.light.words})",)


def _backdrop(open_share: Floats) -> Floats:
    """The grey behind the product with its shadow on it, linear, float32 (H, W, 1).

    Faint shadow is left away and towards the picture's edges all of it fades, so that the grey of two
    pictures side by side is one grey.
    """
    height, width = open_share.shape
    across, down = (np.arange(side, dtype=np.float32) + 0.5 for side in (width, height))
    x, y = np.minimum(across, width - across) / width, np.minimum(down, height - down) / height
    inside = np.clip(np.minimum(x, y[:, None]) / _FADE, 0, 1)
    dark = 1 - open_share
    dark = dark * dark / (dark + _FAINT) * inside * inside * (3 - 2 * inside)
    dark = np.where(dark < 0.004, 0, dark)
    grey = to_linear(np.array([BACKDROP], np.uint8))
    return np.asarray(grey * (1 - dark[..., None]), np.float32)
