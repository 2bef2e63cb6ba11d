"""Draws candidates batch by batch: as many at once as fit, one batch decoded while the next is denoised.

This file knows batches, memory and threads; what is called, and how, is the driver's.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Hashable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from packline.editing.engine import EditRequest, LoraChoice
from packline.editing.loras import Lora
from packline.editing.memory import BatchSize, Memory, Patience, within_memory
from packline.errors import GiveUp, TryAgain
from packline.settings import EngineSettings

if TYPE_CHECKING:
    from packline.editing.driver import PipelineDriver

logger = logging.getLogger(__name__)

_Pictures = tuple[NDArray[np.float32], float]


@dataclass(frozen=True)
class Job:
    """A request as it will be drawn.

    Parameters
    ----------
    place
        Of the request in its call.
    request
        Its prompt is one that the model reads whole.
    cut
        Words of the prompt that were left out for that.
    """

    place: int
    request: EditRequest
    stack: tuple[Lora, ...]
    cut: str = ""


@dataclass(frozen=True)
class Drawn:
    """A batch that is there.

    Parameters
    ----------
    pictures
        (n, height, width, 3), 0 to 1, sRGB.
    seconds
        Of all of it.
    peak
        Bytes.
    """

    jobs: tuple[Job, ...]
    pictures: NDArray[np.float32]
    seconds: float
    peak: int


@dataclass(frozen=True)
class _Denoised:
    """A batch whose latents are made.

    Parameters
    ----------
    pictures
        Gives the pictures, and the seconds that decoding took; None where memory ran out.
    """

    jobs: tuple[Job, ...]
    pictures: Callable[[], tuple[_Pictures] | None]
    seconds: float
    peak: int


class Drawing:
    """How one engine draws: what it has learned of its memory lasts from call to call."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._memory = Memory("cpu")
        self._batch = BatchSize(settings.batch)
        self._easing = Patience()
        # whether what was eased is to be taken back as soon as nothing is under way
        self._due = False

    @property
    def most(self) -> int:
        """Candidates that may be drawn together."""
        return self._batch.most

    def begin(self, device: str) -> None:
        """A driver was opened on a device ("cuda:1" or "cpu"), with nothing eased."""
        self._memory = Memory(device)
        self._due = False

    def batches(self, driver: PipelineDriver, jobs: Sequence[Job]) -> Generator[Drawn, None, None]:
        """Draw all jobs; those with the same LoRAs come together, so that LoRAs are seldom swapped.

        Raises
        ------
        GiveUp
            A LoRA cannot be used; everything without it was drawn first.
        TryAgain
            Memory ran out with a single candidate.
        """
        waiting, beside = _grouped(driver, jobs), list[_Denoised]()
        loaded: tuple[Lora, ...] | None = None
        fault: Exception | None = None
        refused: GiveUp | None = None
        with ThreadPoolExecutor(1) as thread:
            while waiting or beside:
                if self._due and not beside:
                    self._take_back(driver)
                    waiting = _grouped(driver, _flat(waiting))
                ready, beside, too_many = beside, [], 0
                if waiting:
                    now, rest = _split(waiting, self._batch.now)
                    overlaps = bool(rest) and not self._due and self._overlaps(driver)
                    wanted, denoised = now[0].stack, None
                    try:
                        if loaded != wanted:
                            loaded = None
                            if self._use(driver, wanted):
                                loaded = wanted
                        if loaded == wanted:
                            denoised = self._denoise(driver, now, thread if overlaps else None)
                    except GiveUp as error:
                        # a LoRA is at fault, or one of these candidates: the others come first
                        refused, waiting = refused or error, waiting[1:]
                    except Exception as error:
                        # what is being decoded is not lost for it
                        fault, waiting = error, []
                    else:
                        if denoised is None:
                            too_many = len(now)
                        else:
                            waiting = rest
                            (beside if overlaps else ready).append(denoised)
                while ready:
                    next_ = ready.pop(0)
                    made = next_.pictures()
                    if made is not None:
                        yield self._drawn(driver, next_, *made[0])
                        continue
                    waiting = [[*next_.jobs], *waiting]
                    too_many = max(too_many, len(next_.jobs))
                    # nothing may be under way when memory is made
                    ready, beside = [*ready, *beside], []
                if fault is not None:
                    raise fault
                if too_many:
                    self._make_room(driver, too_many)
                    waiting = _grouped(driver, _flat(waiting))
        if refused is not None:
            raise refused

    def _use(self, driver: PipelineDriver, stack: tuple[Lora, ...]) -> bool:
        return within_memory(lambda: driver.use_loras(stack)) is not None

    def _overlaps(self, driver: PipelineDriver) -> bool:
        asked = self._settings.overlap
        # where only the part at work is on the card, two cannot be at work
        return not driver.offloaded and (asked == "on" or (asked == "auto" and driver.device == "cuda"))

    def _denoise(
        self, driver: PipelineDriver, jobs: Sequence[Job], thread: Executor | None
    ) -> _Denoised | None:
        requests, stack = [job.request for job in jobs], jobs[0].stack
        held, free, start = self._memory.start(), self._memory.free(), time.perf_counter()
        latents = within_memory(lambda: driver.denoise(requests, stack))
        if latents is None:
            return None
        seconds, peak = time.perf_counter() - start, self._memory.peak()
        if not driver.eased:
            self._batch.learn(len(jobs), peak - held, free)

        def pictures() -> _Pictures:
            begun = time.perf_counter()
            return driver.decode(latents[0]), time.perf_counter() - begun

        def decoded() -> tuple[_Pictures] | None:
            return within_memory(pictures)

        later = decoded if thread is None else thread.submit(decoded).result
        return _Denoised(tuple(jobs), later, seconds, peak)

    def _drawn(
        self, driver: PipelineDriver, denoised: _Denoised, pictures: NDArray[np.float32], seconds: float
    ) -> Drawn:
        if driver.eased and self._easing.well():
            self._due = True
        peak = max(denoised.peak, self._memory.peak())
        return Drawn(denoised.jobs, pictures, denoised.seconds + seconds, peak)

    # memory

    def _take_back(self, driver: PipelineDriver) -> None:
        """Undo what was eased, for the memory may be there again."""
        self._due = False
        eased = ", ".join(driver.eased)
        if within_memory(driver.undo_easing) is None:
            self._easing.failed()
            driver.free_memory()
        else:
            logger.info("Engine %s: trying again without %s", self._settings.name, eased)

    def _make_room(self, driver: PipelineDriver, count: int) -> None:
        """Give something up, as `count` candidates did not fit: the batch first, then quality, then speed."""
        name = self._settings.name
        driver.free_memory()
        if count > 1:
            self._batch.halve(count)
            logger.warning("Engine %s: out of memory, batch is now %d", name, self._batch.now)
            return
        self._easing.failed()
        self._due = False
        step = within_memory(driver.ease)
        if step is None or step[0] is None:
            # none of it helped, and the next try may find memory that is free
            tried = ", ".join(driver.eased)
            if within_memory(driver.undo_easing) is None:
                driver.free_memory()
            what = "the card" if driver.device == "cuda" else "memory"
            raise TryAgain(
                f"Engine {name}: memory ran out with a single candidate at {self._settings.size} px"
                f"{f' even with {tried}' if tried else ''}; free {what}, or lower engine.size or "
                f"engine.dtype."
            )
        logger.warning("Engine %s: out of memory with a single candidate, going on with %s", name, step[0])


def _grouped(driver: PipelineDriver, jobs: Iterable[Job]) -> list[list[Job]]:
    """Jobs that may share a call; what shares its LoRAs lies together."""
    groups: dict[tuple[LoraChoice, ...], dict[Hashable, list[Job]]] = {}
    for job in jobs:
        group = groups.setdefault(job.request.loras, {})
        group.setdefault(driver.batch_key(job.request), []).append(job)
    return [some for group in groups.values() for some in group.values()]


def _split(groups: Sequence[list[Job]], count: int) -> tuple[list[Job], list[list[Job]]]:
    """The first batch, and what is left."""
    first, *others = groups
    left = first[count:]
    return first[:count], [left, *others] if left else others


def _flat(groups: Iterable[Iterable[Job]]) -> list[Job]:
    return [job for group in groups for job in group]
