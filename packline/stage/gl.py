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
from packline.stage import device

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
        Where no EGL device gives an OpenGL context, or not the one that `device.SETTING` names.
    RuntimeError
        From any thread but the first one.
    """
    thread = threading.get_ident()
    if "renderer" not in _state:
        _state["renderer"] = _first_context(import_pyrender())
        _state["thread"] = thread
    if thread != _state["thread"]:
        raise RuntimeError("The stage draws from one thread only; use one process for each worker.")
    _state["renderer"]._platform.make_current()


def renderer_name() -> str:
    """What draws, in its driver's words ("llvmpipe (LLVM 15.0.6, 256 bits)")."""
    make_current()
    from OpenGL import GL

    name = GL.glGetString(GL.GL_RENDERER)
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def _first_context(pyrender: ModuleType) -> Any:
    """pyrender's renderer on the first device, in `device.candidates`' order, that gives a context."""
    wanted = os.environ.get(device.SETTING, "")
    chosen = device.candidates(device.read_devices(), wanted)
    refused = []
    tries: list[device.Device | None] = [*chosen]
    for one in tries or [None]:
        if one is not None:
            os.environ["EGL_DEVICE_ID"] = str(one.index)  # pyrender's own way to be told
        try:
            # the size does not matter: we draw into our own framebuffers
            return pyrender.OffscreenRenderer(8, 8)
        except Exception as error:
            refused.append(f"{one or 'the default'}: {error!r}")
    mend = f"correct {device.SETTING}={wanted}, or " if wanted else ""
    raise FixSettings(f"No EGL device gives an OpenGL context ({'; '.join(refused)}); {mend}{_HOW}.")
