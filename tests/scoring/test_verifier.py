"""The verifier of prints with its shipped weights, on strips drawn by Pillow."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from packline.errors import FixSettings
from packline.reference import Picture
from scoring import strips
from scoring.verifier import MARGIN, Verifier, padded, verifier
from tests.scoring.synthetic import FONTS, GROUND, INK, coverage

INNER = 48
EDGE = round(INNER * MARGIN / (1 - 2 * MARGIN))


def strip(
    text: str, font: str = "sans bold", ground: tuple[int, ...] = GROUND, ink: tuple[int, ...] = INK
) -> Picture:
    """A label with the margin that the verifier wants."""
    drawn = coverage(text, font)
    width = round(INNER * drawn.shape[1] / drawn.shape[0])
    cover = cv2.resize(drawn, (width, INNER), interpolation=cv2.INTER_AREA)
    cover = np.pad(cover, EDGE)[..., None]
    return np.asarray(np.array(ground) * (1 - cover) + np.array(ink) * cover, np.uint8)


def honest(picture: Picture, seed: int = 0) -> Picture:
    """The same print in other light: warmer, fading to the right, soft, grainy, a pixel beside."""
    random = np.random.default_rng(seed)
    x = np.linspace(1.1, 0.65, picture.shape[1])[None, :, None]
    out = cv2.GaussianBlur(picture, (0, 0), 0.9) * x * np.array([1.06, 1.0, 0.9])
    out = np.roll(out + random.normal(0, 2, out.shape), (1, -1), (0, 1))
    return np.asarray(np.clip(out, 0, 255), np.uint8)


@pytest.mark.parametrize("font", FONTS)
def test_a_print_is_alike_in_other_light_and_not_when_turned_mirrored_or_misspelt(font: str) -> None:
    right = strip("NORDIC", font)
    given = [honest(right)]
    given += [honest(np.asarray(strips.drawn(right, how))) for how in strips.FLAT[1:]]
    wrong = strip("NORBIC", font)
    given.append(honest(cv2.resize(wrong, right.shape[1::-1], interpolation=cv2.INTER_AREA)))
    alike = verifier().alike([right] * len(given), given)
    assert alike.dtype == np.float32 and alike[0] > 0
    assert (alike[1:] < 0).all()


def test_the_map_points_at_the_one_letter_that_is_wrong() -> None:
    right = strip("TERRA 500", "sans bold")
    wrong = right.copy()
    middle = slice(round(0.44 * right.shape[1]), round(0.54 * right.shape[1]))
    wrong[:, middle] = wrong[::-1, middle]
    (where,) = verifier().where([right], [honest(wrong)])
    assert where.shape == right.shape[:2]
    worst = int(where.max(0).argmax()) / right.shape[1]
    assert 0.40 < worst < 0.58
    assert where[:, : round(0.25 * right.shape[1])].max() < 0.5


def test_a_near_square_mark_turned_by_each_quarter_is_told_apart() -> None:
    mark = np.full((90, 90, 3), 235, np.uint8)
    cv2.fillPoly(mark, [np.array([[20, 70], [45, 15], [60, 70]])], (40, 60, 120))
    cv2.circle(mark, (66, 30), 9, (200, 60, 40), -1)
    given = [honest(np.ascontiguousarray(np.rot90(mark, k))) for k in range(4)]
    alike = verifier().alike([mark] * 4, given)
    assert alike[0] > 0 and (alike[1:] < 0).all()


def test_an_upright_strip_is_judged_as_one_that_lies() -> None:
    right, wrong = strip("LUMEN"), strip("NEMUL")
    wrong = cv2.resize(wrong, right.shape[1::-1])
    lying = verifier().alike([right, right], [honest(right), wrong])
    upright = [np.swapaxes(one, 0, 1) for one in (right, honest(right), wrong)]
    standing = verifier().compare([upright[0]] * 2, upright[1:])
    assert standing[0].alike == pytest.approx(float(lying[0]), abs=1e-3)
    assert standing[1].alike == pytest.approx(float(lying[1]), abs=1e-3)
    assert standing[0].differs.shape[0] > standing[0].differs.shape[1]


def test_a_batch_of_pairs_of_all_lengths_gives_the_answers_of_single_pairs() -> None:
    expected = [strip(text) for text in ("OK", "LUMEN", "ATLAS 12", "GRANOLA CLASSIC")]
    given = [honest(one, seed) for seed, one in enumerate(expected)]
    together = verifier().alike(expected, given)
    alone = [float(verifier().alike([a], [b])[0]) for a, b in zip(expected, given, strict=True)]
    assert together == pytest.approx(alone, abs=0.3)


def test_no_pairs_give_no_answers() -> None:
    assert verifier().alike([], []).shape == (0,)


def test_a_shorter_pair_of_a_batch_owns_only_its_own_places() -> None:
    _, inside = padded([np.ones((6, 40, 80), np.float32), np.ones((6, 40, 160), np.float32)])
    assert inside.sum((1, 2, 3)).tolist() == [5 * 10, 5 * 20]


def test_missing_weights_stop_with_a_sentence() -> None:
    with pytest.raises(FixSettings, match="missing; make them with"):
        Verifier(Path("/nowhere/verifier.safetensors"))


def test_a_file_of_other_weights_stops_with_a_sentence(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    file = tmp_path / "verifier.safetensors"
    save_file({"weight": torch.zeros(3)}, file)
    with pytest.raises(FixSettings, match="does not hold this verifier's weights"):
        Verifier(file)
