"""How candidates of a shot differ on purpose.

With an aligned render as a reference, seeds alone change almost nothing (0.9 of 255, measured), so the best
of several would be all the same. Each candidate asks for a slightly different placement instead, within what
the scene allows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from packline.scenes import Place

# Roberts' additive recurrence in 4 dimensions spreads any number of points evenly: powers of 1 over the root
# of x^5 = x + 1 (http://extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences)
_STEPS = 1.1673039782614187 ** -np.arange(1.0, 5.0)


def vary(place: Place, seed: int, number: int) -> dict[str, Any]:
    """The placement that candidate `number` of a shot asks for.

    Parameters
    ----------
    place
        With the tolerances shift (metres), turn (degrees), scale (share).
    seed
        The shot's seed; equal seeds stray equally.
    number
        Counts the shot's candidates over all waves; 0 is exactly as asked.

    Returns
    -------
    ``{"shift": [x, z] metres, "turn": degrees, "scale": factor}``.
    """
    if number == 0:
        return {"shift": [0.0, 0.0], "turn": 0.0, "scale": 1.0}
    start = np.random.default_rng(seed).random(4)
    x, z, turn, scale = ((start + number * _STEPS) % 1.0) * 2 - 1
    return {
        "shift": [round(float(x) * place.shift, 5), round(float(z) * place.shift, 5)],
        "turn": round(float(turn) * place.turn, 3),
        "scale": round(1 + float(scale) * place.scale, 5),
    }
