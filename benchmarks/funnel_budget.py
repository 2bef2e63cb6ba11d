"""Candidates a published picture: waves sized by the posterior against fixed ones, at equal selects.

    nice python -m benchmarks.funnel_budget [--ledger FILE ...] [--catalogs 200] [--shots 200] [--out FILE]

Real scorecards are replayed in two ways. First the ledgers' own shots, in as far as they were judged: nothing
is made up. Then many catalogs whose per-shot pass rates are drawn from a Beta distribution, with its mean and
likeness drawn from their posterior over the ledgers' shots (with the prior of `packline.pass_rates`), so that
what few shots leave uncertain is in the intervals; and catalogs of stated means and likenesses. Both ways of
sizing see the same candidates of the same shots in the same order. The adaptive one knows nothing of a
catalog at first and learns from its own scorecards alone, wave by wave, as the line does in a first run.

Equal selects: adaptive waves are run at several values of `candidates.worth`. Over all catalogs that gives a
curve of candidates by selects, which is read where the fixed waves' selects are; intervals are a bootstrap's
over catalogs. "as set" is the default worth, whatever it publishes. Other rungs of the ladder are left out:
every wave asks for new seeds. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from packline.pass_rates import _LIKENESS, _MEANS, Group, PassRates, Seen, _log_likelihood, wave_size

WORTHS = (
    1.5,
    2.2,
    3.3,
    4.7,
    6.8,
    10.0,
    13.0,
    16.0,
    20.0,
    25.0,
    32.0,
    40.0,
    47.0,
    56.0,
    68.0,
    82.0,
    100.0,
    200.0,
)
DEFAULT = 20.0
WAVES, LARGEST, SURE = 4, 4, 0.8
_MOST = WAVES * LARGEST
_GROUP = Group("", "", "engine")
Outcomes = NDArray[np.bool_]
"""Whether each candidate of each shot passes, shape (shots, candidates)."""


class MeanAndLikeness(NamedTuple):
    """Of a Beta distribution of pass rates."""

    mean: float
    alike: float


@dataclass(frozen=True)
class Sum:
    """What a way of sizing came to on a catalog."""

    candidates: int
    selects: int


@dataclass(frozen=True)
class Finding:
    """A comparison over many catalogs.

    Parameters
    ----------
    rule
        The fixed way: waves x candidates.
    fixed, adaptive
        Candidates a published picture, the adaptive way at the fixed one's selects.
    saved
        Share of the fixed way's candidates that the adaptive one does not make at equal selects: mean, and
        the bounds of 95 %.
    usual
        Share saved, and selects as a share of the fixed way's, at the default `candidates.worth`.
    """

    name: str
    rule: str
    catalogs: int
    fixed: float
    adaptive: float
    saved: tuple[float, float, float]
    usual: tuple[float, float]


def judged(files: Sequence[Path]) -> list[list[bool]]:
    """Of each shot in some ledgers, whether its candidates passed, in their order."""
    shots: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for file in files:
        with sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True) as connection:
            rows = connection.execute(
                "SELECT c.shot, c.fingerprint, (SELECT passed FROM scorecards s WHERE s.candidate = c.id "
                "ORDER BY s.id DESC LIMIT 1) AS passed FROM candidates c ORDER BY c.shot, c.number"
            )
            for shot, fingerprint, passed in rows:
                if passed is not None:
                    shots[str(file), shot, fingerprint].append(bool(passed))
    return list(shots.values())


def tallied(shots: Sequence[Sequence[bool]]) -> tuple[Seen, ...]:
    """Counts as the ledger keeps them."""
    found: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
    for shot in shots:
        passes = 0
        for number, passed in enumerate(shot):
            cell = found[passes, number - passes]
            cell[0] += 1
            cell[1] += passed
            passes += passed
    return tuple(Seen(k, f, n, p) for (k, f), (n, p) in sorted(found.items()))


def fixed(outcomes: Outcomes, wave: int, waves: int) -> Sum:
    """Waves of one size, until a shot has a candidate that passed."""
    candidates = selects = 0
    for shot in outcomes:
        for number in range(waves):
            candidates += wave
            if shot[number * wave : (number + 1) * wave].any():
                selects += 1
                break
    return Sum(candidates, selects)


def adaptive(outcomes: Outcomes, worth: float, known: Sequence[Sequence[bool]] = ()) -> Sum:
    """Waves as the line sizes them, all shots of a catalog side by side.

    Parameters
    ----------
    known
        Shots of another catalog that was run before.
    """
    made: list[list[bool]] = [[] for _ in outcomes]
    waiting = list(range(len(outcomes)))
    for number in range(WAVES):
        cells = tallied([*made, *known])
        rates = PassRates({_GROUP: cells}, {("engine", ""): cells} if cells else {})
        left = []
        for shot in waiting:
            size = wave_size(
                rates.of(_GROUP, made[shot]), 1, sure=SURE, worth=worth, most=LARGEST, waves=WAVES - number
            )
            size = max(size, int(number == 0))
            start = len(made[shot])
            made[shot] += outcomes[shot, start : start + size].tolist()
            if size and not any(made[shot]):
                left.append(shot)
        waiting = left
    return Sum(sum(map(len, made)), sum(map(any, made)))


def rates_like(cells: tuple[Seen, ...], rng: np.random.Generator) -> tuple[float, float]:
    """A mean and a likeness from their posterior."""
    mean, alike = _MEANS[:, None], _LIKENESS[None]
    weight = np.log(mean * (1 - mean)) - 0.25 * np.log(alike) + _log_likelihood(cells, mean, alike)
    weight = np.exp(weight - weight.max()).ravel()
    place = rng.choice(weight.size, p=weight / weight.sum())
    row, column = np.unravel_index(place, (len(_MEANS), len(_LIKENESS)))
    return float(_MEANS[row]), float(_LIKENESS[column])


def catalogs(
    how: tuple[Seen, ...] | MeanAndLikeness, count: int, shots: int, rng: np.random.Generator
) -> Iterator[Outcomes]:
    """Catalogs of shots with rates as the ledgers' shots tell, or with a given mean and likeness."""
    for _ in range(count):
        mean, alike = how if isinstance(how, MeanAndLikeness) else rates_like(how, rng)
        rates = rng.beta(max(mean * alike, 1e-3), max((1 - mean) * alike, 1e-3), shots)
        yield rng.random((shots, _MOST)) < rates[:, None]


def compare(name: str, some: Sequence[Outcomes], wave: int, waves: int, found: NDArray[np.int64]) -> Finding:
    """Both ways over some catalogs, at equal selects.

    Parameters
    ----------
    found
        What the adaptive way came to, shape (worths, catalogs, 2): candidates and selects.
    """
    plain = np.array([(one.candidates, one.selects) for one in (fixed(o, wave, waves) for o in some)])
    rng = np.random.default_rng(0)
    drawn = [np.arange(len(some)), *(rng.integers(0, len(some), len(some)) for _ in range(500))]
    saved = [1 - at_equal(found[:, few].sum(1), plain[few].sum(0)) / plain[few, 0].sum() for few in drawn]
    candidates, selects = plain.sum(0)
    default = found[WORTHS.index(DEFAULT)].sum(0)
    return Finding(
        name,
        f"{waves} x {wave}",
        len(some),
        round(candidates / selects, 3),
        round((1 - saved[0]) * candidates / selects, 3),
        (round(saved[0], 3), *(round(float(one), 3) for one in np.percentile(saved[1:], (2.5, 97.5)))),
        (round(1 - default[0] / candidates, 3), round(default[1] / selects, 3)),
    )


def at_equal(found: NDArray[np.int64], plain: NDArray[np.int64]) -> float:
    """Candidates of the adaptive way where it publishes as much as the fixed one."""
    order = np.argsort(found[:, 1])
    return float(np.interp(plain[1], found[order, 1], found[order, 0]))


def replay(shots: Sequence[Sequence[bool]], worth: float, known: Sequence[Sequence[bool]]) -> Sum:
    """The ledgers' own shots: a candidate that was never made counts as one that fails."""
    outcomes = np.zeros((len(shots), _MOST), bool)
    for number, shot in enumerate(shots):
        outcomes[number, : len(shot)] = shot
    return adaptive(outcomes, worth, known)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--ledger", type=Path, nargs="*", default=[Path("work/ledger.db")], help="SQLite files"
    )
    parser.add_argument("--catalogs", type=int, default=60)
    parser.add_argument("--shots", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    shots = judged(given.ledger)
    cells = tallied(shots)
    rate = PassRates({}, {("engine", ""): cells}).of(_GROUP)
    print(
        f"{len(shots)} shots, {sum(map(len, shots))} candidates, {sum(map(sum, shots))} passed; mean "
        f"{rate.mean:.2f}, likeness {rate.passing + rate.failing:.2f}"
    )
    made, passed = sum(map(len, shots)), sum(map(any, shots))
    replays = {}
    for words, known in (("first run", []), ("run before", shots)):
        one = replay(shots, DEFAULT, known)
        replays[words] = asdict(one)
        print(
            f"replayed, {words}: {made} -> {one.candidates} candidates for {passed} -> {one.selects} "
            f"pictures, {1 - one.candidates / made:.0%} fewer"
        )
    kinds: list[tuple[str, tuple[Seen, ...] | MeanAndLikeness]] = [
        ("as the ledger's shots", cells),
        ("weak model (mean 0.25, likeness 0.3)", MeanAndLikeness(0.25, 0.3)),
        ("fair model (mean 0.5, likeness 1)", MeanAndLikeness(0.5, 1.0)),
        ("good model (mean 0.8, likeness 2)", MeanAndLikeness(0.8, 2.0)),
        ("shots alike (mean 0.5, likeness 20)", MeanAndLikeness(0.5, 20.0)),
    ]
    findings = []
    for name, how in kinds:
        some = list(catalogs(how, given.catalogs, given.shots, rng))
        sums = [[adaptive(outcomes, worth) for outcomes in some] for worth in WORTHS]
        found = np.array([[(one.candidates, one.selects) for one in row] for row in sums])
        for wave, waves in ((2, 2), (4, 1)):
            finding = compare(name, some, wave, waves, found)
            findings.append(finding)
            saved, usual = finding.saved, finding.usual
            print(
                f"{name:38} {finding.rule}: {finding.fixed:.2f} -> {finding.adaptive:.2f} candidates a "
                f"picture, {saved[0]:.0%} fewer ({saved[1]:.0%} to {saved[2]:.0%}); as set {usual[0]:.0%} "
                f"fewer with {usual[1]:.0%} of the selects"
            )
    if given.out:
        told = {"shots": len(shots), "cells": [asdict(one) for one in cells], "replays": replays}
        given.out.write_text(json.dumps({**told, "findings": [asdict(one) for one in findings]}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
