"""Where the camera stands for a view, and where the product stands in a scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.errors import GiveUp
from packline.scenes import Scene
from packline.stage.model import ProductModel

#: Views of the product alone: azimuth from the front about +Y and elevation, degrees.
CANONICAL: dict[str, tuple[float, float]] = {
    "front": (0.0, 4.0),
    "right": (90.0, 4.0),
    "back": (180.0, 4.0),
    "left": (-90.0, 4.0),
    "top": (0.0, 90.0),
    "bottom": (0.0, -90.0),
    "three-quarter": (35.0, 18.0),
    "hero": (-20.0, 10.0),
}
#: How far the product is turned in a scene so that the asked side faces the camera, degrees about +Y.
SIDES: dict[str, float] = {
    "front": 0.0,
    "right": -90.0,
    "back": 180.0,
    "left": 90.0,
    "three-quarter": -35.0,
    "hero": 20.0,
}
LABEL_PREFIX = "label:"
FOV_Y = 24.0
MARGIN = 0.08


def scene_pose(
    model: ProductModel,
    scene: Scene,
    side: str,
    shift: tuple[float, float] = (0.0, 0.0),
    turn: float = 0.0,
    scale: float = 1.0,
) -> NDArray[np.float64]:
    """Put a product on a scene's place.

    Parameters
    ----------
    model
        Normalised: front to +Z, on the ground, centred.
    scene
        Its place says where and how large.
    side
        Which side faces the camera; a name of `SIDES`.
    shift, turn, scale
        A candidate's variation: metres along the world's X and Z, degrees about Y, factor.

    Returns
    -------
    float64 (4, 4)
        For `ProductModel.transformed`.

    Raises
    ------
    GiveUp
        Where `side` is unknown or the scene's ground is not level.
    """
    if side not in SIDES:
        raise GiveUp(f"View {side!r} cannot stand in a scene; use one of {', '.join(SIDES)}.")
    normal = np.asarray(scene.ground_normal) / np.linalg.norm(scene.ground_normal)
    if normal[1] < 0.9999:
        raise GiveUp(f"Scene {scene.name}: its ground is not level; only a normal of (0, 1, 0) is drawn.")
    facing = _about_y(scene.place.yaw + SIDES[side])
    width, height = _silhouette(model, scene, facing)
    factor = min(scene.place.fit[0] / width, scene.place.fit[1] / height) * scale
    pose = np.eye(4)
    pose[:3, :3] = _about_y(scene.place.yaw + SIDES[side] + turn) * factor
    x, y, z = scene.place.position
    pose[:3, 3] = (x + shift[0], y, z + shift[1])
    return pose


def canonical_camera(model: ProductModel, view: str, size: int) -> Camera:
    """The camera of a view of the product alone: its outline touches the margin on the tighter axis.

    Parameters
    ----------
    view
        A name of `CANONICAL`, or "label:<id>" for a close-up that faces the label, reading upright as far as
        the product's own up allows.
    size
        Side of the square picture in pixels.

    Raises
    ------
    GiveUp
        Where the view or the label is unknown.
    """
    if view.startswith(LABEL_PREFIX):
        from packline.stage.text_truth import label_camera

        return label_camera(model, view.removeprefix(LABEL_PREFIX), size)
    if view not in CANONICAL:
        raise GiveUp(f"View {view!r} is unknown; use one of {', '.join(CANONICAL)} or label:<id>.")
    azimuth, elevation = np.radians(CANONICAL[view])
    outward = np.array(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    )
    points = np.concatenate([part.vertices for part in model.parts])
    return framed(points.astype(np.float64), outward, size)


def framed(points: NDArray[np.float64], outward: NDArray[np.float64], size: int) -> Camera:
    """The nearest camera in the direction `outward` that holds all `points` within the margin, in the middle.

    Parameters
    ----------
    points
        World coordinates, shape (N, 3).
    outward
        Unit vector from the points towards the camera, shape (3,).
    size
        Side of the square picture in pixels.
    """
    middle = (points.min(0) + points.max(0)) / 2
    axes = _camera(middle + outward, middle, size).pose[:3, :3]
    local = (points - middle) @ axes
    back = local[:, 2]
    # a point is inside while |x - eye_x| <= slope * (eye_back - back): four planes through the eye, each held
    # by one extreme point
    slope = np.tan(np.radians(FOV_Y) / 2) * (1 - 2 * MARGIN)
    ahead = [(local[:, i] + slope * back).max() for i in (0, 1)]
    behind = [(slope * back - local[:, i]).max() for i in (0, 1)]
    # at least a little, or a single point would be looked at from within
    spans = [max(float(a + b), 1e-6) for a, b in zip(ahead, behind, strict=True)]
    eye_back = max(spans) / (2 * slope)
    distance = np.maximum(eye_back - back, 1e-9)
    eye = [_between(local[:, i], distance) for i in (0, 1)]
    place = middle + axes @ np.array([*eye, eye_back])
    return _camera(place, place - outward * eye_back, size)


def _between(along: NDArray[np.float64], distance: NDArray[np.float64]) -> float:
    """Where an eye must stand along an axis to see as far to the one side as to the other."""
    low, high = float(along.min()), float(along.max())
    for _ in range(40):
        eye = (low + high) / 2
        seen = (along - eye) / distance
        if seen.max() + seen.min() > 0:
            low = eye
        else:
            high = eye
    return (low + high) / 2


def _camera(eye: NDArray[np.float64], target: NDArray[np.float64], size: int) -> Camera:
    return Camera(
        (float(eye[0]), float(eye[1]), float(eye[2])),
        (float(target[0]), float(target[1]), float(target[2])),
        FOV_Y,
        size,
        size,
    )


def _about_y(degrees: float) -> NDArray[np.float64]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def _silhouette(model: ProductModel, scene: Scene, turn: NDArray[np.float64]) -> tuple[float, float]:
    """Width and height in metres of the turned product as the scene's camera sees it."""
    right = scene.camera.pose[:3, 0] @ turn
    along = [part.vertices @ right for part in model.parts]
    width = max(float(a.max()) for a in along) - min(float(a.min()) for a in along)
    low, high = model.bounds
    return max(width, 1e-9), max(float(high[1] - low[1]), 1e-9)
