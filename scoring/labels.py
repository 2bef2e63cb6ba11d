"""A label in a candidate: how it looks, compares and reads under every hypothesis, and that in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.reference import Picture
from scoring import strips
from scoring.label_prints import READABLE, Print, similarity
from scoring.recogniser import Reading
from scoring.strips import KEEP, Match
from scoring.text_partial import Glimpse
from scoring.text_score import MEASURES
from scoring.verifier import Likeness

# the least log likelihood a letter that is told apart from other impossible ones
IMPOSSIBLE = -6.0


@dataclass(frozen=True)
class Seen:
    """One label in one candidate.

    Parameters
    ----------
    print
        How the 3D model prints it.
    strip
        The candidate's label unrolled, margins included, RGB uint8 (H, W, 3).
    crop
        The same cut to where the label was found.
    matches, likeness, readings
        What matching, the verifier and the recogniser say, by hypothesis; of those that were asked.
    crossed
        Strips laid across the label, for a long one turned by 90 degrees, the right way up.
    quad
        Where the label lies in the candidate, pixels.
    glimpse
        How the part in view looks, of a label that is mostly out of view; None where that says nothing.
    """

    print: Print
    strip: Picture = field(repr=False)
    crop: Picture = field(repr=False)
    matches: dict[str, Match]
    likeness: dict[str, Likeness]
    readings: dict[str, Reading]
    crossed: dict[str, Picture] = field(repr=False)
    quad: tuple[tuple[float, float], ...]
    glimpse: Glimpse | None = None

    @property
    def right(self) -> str:
        """The hypothesis that counts as right under which the label looks most as it should."""
        return max(self.print.same, key=lambda how: self.matches[how].correlation)

    @property
    def right_look(self) -> float:
        """Correlation with the render, the right way round."""
        return self.matches[self.right].correlation

    @property
    def wrong_look(self) -> float:
        """Correlation with the render, the best of the wrong ways round."""
        wrong = (match.correlation for how, match in self.matches.items() if how not in self.print.same)
        return max(wrong, default=-1.0)

    @property
    def alike(self) -> Likeness:
        """The verifier's word on the label the right way round."""
        asked = [self.likeness[how] for how in self.print.same if how in self.likeness]
        return max(asked, key=lambda likeness: likeness.alike)

    def heard(self, how: str) -> float:
        """Log likelihood a letter that the recogniser gives a hypothesis; `KEEP`'s where it cannot tell."""
        label = self.print
        if not label.readable or KEEP not in self.readings:
            return 0.0
        # what it cannot tell from the truth on the render itself is left to the look
        confused = how in label.turned and label.turned[how].likelihood > READABLE
        reading = self.readings[KEEP if confused or how not in self.readings else how]
        return max(reading.likelihood, IMPOSSIBLE)

    @property
    def direction(self) -> str:
        """The way round that the label is most likely drawn, the right one included as `KEEP`."""
        best, most = KEEP, -np.inf
        for how, match in self.matches.items():
            if how in self.print.same and how != self.right:
                continue
            value = 8.0 * match.correlation + self.heard(KEEP if how in self.print.same else how)
            if how in self.readings and self.print.readable:
                # a wrong word the right way round still reads nearly as it should
                value += 4.0 * similarity(self.readings[how].text, self.print.text)
            if how in self.likeness:
                value += 0.5 * float(np.clip(self.likeness[how].alike, -8, 8))
            if value > most:
                best, most = (KEEP if how in self.print.same else how), value
        return best

    @property
    def ink(self) -> float:
        """How much of the render's local contrast along ink and ground is left, 0 is none."""
        own, given = (
            _spread(strips.core(one, 0.0), self.print.axis) for one in (self.print.strip, self.strip)
        )
        return given / max(own, 1e-3)


def _spread(picture: Picture, axis: NDArray[np.float32]) -> float:
    values = picture.astype(np.float32) @ axis
    rest = values - cv2.GaussianBlur(values, (0, 0), 0.6 * strips.HEIGHT)
    low, high = np.percentile(rest, (4, 96))
    return float(high - low)


def measures_of(labels: Sequence[Seen]) -> NDArray[np.float64]:
    """What is known of labels as numbers, float64 (N, M), in the order of `text_score.MEASURES`."""
    rows = [_measured(one) for one in labels]
    return np.array([[row[name] for name in MEASURES] for row in rows], np.float64).reshape(-1, len(MEASURES))


def _measured(seen: Seen) -> dict[str, float]:
    label = seen.print
    likeness, match = seen.alike, seen.matches[seen.right]
    own, reading = label.own, seen.readings.get(KEEP)
    heard = letter = surplus = heard_margin = 0.0
    if label.readable and own is not None and reading is not None:
        heard = min(0.0, reading.likelihood - min(own.likelihood, 0.0))
        against = np.array(reading.letters) - np.minimum(np.array(own.letters), 0.0)
        letter = float(min(against.min(initial=0.0), 0.0))
        # every letter may be there and one too many besides: then the whole is less likely than its letters
        spare, own_spare = (
            one.likelihood * len(one.letters) - float(np.sum(one.letters)) for one in (reading, own)
        )
        surplus = min(0.0, spare - min(own_spare, 0.0))
        others = [seen.heard(how) for how in seen.readings if how not in label.same]
        heard_margin = seen.heard(KEEP) - max(others) if others else 4.0
    return {
        "alike": likeness.alike,
        "worst_place": -likeness.worst,
        "look": match.correlation,
        "weakest": match.weakest,
        "margin": seen.right_look - seen.wrong_look,
        "heard": heard,
        "letter": letter,
        "surplus": surplus,
        "heard_margin": heard_margin,
        "readable": float(label.readable),
        "height": float(np.log(max(label.truth.height, 1.0))),
        "letters": float(len((label.truth.visible_text or label.truth.text).replace(" ", ""))),
        "self_look": max((label.looks[how] for how in label.others), default=-0.2),
    }
