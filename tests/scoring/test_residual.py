"""What light explains is no residual: also a light of another contrast; what is painted on is one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from scoring.residual import largest, residual

SIDE = 192
Floats = np.ndarray


@pytest.fixture(scope="module")
def product() -> tuple[Floats, Floats, Floats]:
    """A ball of three greys and a colour: its render, coverage and normals."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j].astype(np.float32) * 1.3
    cover = (x * x + y * y < 1).astype(np.float32)
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    albedo = np.full((SIDE, SIDE, 3), 150, np.float32)
    albedo[:, : SIDE // 3] = 40
    albedo[: SIDE // 3] = (90, 60, 50)
    albedo[SIDE // 2 :, SIDE // 2 :] = 210
    shaded = albedo * (0.35 + 0.65 * np.clip(0.5 * x - 0.5 * y + 0.7 * z, 0, 1))[..., None]
    return shaded * cover[..., None], cover, np.stack([x, -y, z], -1) * cover[..., None]


def left(seen: Floats, product: tuple[Floats, Floats, Floats]) -> float:
    expected, cover, normals = product
    base = np.full_like(expected, 128)
    found = residual(np.asarray(seen, np.float32), expected, base, cover, normals)
    return largest(found.excess, cover)


@pytest.mark.parametrize("contrast", [0.8, 1.3])
def test_another_contrast_is_explained(contrast: float, product: tuple[Floats, Floats, Floats]) -> None:
    expected, cover, _ = product
    seen = 100 * (expected / 100) ** contrast * cover[..., None]
    assert left(seen, product) == pytest.approx(left(expected, product), abs=0.3)


def test_what_is_painted_on_is_not_explained(product: tuple[Floats, Floats, Floats]) -> None:
    expected, cover, _ = product
    bent = 100 * (expected / 100) ** 1.3 * cover[..., None]
    painted = bent.copy()
    cv2.circle(painted, (110, 100), 14, (20, 160, 40), -1)
    assert left(painted, product) > left(bent, product) + 2
    turned = bent[:, ::-1] * cover[..., None]
    assert left(turned, product) > left(bent, product) + 2
