from __future__ import annotations

import json

import numpy as np

from packline.editing.variation import vary
from packline.scenes import Place

PLACE = Place((0.0, 0.0, 0.0), 0.0, (0.3, 0.3), shift=0.02, turn=8.0, scale=0.05)


def numbers(seed, count=64):
    found = [vary(PLACE, seed, number) for number in range(1, count + 1)]
    return np.array([[*each["shift"], each["turn"], each["scale"] - 1] for each in found])


def test_the_first_candidate_is_exactly_as_asked():
    assert vary(PLACE, 5, 0) == {"shift": [0.0, 0.0], "turn": 0.0, "scale": 1.0}


def test_candidates_stay_within_what_the_scene_allows_and_use_all_of_it():
    limits = np.array([0.02, 0.02, 8.0, 0.05])
    strays = numbers(3) / limits
    assert np.abs(strays).max() <= 1 + 1e-9
    # spread evenly: each eighth of the range is visited by about an eighth of 64 candidates
    for column in strays.T:
        counts, _ = np.histogram(column, bins=8, range=(-1, 1))
        assert 4 <= counts.min() <= counts.max() <= 12


def test_no_two_candidates_of_a_shot_are_alike():
    strays = numbers(3) / np.array([0.02, 0.02, 8.0, 0.05])
    apart = np.abs(strays[:, None] - strays[None]).max(-1) + np.eye(len(strays))
    assert apart.min() > 0.1


def test_the_seed_decides_and_the_result_can_be_stored():
    assert np.array_equal(numbers(3), numbers(3))
    assert np.abs(numbers(3) - numbers(4)).max() > 0.01
    assert json.loads(json.dumps(vary(PLACE, 1, 2))) == vary(PLACE, 1, 2)


def test_a_scene_that_allows_nothing_gets_nothing():
    fixed = Place((0.0, 0.0, 0.0), 0.0, (0.3, 0.3), shift=0, turn=0, scale=0)
    assert vary(fixed, 1, 3) == vary(fixed, 1, 0)
