"""Base photos without a camera: path-traced sets with procedural surfaces, and the light measured in them."""

from training.scenes.light import fit_light, light_words, measure
from training.scenes.photo import render
from training.scenes.record import scene_file
from training.scenes.spec import SceneSpec, random_spec

__all__ = ["SceneSpec", "fit_light", "light_words", "measure", "random_spec", "render", "scene_file"]
