"""The memory of the device that an engine runs on, and the batch that fits into it."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

# what is measured of one batch is a little less than another of the same size may take
_SAFE = 0.85
_MOST = 64
_STATUS = Path("/proc/self/status")


class Memory:
    """Of one device.

    Parameters
    ----------
    device
        "cuda" or "cpu"; on the CPU it is the process's memory that counts.
    """

    def __init__(self, device: str) -> None:
        self._cuda: Any = None
        if device == "cuda":
            import torch

            self._cuda = torch.cuda

    def start(self) -> int:
        """Forget the peak so far; bytes that are held now."""
        if self._cuda is not None:
            self._cuda.reset_peak_memory_stats()
            return int(self._cuda.memory_allocated())
        # 5 resets the kernel's high-water mark of a process; where it may not, the peak is that of all time
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        return _of_kernel(_STATUS, "VmRSS")

    def peak(self) -> int:
        """The most bytes held since `start`."""
        if self._cuda is not None:
            return int(self._cuda.max_memory_allocated())
        return _of_kernel(_STATUS, "VmHWM")

    def free(self) -> int:
        """Bytes that could still be had, what the allocator keeps in reserve included."""
        if self._cuda is not None:
            reserve = self._cuda.memory_reserved() - self._cuda.memory_allocated()
            return int(self._cuda.mem_get_info()[0] + reserve)
        return _of_kernel(Path("/proc/meminfo"), "MemAvailable")


class BatchSize:
    """How many candidates go together.

    Parameters
    ----------
    asked
        ``engine.batch``; 0 starts with one, measures what it takes, and grows to what memory allows.
    """

    def __init__(self, asked: int) -> None:
        self.now = asked or 1
        self._most = asked or _MOST
        self._grows = not asked

    @property
    def most(self) -> int:
        """More are never made together."""
        return self._most

    def learn(self, count: int, taken: int, free: int) -> None:
        """Grow, if that is what was asked.

        Parameters
        ----------
        count
            Candidates of a batch that went well.
        taken, free
            Bytes: what it took besides what was held before, and what was free before.
        """
        if not self._grows or count < self.now:
            return
        fits = int(_SAFE * free / max(taken / count, 1))
        # at most doubled: what one takes says little about what many do
        self.now = max(self.now, min(fits, 2 * self.now, self._most))

    def halve(self, count: int) -> None:
        """After a batch of `count` did not fit."""
        self.now = self._most = max(count // 2, 1)
        self._grows = False


def _of_kernel(file: Path, key: str) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:  # no Linux
        return 0
    found = next((line for line in lines if line.startswith(f"{key}:")), "")
    return int(found.split()[1]) * 1024 if found else 0
