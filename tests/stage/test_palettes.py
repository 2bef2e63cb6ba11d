"""Models coloured by a palette: each face shows one texel, exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packline.colour import to_srgb
from packline.stage.load import load_model
from packline.stage.raster import Rasteriser
from packline.stage.views import canonical_camera
from tests.stage.build import Gltf, quad


@pytest.mark.parametrize("upright", [False, True])
def test_a_palette_one_texel_wide_gives_its_own_colours(
    upright: bool, tmp_path: Path, rasteriser: Rasteriser
) -> None:
    palette = np.random.default_rng(5).integers(0, 256, (1, 64, 3), np.uint8)
    for texel in (0, 17, 40, 63):
        shape = quad()
        place = ((texel + 0.5) / 64, 0.5)
        shape["uv"] = np.tile(place[::-1] if upright else place, (4, 1))
        gltf = Gltf()
        pixels = np.swapaxes(palette, 0, 1).copy() if upright else palette
        gltf.mesh(**shape, material=gltf.material(baseColorTexture={"index": gltf.image(pixels)}))
        model = load_model(gltf.save(tmp_path / "card.glb"))
        gbuffer = rasteriser.gbuffer(model, canonical_camera(model, "front", 64))
        assert np.abs(to_srgb(gbuffer.albedo[32, 32]).astype(int) - palette[0, texel]).max() <= 1
