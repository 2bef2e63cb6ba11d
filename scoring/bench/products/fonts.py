"""The bench's fonts: families that no training picture has, half of them for each split."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from packline.errors import FixSettings

#: File names without ending, by split.
FACES: dict[str, tuple[str, ...]] = {
    "calibration": (
        "Lato-Bold", "Lato-Black", "Lato-Medium", "Comfortaa-Bold", "EBGaramond12-Bold",
        "EBGaramond12-Regular", "Cantarell-Bold", "Cantarell-ExtraBold", "Caladea-Bold", "Caladea-BoldItalic",
        "LeagueSpartan-Bold",
    ),
    "test": (
        "Inter-Bold", "Inter-Black", "Inter-SemiBold", "Quicksand-Bold", "Carlito-Bold", "Carlito-BoldItalic",
        "LinLibertine_RB", "LinLibertine_R", "LinBiolinum_RB", "Junction", "BebasNeue-Bold",
        "BebasNeue-Regular",
    ),
}  # fmt: skip
_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
_PACKAGES = {
    "calibration": "fonts-lato fonts-comfortaa fonts-ebgaramond fonts-cantarell fonts-crosextra-caladea "
    "fonts-league-spartan",
    "test": "fonts-inter fonts-quicksand fonts-crosextra-carlito fonts-linuxlibertine fonts-junction "
    "fonts-bebas-neue",
}


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    files = [file for folder in _FOLDERS if folder.is_dir() for file in sorted(folder.rglob("*"))]
    return {file.stem: str(file) for file in files if file.suffix in (".ttf", ".otf")}


def faces_of(split: str) -> tuple[str, ...]:
    """Fonts of one split that this machine has.

    Raises
    ------
    FixSettings
        Where it has none of them.
    """
    faces = tuple(name for name in FACES[split] if name in _installed())
    if not faces:
        raise FixSettings(
            f"The bench's {split} products need fonts that no check was tuned on and this machine has none "
            f"of them; install the Debian packages {_PACKAGES[split]}."
        )
    return faces


@lru_cache(maxsize=256)
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of `FACES` at a size in pixels."""
    return ImageFont.truetype(_installed()[name], size)
