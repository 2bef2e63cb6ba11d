from __future__ import annotations

import json

import numpy as np
import pytest

from packline.editing.variation import AS_ASKED, LORA_STEPS, TOGETHER, strayed_strength, vary
from packline.scenes import Light, Place

PLACE = Place((0.0, 0.0, 0.0), 0.0, (0.3, 0.3), shift=0.02, turn=8.0, scale=0.05)


LIMITS = np.array([0.02, 0.02, 8.0, 0.05, 4.0, 3.0, 0.2, 0.04])


def numbers(seed, count=64):
    found = [vary(PLACE, seed, number) for number in range(1, count + 1)]
    factors = ("scale", "light_size", "exposure")
    plain = ({**each, **{name: each[name] - 1 for name in factors}} for each in found)
    return np.array(
        [
            [*each.pop("shift"), *(each[name] for name in AS_ASKED if name in each and name != "lora")]
            for each in plain
        ]
    )


def test_the_first_candidate_is_exactly_as_asked():
    assert vary(PLACE, 5, 0) == AS_ASKED
    assert AS_ASKED["shift"] == [0.0, 0.0]
    assert {AS_ASKED[name] for name in ("turn", "light_turn", "light_height")} == {0.0}
    assert {AS_ASKED[name] for name in ("scale", "light_size", "exposure", "lora")} == {1.0}


def test_the_first_candidate_of_a_further_picture_strays_already():
    first = vary(PLACE, 5, 0, further=True)
    assert first["turn"] != 0 and first["lora"] == 1.0
    assert vary(PLACE, 5, 3, further=True) == vary(PLACE, 5, 3)


def test_candidates_stay_within_what_the_scene_allows_and_use_all_of_it():
    strays = numbers(3) / LIMITS
    assert np.abs(strays).max() <= 1 + 1e-9
    # spread evenly: each eighth of the range is visited by about an eighth of 64 candidates
    for column in strays.T:
        counts, _ = np.histogram(column, bins=8, range=(-1, 1))
        assert 4 <= counts.min() <= counts.max() <= 12


def test_no_two_candidates_of_a_shot_are_alike():
    strays = numbers(3) / LIMITS
    apart = np.abs(strays[:, None] - strays[None]).max(-1) + np.eye(len(strays))
    assert apart.min() > 0.1


def test_the_seed_decides_and_the_result_can_be_stored():
    assert np.array_equal(numbers(3), numbers(3))
    assert np.abs(numbers(3) - numbers(4)).max() > 0.01
    assert json.loads(json.dumps(vary(PLACE, 1, 2))) == vary(PLACE, 1, 2)


def test_a_scene_that_allows_nothing_gets_nothing():
    nothing = dict.fromkeys(("shift", "turn", "scale", "light_turn", "light_height", "light_size"), 0)
    fixed = Place((0.0, 0.0, 0.0), 0.0, (0.3, 0.3), **nothing, exposure=0)
    assert {**vary(fixed, 1, 3), "lora": 1.0} == AS_ASKED


def test_a_loras_strength_strays_in_steps_that_the_shots_of_a_wave_share():
    def factors(seed):
        return [vary(PLACE, seed, number)["lora"] for number in range(4 * TOGETHER)]

    # the demo's waves are as large as this
    assert factors(3)[:TOGETHER] == [1.0] * TOGETHER
    assert factors(3) == factors(4), "candidates of many shots go into one batch"
    assert {tuple(factors(3)[at : at + TOGETHER]) for at in range(0, 4 * TOGETHER, TOGETHER)} == {
        (factor,) * TOGETHER for factor in LORA_STEPS
    }


def test_a_loras_strength_stays_within_its_range_and_off_stays_off():
    strong = {"lora": max(LORA_STEPS)}
    assert strayed_strength(0.8, strong) == pytest.approx(0.88)
    assert (strayed_strength(1.9, strong), strayed_strength(0.0, strong)) == (2.0, 0.0)
    assert strayed_strength(0.8, AS_ASKED) == 0.8


def test_light_strays_about_the_vertical_and_up_and_stays_above_the_ground():
    light = Light((0.6, 0.48, 0.64), (1.0, 0.9, 0.8), (0.3,) * 3, (0.2,) * 3, key_size=10.0)
    same = light.strayed()
    assert same.key_direction == pytest.approx(light.key_direction)
    assert (same.key_colour, same.key_size) == (light.key_colour, light.key_size)
    turned = light.strayed(turn=90.0).key_direction
    assert turned == pytest.approx((0.64, 0.48, -0.6))
    raised = light.strayed(height=10.0).key_direction
    assert np.degrees(np.arcsin(raised[1]) - np.arcsin(0.48)) == pytest.approx(10)
    assert np.linalg.norm(raised) == pytest.approx(1)
    assert light.strayed(height=-80.0).key_direction[1] == pytest.approx(np.sin(np.radians(5)))
    dimmed = light.strayed(size=1.5, exposure=0.5)
    assert dimmed.key_colour == (0.5, 0.45, 0.4) and dimmed.key_size == 15
