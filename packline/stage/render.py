"""References: every pass of one view, and a contact sheet to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from packline.camera import Camera
from packline.colour import to_srgb
from packline.reference import Reference
from packline.scenes import Scene
from packline.stage.lighting import develop, shade, studio_light
from packline.stage.model import Floats
from packline.stage.raster import Stage
from packline.stage.shadow import ground_shadow, shadow_ratio
from packline.stage.text_truth import text_truth
from packline.truth import TextTruth, direction_words

#: Grey behind the product in a reference's colour, sRGB.
BACKDROP = 205
#: A label lower than this many pixels cannot be read.
READABLE_HEIGHT = 10.0

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def scene_camera(scene: Scene, size: int) -> Camera:
    """The scene's camera for a picture whose longer side has `size` pixels."""
    camera = scene.camera
    factor = size / max(camera.width, camera.height)
    width, height = round(camera.width * factor), round(camera.height * factor)
    return Camera(camera.eye, camera.target, camera.fov_y, width, height, camera.up)


def render_reference(stage: Stage, view: str, camera: Camera, scene: Scene | None = None) -> Reference:
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
        Lights the product and receives its shadow; None: the neutral catalogue light, no shadow.

    Returns
    -------
    Reference
        Maps of shape (camera.height, camera.width, ...).
    """
    gbuffer = stage.gbuffer(camera)
    light = studio_light(camera) if scene is None else scene.light
    ground = 0.0 if scene is None else scene.place.position[1]
    colour = shade(gbuffer, camera, light, None if view in ("top", "bottom") else ground)
    cover = gbuffer.mask[..., None]
    lit = develop(colour).astype(np.float32)
    # the backdrop is a flat grey of a known value, so it is mixed after the tone curve
    over = np.round(lit * cover + BACKDROP * (1 - cover)).astype(np.uint8)
    shadow = np.full(gbuffer.mask.shape, 255, np.uint8)
    if scene is not None:
        ratio = shadow_ratio(light, *ground_shadow(stage, camera, light, ground=ground))
        shadow = np.round(np.clip(ratio @ _LUMINANCE, 0, 1) * 255).astype(np.uint8)
    labels = text_truth(stage.model, camera, gbuffer)
    small = [label for label in labels if label.height < READABLE_HEIGHT]
    return Reference(
        view=view,
        camera=camera,
        colour=over,
        albedo=to_srgb(gbuffer.albedo),
        depth=gbuffer.depth,
        normals=gbuffer.normals,
        mask=np.round(gbuffer.mask * 255).astype(np.uint8),
        shadow=shadow,
        uv=gbuffer.uv,
        parts=gbuffer.parts,
        label_map=np.zeros(shadow.shape, np.uint8),
        labels=labels,
        notes=(
            *stage.model.notes,
            *(
                f"label {label.label!r} is {label.height:.0f} px high here, too small to read"
                for label in small
            ),
        ),
    )


def contact_sheet(references: Sequence[Reference], tile: int = 320) -> NDArray[np.uint8]:
    """All passes of several views in one picture, with the text truth drawn on the colour.

    Parameters
    ----------
    references
        One row each.
    tile
        Side of one cell in pixels.

    Returns
    -------
    uint8 (H, W, 3), sRGB
    """
    head, names = 26, ("colour and text truth", "albedo", "normals", "depth", "mask", "shadow on the ground")
    sheet = Image.new("RGB", (tile * len(names), (tile + head) * len(references) + head), (246, 246, 244))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(15)
    for column, name in enumerate(names):
        draw.text((column * tile + 8, 5), name, (90, 90, 90), font)
    for row, reference in enumerate(references):
        top = head + row * (tile + head)
        seen = ", ".join(_describe(label) for label in reference.labels) or "no label in this view"
        draw.text((8, top + 4), f"{reference.view}:  {seen}", (20, 20, 20), font)
        passes = (
            draw_truth(reference.colour, reference.labels),
            _over_grey(reference.albedo, reference.mask),
            ((reference.normals + 1) * 127.5).astype(np.uint8),
            _depth_picture(reference.depth),
            reference.mask,
            reference.shadow,
        )
        for column, picture in enumerate(passes):
            sheet.paste(_tile(picture, tile - 4), (column * tile + 2, top + head))
    return np.asarray(sheet)


def draw_truth(picture: NDArray[np.uint8], labels: Sequence[TextTruth]) -> NDArray[np.uint8]:
    """A copy of a picture with each label's outline, its string and an arrow in its reading direction."""
    out = picture.copy()
    scale = max(picture.shape[:2]) / 1024
    width = max(1, round(3 * scale))
    for index, label in enumerate(labels):
        colour = _PALETTE[index % len(_PALETTE)]
        outline = np.round(np.array(label.outline) * 8).astype(np.int32)
        cv2.polylines(out, [outline], True, colour, width, cv2.LINE_AA, shift=3)
        a, b, c, d = np.array(label.quad)
        # beside the text, at its foot, so that both can be read
        foot = (d - a + c - b) / 2
        clear = foot / max(float(np.linalg.norm(foot)), 1e-6) * 10 * scale
        cv2.arrowedLine(
            out, _pixel(d + clear), _pixel(c + clear), colour, max(1, round(3 * scale)), cv2.LINE_AA,
            tipLength=min(0.3, 14 * scale / max(float(np.linalg.norm(c - d)), 1.0)),
        )  # fmt: skip
    image = Image.fromarray(out)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(max(11, round(22 * scale)))
    for index, label in enumerate(labels):
        x, y = np.array(label.outline).min(0)
        words = f"{label.text}"
        box = draw.textbbox((0, 0), words, font)
        at = (
            float(np.clip(x, 2, max(picture.shape[1] - box[2] - 6, 2))),
            float(np.clip(y - box[3] - 8 * scale, 2, picture.shape[0] - box[3] - 4)),
        )
        draw.rectangle((at[0] - 3, at[1] - 1, at[0] + box[2] + 3, at[1] + box[3] + 3), (255, 255, 255))
        draw.text(at, words, _PALETTE[index % len(_PALETTE)], font)
    return np.asarray(image)


_PALETTE = ((214, 40, 40), (0, 95, 190), (0, 130, 60), (170, 70, 0), (120, 40, 160))


def _describe(label: TextTruth) -> str:
    mirrored = ", mirrored" if label.mirrored else ""
    return (
        f"{label.text} {direction_words(label.angle)} ({label.angle:.0f}°, {label.visible:.0%} visible, "
        f"{label.height:.0f} px{mirrored})"
    )


def _pixel(xy: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(xy[0])), round(float(xy[1]))


def _over_grey(albedo: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    cover = mask[..., None].astype(np.float32) / np.float32(255)
    return np.asarray(np.round(albedo * cover + BACKDROP * (1 - cover)), np.uint8)


def _depth_picture(depth: Floats) -> NDArray[np.uint8]:
    seen = depth > 0
    if not seen.any():
        return np.zeros(depth.shape, np.uint8)
    near, far = float(depth[seen].min()), float(depth[seen].max())
    grey = 235 - 175 * (depth - near) / max(far - near, 1e-9)
    return np.where(seen, np.clip(grey, 0, 255), 0).astype(np.uint8)


def _tile(picture: NDArray[np.uint8], side: int) -> Image.Image:
    image = Image.fromarray(picture).convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image
