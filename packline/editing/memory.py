"""The memory of the device that an engine runs on, and the batch that fits into it."""

from __future__ import annotations

import contextlib
import errno
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from packline.errors import PacklineError

Value = TypeVar("Value")
logger = logging.getLogger(__name__)

# what is measured of one batch is a little less than another of the same size may take
_SAFE = 0.85
_MOST = 64
_STATUS = Path("/proc/self/status")
# torch on a CPU and CUDA's libraries raise plain RuntimeErrors; safetensors passes the system's words on
_SAID = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "insufficient memory",
    "status_alloc_failed",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it came from, says that memory ran out: a card's or the machine's.

    An error of Packline's own has been judged already, and is not.
    """
    torch = sys.modules.get("torch")
    found: BaseException | None = error
    while found is not None and not isinstance(found, PacklineError):
        if isinstance(found, MemoryError) or (torch and isinstance(found, torch.OutOfMemoryError)):
            return True
        if isinstance(found, OSError) and found.errno == errno.ENOMEM:
            return True
        said = str(found).lower()
        if any(words in said for words in _SAID):
            return True
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return False


def within_memory(work: Callable[[], Value]) -> tuple[Value] | None:
    """What some work gives, in a tuple; None where memory ran out.

    No error is handed on, for its frames would hold what is to be freed.
    """
    try:
        return (work(),)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        logger.info("Memory ran out: %s", str(error).partition("\n")[0] or type(error).__name__)
        return None


class Memory:
    """Of one device.

    Parameters
    ----------
    device
        "cuda", "cuda:1" or "cpu"; on the CPU it is the process's memory that counts.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._cuda: Any = None
        if device.startswith("cuda"):
            import torch

            self._cuda = torch.cuda

    def start(self) -> int:
        """Forget the peak so far; bytes that are held now."""
        if self._cuda is not None:
            self._cuda.reset_peak_memory_stats(self._device)
            return int(self._cuda.memory_allocated(self._device))
        # 5 resets the kernel's high-water mark of a process; where it may not, the peak is that of all time
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        return _of_kernel(_STATUS, "VmRSS")

    def peak(self) -> int:
        """The most bytes held since `start`."""
        if self._cuda is not None:
            return int(self._cuda.max_memory_allocated(self._device))
        return _of_kernel(_STATUS, "VmHWM")

    def free(self) -> int:
        """Bytes that could still be had, what the allocator keeps in reserve included."""
        if self._cuda is not None:
            held = self._cuda.memory_allocated(self._device)
            reserve = self._cuda.memory_reserved(self._device) - held
            return int(self._cuda.mem_get_info(self._device)[0] + reserve)
        return _of_kernel(Path("/proc/meminfo"), "MemAvailable")


class Patience:
    """How many batches must go well before what memory took away is tried again.

    More of them after each time that it failed again: a card that is small for good is not overrun for ever.
    """

    _FIRST, _MOST = 8, 512

    def __init__(self) -> None:
        self._wait = self._FIRST
        self._count = 0
        self._tried = False

    def well(self) -> bool:
        """After a batch that went well: whether it is time."""
        self._count += 1
        if self._count < self._wait:
            return False
        self._count, self._tried = 0, True
        return True

    def failed(self) -> None:
        """After memory ran out."""
        self._count = 0
        if self._tried:
            self._wait, self._tried = min(2 * self._wait, self._MOST), False


class BatchSize:
    """How many candidates go together.

    Parameters
    ----------
    asked
        ``engine.batch``; 0 starts with one, measures what it takes, and grows to what memory allows.
    """

    def __init__(self, asked: int) -> None:
        self.now = asked or 1
        self.most = asked or _MOST
        """More are never made together."""
        self._measures = not asked
        self._patience: Patience | None = None

    def learn(self, count: int, taken: int, free: int) -> None:
        """Grow: if that is what was asked, or back to what was asked.

        Parameters
        ----------
        count
            Candidates of a batch that went well.
        taken, free
            Bytes: what it took besides what was held before, and what was free before.
        """
        if count < self.now or self.now >= self.most:
            return
        if self._patience is not None and not self._patience.well():
            return
        # at most doubled: what one takes says little about what many do
        size = min(2 * self.now, self.most)
        if self._measures:
            size = min(size, int(_SAFE * free / max(taken / count, 1)))
        self.now = max(self.now, size)

    def halve(self, count: int) -> None:
        """After a batch of `count` did not fit; it grows back when smaller ones went well for a while."""
        self.now = max(count // 2, 1)
        self._patience = self._patience or Patience()
        self._patience.failed()


def _of_kernel(file: Path, key: str) -> int:
    try:
        lines = file.read_text().splitlines()
    except OSError:  # no Linux
        return 0
    found = next((line for line in lines if line.startswith(f"{key}:")), "")
    return int(found.split()[1]) * 1024 if found else 0
