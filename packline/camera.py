"""A pinhole camera in the glTF convention: right-handed world, Y up, metres; it looks along its -Z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """Where a picture is taken from.

    Parameters
    ----------
    eye, target, up
        World coordinates in metres.
    fov_y
        Vertical field of view in degrees.
    width, height
        Picture size in pixels. Pixel (0, 0) is the top left corner; pixel centres lie at +0.5.
    """

    eye: tuple[float, float, float]
    target: tuple[float, float, float]
    fov_y: float
    width: int = 1024
    height: int = 1024
    up: tuple[float, float, float] = (0.0, 1.0, 0.0)

    @property
    def pose(self) -> Floats:
        """Camera-to-world matrix, shape (4, 4)."""
        eye = np.asarray(self.eye, float)
        back = eye - np.asarray(self.target, float)
        back /= np.linalg.norm(back)
        up = np.asarray(self.up, float)
        if abs(float(back @ up)) > 0.999 * float(np.linalg.norm(up)):
            up = np.array([0.0, 0.0, -1.0])
        right = np.cross(up, back)
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, np.cross(back, right), back, eye
        return pose

    @property
    def view(self) -> Floats:
        """World-to-camera matrix, shape (4, 4)."""
        return np.asarray(np.linalg.inv(self.pose), np.float64)

    @property
    def focal(self) -> float:
        """Focal length in pixels (square pixels)."""
        return float(self.height / 2 / np.tan(np.radians(self.fov_y) / 2))

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Project world points into the picture.

        Parameters
        ----------
        points
            World coordinates, shape (..., 3).

        Returns
        -------
        xy
            Pixel coordinates, shape (..., 2), y down.
        depth
            Metres in front of the camera along its axis, shape (...); negative behind it.
        """
        view = self.view
        local = np.asarray(points, float) @ view[:3, :3].T + view[:3, 3]
        depth = -local[..., 2]
        safe = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
        x = self.width / 2 + self.focal * local[..., 0] / safe
        y = self.height / 2 - self.focal * local[..., 1] / safe
        return np.stack([x, y], -1), depth

    def rays(self) -> Floats:
        """World directions through every pixel centre, scaled to depth 1, shape (height, width, 3)."""
        x = (np.arange(self.width) + 0.5 - self.width / 2) / self.focal
        y = (self.height / 2 - np.arange(self.height) - 0.5) / self.focal
        grid = np.stack([*np.meshgrid(x, y), np.full((self.height, self.width), -1.0)], -1)
        return np.asarray(grid @ self.pose[:3, :3].T)

    def resized(self, size: int) -> Camera:
        """The same square view at another size in pixels."""
        return Camera(self.eye, self.target, self.fov_y, size, size, self.up)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for a file or the ledger."""
        return {
            "eye": list(self.eye),
            "target": list(self.target),
            "up": list(self.up),
            "fov_y": self.fov_y,
            "width": self.width,
            "height": self.height,
        }

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Camera:
        """Read what `to_dict` wrote."""

        def triple(
            name: str, default: tuple[float, float, float] | None = None
        ) -> tuple[float, float, float]:
            x, y, z = data.get(name, default) if default else data[name]
            return float(x), float(y), float(z)

        return Camera(
            triple("eye"),
            triple("target"),
            float(data["fov_y"]),
            int(data.get("width", 1024)),
            int(data.get("height", 1024)),
            triple("up", (0.0, 1.0, 0.0)),
        )
