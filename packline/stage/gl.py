"""The one OpenGL context of this process, through pyrender and EGL.

pyrender destroys the whole display when a second renderer is deleted, so a process makes one context,
keeps it to its end and uses it from one thread only.
"""

from __future__ import annotations

import os
import threading
from types import ModuleType
from typing import Any

import numpy as np

from packline.errors import FixSettings

_HOW = "install it with: apt-get install libegl1 libgl1-mesa-dri"
_state: dict[str, Any] = {}


def import_pyrender() -> ModuleType:
    """Import pyrender for headless EGL; every import of it in Packline goes through here.

    Raises
    ------
    FixSettings
        With the packages to install, where EGL is missing.
    """
    os.environ["PYOPENGL_PLATFORM"] = "egl"
    if not hasattr(np, "infty"):
        np.infty = np.inf  # type: ignore[attr-defined]  # pyrender 0.1.45 is older than NumPy 2
    try:
        import OpenGL  # type: ignore[import-untyped]
        import OpenGL.EGL  # type: ignore[import-untyped]

        # every GL call would ask for errors; the rasteriser asks once at the end of a pass instead
        # (set after EGL's import, which needs it on)
        OpenGL.ERROR_CHECKING = False
        import pyrender  # type: ignore[import-untyped]
        import pyrender.platforms.egl  # type: ignore[import-untyped]
        import pyrender.renderer  # type: ignore[import-untyped]
        import pyrender.shader_program  # type: ignore[import-untyped]
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        raise FixSettings(f"References need EGL, which this machine lacks ({error}); {_HOW}.") from error
    return pyrender  # type: ignore[no-any-return]


def make_current() -> None:
    """Make this process's context current; the first call creates it.

    Raises
    ------
    FixSettings
        Where no EGL device gives an OpenGL context.
    RuntimeError
        From any thread but the first one.
    """
    thread = threading.get_ident()
    if "renderer" not in _state:
        pyrender = import_pyrender()
        try:
            # the size does not matter: we draw into our own framebuffers
            _state["renderer"] = pyrender.OffscreenRenderer(8, 8)
        except Exception as error:
            raise FixSettings(f"No EGL device gives an OpenGL context ({error!r}); {_HOW}.") from error
        _state["thread"] = thread
    if thread != _state["thread"]:
        raise RuntimeError("The stage draws from one thread only; use one process for each worker.")
    _state["renderer"]._platform.make_current()
