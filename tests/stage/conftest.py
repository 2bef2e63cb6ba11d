"""One rasteriser for all tests of the stage: a context is made once a process."""

from __future__ import annotations

import pytest

from packline.stage.raster import Rasteriser


@pytest.fixture(scope="session")
def rasteriser() -> Rasteriser:
    return Rasteriser(512)
