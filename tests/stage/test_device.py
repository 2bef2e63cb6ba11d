"""The device that draws is chosen by its place on the bus, not by the order in which drivers load."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from packline.errors import FixSettings
from packline.stage import device, gl
from packline.stage.device import Device, candidates, hardware_nodes, in_order, pci_address

FIRST = Device(2, False, "0000:3b:00.0", 0)
SECOND = Device(0, False, "0000:b1:00.0", 1)
SAME_GPU = Device(3, False, "0000:3b:00.0")
FAR = Device(4, False, "0001:01:00.0")
UNKNOWN = Device(5, False)
SOFTWARE = Device(1, True)


def test_gpus_come_in_pci_order_and_software_last() -> None:
    for devices in itertools.permutations((SECOND, FIRST, SOFTWARE, FAR, UNKNOWN)):
        assert in_order(devices) == [FIRST, SECOND, FAR, UNKNOWN, SOFTWARE]
        assert candidates(devices) == [FIRST, SECOND, FAR, UNKNOWN, SOFTWARE]
    wide = Device(0, False, "0000:0a:00.0"), Device(1, False, "0000:9:00.0")
    assert in_order(wide) == [wide[1], wide[0]]


def test_a_setting_chooses_by_index_by_address_or_software() -> None:
    devices = [SECOND, SOFTWARE, FIRST, SAME_GPU, FAR]
    assert candidates(devices, "0") == [SAME_GPU, FIRST] == candidates(devices, "0000:3b:00.0")
    assert candidates(devices, "1") == [SECOND] == candidates(devices, " 0000:B1:00.0 ")
    assert candidates(devices, "b1:00.0") == [SECOND]  # as lspci writes it
    assert candidates(devices, "2") == [FAR]
    assert candidates(devices, "software") == [SOFTWARE]


@pytest.mark.parametrize("wanted", ["3", "0000:3c:00.0", "gpu", "-1", "01:00.0"])
def test_a_wrong_setting_lists_what_there_is(wanted: str) -> None:
    with pytest.raises(FixSettings) as raised:
        candidates([SECOND, SOFTWARE, FIRST, FAR], wanted)
    assert str(raised.value) == (
        f"PACKLINE_EGL_DEVICE is '{wanted}', which is no EGL device here; use 0 (PCI 0000:3b:00.0) or "
        "1 (PCI 0000:b1:00.0) or 2 (PCI 0001:01:00.0) or software."
    )
    with pytest.raises(FixSettings, match="install a driver"):
        candidates([], wanted)


def test_an_address_is_found_through_a_node_else_through_cuda(tmp_path: Path) -> None:
    bus = tmp_path / "sys" / "devices" / "pci0000:3a" / "0000:3b:00.0"
    bus.mkdir(parents=True)
    node = tmp_path / "sys" / "class" / "drm" / "renderD128"
    node.mkdir(parents=True)
    (node / "device").symlink_to(bus)
    for address in ("0000:b1:00.0", "0000:0a:00.0"):
        (tmp_path / "proc" / "driver" / "nvidia" / "gpus" / address).mkdir(parents=True)

    def address_of(nodes: list[str], cuda: int | None = None) -> str:
        return pci_address(nodes, cuda, tmp_path / "sys", tmp_path / "proc")

    assert address_of(["/dev/dri/renderD128"]) == "0000:3b:00.0"
    assert address_of(["/dev/dri/card7", "/dev/dri/renderD128"], 0) == "0000:3b:00.0"
    assert address_of([], 0) == "0000:0a:00.0"
    assert address_of(["/dev/dri/card7"], 1) == "0000:b1:00.0"
    assert address_of([], 2) == address_of([]) == ""


def test_the_sandbox_opens_a_gpus_nodes_only_where_it_may_draw(tmp_path: Path) -> None:
    for name in ("dri", "nvidia0", "nvidiactl", "null", "sda"):
        (tmp_path / name).touch()
    assert [node.name for node in hardware_nodes("", tmp_path)] == ["dri", "nvidia0", "nvidiactl"]
    assert hardware_nodes("1", tmp_path) == hardware_nodes("", tmp_path)
    assert hardware_nodes("Software", tmp_path) == ()


def test_a_gpu_that_gives_no_context_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pyrender:
        """Draws on some devices only."""

        working: tuple[str, ...] = ("1",)

        def OffscreenRenderer(self, width: int, height: int) -> str:  # noqa: N802
            if os.environ["EGL_DEVICE_ID"] not in self.working:
                raise ValueError("no context")
            return f"renderer on {os.environ['EGL_DEVICE_ID']}"

    pyrender = Pyrender()
    monkeypatch.setenv("EGL_DEVICE_ID", "9")
    monkeypatch.delenv(device.SETTING, raising=False)
    monkeypatch.setattr(device, "read_devices", lambda: [SECOND, SOFTWARE, FIRST])
    assert gl._first_context(pyrender) == "renderer on 1"  # type: ignore[arg-type]
    pyrender.working = ("0", "1")
    assert gl._first_context(pyrender) == "renderer on 0"  # type: ignore[arg-type]
    # who asks for one gets that one or a sentence
    monkeypatch.setenv(device.SETTING, "0")
    with pytest.raises(FixSettings, match=r"GPU PCI 0000:3b:00.0.*correct PACKLINE_EGL_DEVICE=0, or"):
        gl._first_context(pyrender)  # type: ignore[arg-type]


def test_this_machine_has_a_device_that_draws() -> None:
    gl.import_pyrender()
    devices = device.read_devices()
    assert [one.index for one in devices] == [*range(len(devices))]
    assert any(one.software for one in devices)
    gl.make_current()
    assert gl.renderer_name()
