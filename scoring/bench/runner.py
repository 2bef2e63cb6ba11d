"""Runs the bench: makes specimens and scores them at once, shard by shard, in several processes.

Pictures are never kept but for a few small ones of what was judged wrongly. A shard is a handful of takes;
it is written whole or not at all, so a run that was killed goes on where it stopped. The last shard of a run
may hold fewer takes; where a later one asks for more, it is made anew, since takes lend each other products.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from packline import progress
from packline.errors import FixSettings
from packline.scorecard import Scorecard
from scoring.bench.specimen import Specimen

#: Takes of a shard; they lend each other wrong products and backgrounds.
SHARD = 4
#: Specimens that are scored together, as the line does.
CHUNK = 8
STATION = "bench"

_LOOK = 192  # pixels of a wrongly judged specimen's picture


@dataclass(frozen=True)
class Order:
    """What is to be run.

    Parameters
    ----------
    split
        "calibration" or "test".
    takes
        Products in scenes.
    good, bad
        Specimens of each take.
    size
        Pixels on a picture's longer side.
    seed
        Another seed, other specimens.
    tables
        The checks' settings as in a settings file (`scoring.settings.read_settings`); empty: the defaults.
    foreign
        How far all pictures are drawn as another renderer would, 0 to 1 (`scoring.bench.renderers`). None:
        one of four is, as `scoring.bench.nuisances.draw_nuisance` says.
    """

    split: str = "test"
    takes: int = 200
    good: int = 15
    bad: int = 15
    size: int = 512
    seed: int = 0
    tables: Mapping[str, Any] = field(default_factory=dict)
    foreign: float | None = None

    @property
    def shards(self) -> int:
        """How many shards that makes."""
        return -(-self.takes // SHARD)

    def takes_of(self, shard: int) -> int:
        """How many takes a shard has."""
        return min(SHARD, self.takes - shard * SHARD)

    def facts(self) -> dict[str, Any]:
        """All that a shard's rows depend on, but for code that changed without its version."""
        from scoring.settings import read_settings

        told = asdict(replace(self, takes=0))
        return {**told, "tables": read_settings(self.tables).to_dict()}


def run(order: Order, out: Path, workers: int = 2) -> pd.DataFrame:
    """Run what of an order is not done yet.

    Parameters
    ----------
    out
        Folder for the shards; made if it is not there.
    workers
        Processes; 1 runs in this one.

    Returns
    -------
    pandas.DataFrame
        `scoring.bench.table.read_scores` of the folder.

    Raises
    ------
    FixSettings
        Where the folder holds another run's shards.
    """
    from scoring.bench.table import read_scores

    out.mkdir(parents=True, exist_ok=True)
    _sign(order, out)
    todo = [shard for shard in range(order.shards) if _held(out, shard) < order.takes_of(shard)]
    each = order.good + order.bad
    progress.started(STATION, sum(order.takes_of(shard) for shard in range(order.shards)) * each)
    for shard in range(order.shards):
        if shard not in todo:
            progress.advanced(STATION, order.takes_of(shard) * each)
    for shard in _worked(order, todo, out, workers):
        progress.advanced(STATION, order.takes_of(shard) * each)
    progress.finished(STATION)
    return read_scores(out)


def _worked(order: Order, todo: Sequence[int], out: Path, workers: int) -> Iterator[int]:
    if workers <= 1:
        for shard in todo:
            work(order, shard, out)
            yield shard
        return
    # fresh interpreters: a renderer and torch's threads do not survive a fork
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_alone)
    with pool:
        waiting = {pool.submit(work, order, shard, out): shard for shard in todo}
        try:
            for done in as_completed(waiting):
                done.result()
                yield waiting[done]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def work(order: Order, shard: int, out: Path) -> None:
    """Make, score and write one shard."""
    from scoring.policy import score
    from scoring.settings import read_settings

    settings = read_settings(order.tables)
    rows: list[dict[str, Any]] = []
    looks: list[dict[str, Any]] = []
    for chunk in chunks(specimens(order, shard)):
        cards = score([one.given for one in chunk], settings)
        for one, card in zip(chunk, cards, strict=True):
            rows += rows_of(one, card, shard)
            if card.passed == (one.defect is not None):
                looks.append(_look(one, card))
    _write(pd.DataFrame(looks, columns=["specimen", "jpeg"]), out / "looks" / f"{shard:05d}.parquet")
    # last, so that a shard that is there is whole
    _write(pd.DataFrame(rows), _file(out, shard))


def specimens(order: Order, shard: int) -> Iterator[Specimen]:
    """A shard's specimens, one after the other; the order and the shard decide every pixel."""
    from scoring.bench.good import good_specimens
    from scoring.bench.takes import takes

    together = tuple(takes(order.split, order.size, order.takes_of(shard), seed=order.seed * 10_000 + shard))
    for number, take in enumerate(together):
        rng = np.random.default_rng([29, order.seed, shard, number])
        yield from good_specimens(take, rng, order.good, order.foreign)
        yield from _bad(order, shard * SHARD + number, together, number)


def _bad(order: Order, place: int, together: Sequence[Any], number: int) -> Iterator[Specimen]:
    """Specimens of one take that are wrong: each take goes on where the one before it stopped."""
    from scoring.bench.defects import RECIPES, Sitting, spoil
    from scoring.bench.nuisances import draw_nuisance

    entries = [index for index, recipe in enumerate(RECIPES) for _ in range(recipe.often)]
    entries = list(np.random.default_rng([31, order.seed]).permutation(entries))
    start = place * order.bad
    made, sitting = 0, None
    for step in range(len(entries)):
        if made == order.bad:
            return
        index = int(entries[(start + step) % len(entries)])
        rng = np.random.default_rng([37, order.seed, place, step])
        if sitting is None:
            nuisance = draw_nuisance(rng, order.size, foreign=order.foreign)
            sitting = Sitting(together[number], nuisance, rng, tuple(together))
        specimen = spoil(sitting.with_rng(rng), RECIPES[index], f"bad-{made:03d}")
        if specimen is None:
            continue
        made += 1
        # three of a nuisance: an honest picture beside each would take a third of all time
        if made % 3 == 0:
            sitting = None
        yield specimen


def rows_of(specimen: Specimen, card: Scorecard, shard: int) -> Iterator[dict[str, Any]]:
    """One row a check, in the columns of `scoring.bench.table.read_scores`."""
    defect = specimen.defect
    about = {
        "specimen": specimen.id,
        "product": specimen.product,
        "scene": specimen.scene,
        "side": specimen.side,
        "shard": shard,
        "kind": defect.kind if defect else None,
        "strength": defect.strength if defect else None,
        "defect_check": defect.check if defect else None,
        "plain": bool(defect.plain) if defect else None,
        "share": float(defect.where.mean()) if defect and defect.where is not None else None,
        "nuisance": json.dumps(specimen.nuisance),
        "passed": card.passed,
    }
    for result in card.results:
        yield {
            **about,
            "check": result.check,
            "version": result.version,
            "verdict": str(result.verdict),
            "let_pass": result.let_pass,
            "unsure": result.unsure,
            "score": result.score,
            "threshold": result.threshold,
            "milliseconds": result.milliseconds,
            "sentence": result.sentence,
            "measures": json.dumps(result.measures),
        }


def _look(specimen: Specimen, card: Scorecard) -> dict[str, Any]:
    """A small picture of what was judged wrongly, the product large."""
    left, top, right, bottom = specimen.given.box
    pad = max(8, (right - left + bottom - top) // 12)
    picture = specimen.given.candidate
    if specimen.defect is None or specimen.defect.check not in ("scene_kept", "placement", "artifacts"):
        picture = picture[max(0, top - pad) : bottom + pad, max(0, left - pad) : right + pad]
    factor = _LOOK / max(picture.shape[:2])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=how)
    _, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    return {"specimen": specimen.id, "jpeg": data.tobytes()}


def chunks(all_of_them: Iterator[Specimen]) -> Iterator[list[Specimen]]:
    chunk: list[Specimen] = []
    for one in all_of_them:
        chunk.append(one)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _held(out: Path, shard: int) -> int:
    """Takes of which a shard's scores are there: each has a product of its own."""
    file = _file(out, shard)
    return pd.read_parquet(file, columns=["product"])["product"].nunique() if file.exists() else 0


def _file(out: Path, shard: int) -> Path:
    return out / f"scores-{shard:05d}.parquet"


def _write(frame: pd.DataFrame, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    frame.to_parquet(part)
    part.rename(file)


def _sign(order: Order, out: Path) -> None:
    """Note what the folder is for; refuse one that is for something else."""
    note, facts = out / "order.json", json.loads(json.dumps(order.facts()))
    told = json.loads(note.read_text()) if note.exists() else facts
    if {**told, "takes": 0} != facts:
        raise FixSettings(
            f"{out} holds scores of another split, size, seed, settings or versions of the checks; name "
            "another folder with --out or delete this one."
        )
    # more takes are the same run, gone on with; fewer leave those that are there
    note.write_text(json.dumps({**facts, "takes": max(order.takes, told["takes"])}, indent=1))


def _alone() -> None:
    """A worker keeps to its core: threads of several processes on a few cores wait for each other."""
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    import torch

    torch.set_num_threads(1)
