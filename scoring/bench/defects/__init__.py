"""Defects: what is done to a candidate on purpose, each at several strengths.

Wherever it can be, the 3D model is altered and photographed again in the same pose and light, so that nothing
but the defect gives it away; the rest is painted into the picture. What nobody could see is no defect: a
recipe answers None then.
"""

from __future__ import annotations

from scoring.bench.defects.recipes import RECIPES, Recipe, spoil
from scoring.bench.defects.sitting import Altered, Sitting

__all__ = ["RECIPES", "Altered", "Recipe", "Sitting", "spoil"]
