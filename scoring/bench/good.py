"""Good specimens: honest pictures of the true product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

from scoring.bench.nuisances import draw_nuisance, finish
from scoring.bench.specimen import Specimen
from scoring.bench.takes import Take
from scoring.check import CheckInput


def good_specimens(
    take: Take, rng: np.random.Generator, count: int, foreign: float | None = None
) -> Iterator[Specimen]:
    """Candidates of a take in which nothing is wrong; each strays in its own way (`draw_nuisance`)."""
    for number in range(count):
        nuisance = draw_nuisance(rng, take.size, foreign=foreign)
        photograph = take.photograph(nuisance)
        yield Specimen(
            id=f"{take.product}/good-{number:03d}",
            product=take.product,
            scene=take.scene.name,
            side=take.side,
            given=CheckInput(finish(photograph.picture, nuisance), take.photo, take.truth, words=take.words),
            nuisance=asdict(nuisance),
        )
