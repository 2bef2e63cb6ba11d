"""Which device draws: a GPU's EGL device by its PCI address, else the software renderer llvmpipe.

EGL lists its devices in whatever order its drivers were loaded. PCI addresses stay the same from start to
start, so they decide: the first GPU on the bus that gives a context draws.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packline.errors import FixSettings

#: Environment variable that overrides the choice: "software", an index in PCI order or a PCI address.
SETTING = "PACKLINE_EGL_DEVICE"

_EXTENSIONS, _DRM_FILE, _RENDER_NODE, _CUDA = 0x3055, 0x3233, 0x3377, 0x323A
_PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_NODES = ("dri", "kfd", "dxg")


@dataclass(frozen=True)
class Device:
    """One of EGL's devices.

    Parameters
    ----------
    index
        Its place in EGL's own list.
    software
        Whether it draws on the CPU.
    pci
        Its address on the bus ("0000:3b:00.0"); empty where it is unknown.
    cuda
        Its CUDA ordinal, where its driver gives one.
    """

    index: int
    software: bool
    pci: str = ""
    cuda: int | None = None

    def __str__(self) -> str:
        if self.software:
            return "software"
        where = f"PCI {self.pci}" if self.pci else "at an unknown PCI address"
        return f"GPU {where}"


def in_order(devices: Sequence[Device]) -> list[Device]:
    """GPUs in PCI order, those of unknown address last, then what draws on the CPU."""
    return sorted(
        devices,
        key=lambda one: (
            one.software,
            not one.pci,
            _sortable(one.pci),
            -1 if one.cuda is None else one.cuda,
            one.index,
        ),
    )


def candidates(devices: Sequence[Device], wanted: str = "") -> list[Device]:
    """The devices to try, best first.

    Parameters
    ----------
    devices
        In any order.
    wanted
        What `SETTING` says; empty: any GPU, else software.

    Raises
    ------
    FixSettings
        Where `wanted` names none of them; with the list of those that there are.
    """
    ordered = in_order(devices)
    wanted = wanted.strip().lower()
    if not wanted:
        return ordered
    # several drivers may serve one GPU: its index counts the GPU, not its drivers
    gpus = list(dict.fromkeys(one.pci or f"#{one.index}" for one in ordered if not one.software))
    if wanted == "software":
        found = [one for one in ordered if one.software]
    elif wanted.isdecimal():
        name = gpus[int(wanted)] if int(wanted) < len(gpus) else ""
        found = [one for one in ordered if not one.software and name == (one.pci or f"#{one.index}")]
    else:
        found = [one for one in ordered if one.pci and _sortable(one.pci) == _sortable(wanted)]
    if not found:
        there = [f"{number} (PCI {pci})" for number, pci in enumerate(gpus)]
        there += ["software"] if any(one.software for one in ordered) else []
        raise FixSettings(
            f"{SETTING} is {wanted!r}, which is no EGL device here; use {' or '.join(there) or 'none of it'}"
            f"{', or install a driver' if not there else ''}."
        )
    return found


def read_devices() -> list[Device]:
    """EGL's devices in its own order; empty where EGL cannot list them."""
    query = _function("eglQueryDevicesEXT", ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    text = _function("eglQueryDeviceStringEXT", ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
    number = _function(
        "eglQueryDeviceAttribEXT", ctypes.c_uint, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
    )
    if query is None or text is None:
        return []
    count = ctypes.c_int(0)
    if not query(0, None, ctypes.byref(count)) or count.value < 1:
        return []
    handles = (ctypes.c_void_p * count.value)()
    if not query(count.value, handles, ctypes.byref(count)):
        return []

    devices = []
    for index in range(count.value):
        handle = handles[index]
        extensions = (text(handle, _EXTENSIONS) or b"").decode().split()
        software = "EGL_MESA_device_software" in extensions
        files = []
        if "EGL_EXT_device_drm" in extensions:
            files.append(text(handle, _DRM_FILE))
        if "EGL_EXT_device_drm_render_node" in extensions:
            files.append(text(handle, _RENDER_NODE))
        cuda = None
        if "EGL_NV_device_cuda" in extensions and number is not None:
            value = ctypes.c_ssize_t(-1)
            cuda = value.value if number(handle, _CUDA, ctypes.byref(value)) else None
        pci = "" if software else pci_address([file.decode() for file in files if file], cuda)
        devices.append(Device(index, software, pci, cuda))
    return devices


def pci_address(
    nodes: Sequence[str],
    cuda: int | None = None,
    system: Path = Path("/sys"),
    processes: Path = Path("/proc"),
) -> str:
    """Where a device sits on the bus, from its DRM nodes, else from its CUDA ordinal; empty if neither says.

    Parameters
    ----------
    nodes
        As EGL names them ("/dev/dri/card0", "/dev/dri/renderD128").
    cuda
        Counts the NVIDIA driver's GPUs in PCI order: the worker runs with CUDA_DEVICE_ORDER=PCI_BUS_ID.
    system, processes
        Where sysfs and procfs lie.
    """
    for node in nodes:
        link = system / "class" / "drm" / Path(node).name / "device"
        if _PCI.fullmatch(link.resolve().name):
            return link.resolve().name
    gpus = processes / "driver" / "nvidia" / "gpus"
    if cuda is not None and gpus.is_dir():
        addresses = sorted((one.name for one in gpus.iterdir() if _PCI.fullmatch(one.name)), key=_sortable)
        return addresses[cuda] if 0 <= cuda < len(addresses) else ""
    return ""


def hardware_nodes(wanted: str = "", folder: Path = Path("/dev")) -> tuple[Path, ...]:
    """Device nodes that a GPU's driver opens; none where software is wanted or there is no GPU."""
    if wanted.strip().lower() == "software":
        return ()
    named = [folder / name for name in _NODES]
    return tuple(node for node in (*named, *sorted(folder.glob("nvidia*"))) if node.exists())


def _sortable(pci: str) -> tuple[int, ...]:
    parts = re.split(r"[:.]", pci)
    if not all(re.fullmatch(r"[0-9a-f]+", part) for part in parts):
        return ()
    # lspci leaves out the domain where there is but one
    return tuple(int(part, 16) for part in (["0", *parts] if len(parts) == 3 else parts))


def _function(name: str, result: Any, *arguments: Any) -> Any:
    from OpenGL import EGL  # type: ignore[import-untyped]

    address = EGL.eglGetProcAddress(name)
    address = getattr(address, "value", address)
    return ctypes.CFUNCTYPE(result, *arguments)(address) if address else None
