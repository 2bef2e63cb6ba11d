"""How another renderer, or an image model, may draw the same product in the same light.

The stage's own shading is one idea of what surfaces do. three.js, a path tracer and a diffusion model each
have theirs: they mirror another room, hold plastic for glossier or duller, deepen the contrast, believe in
more colour. None of that is a defect. A check that has only ever seen the stage's own shading takes all of it
for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from packline.camera import Camera
from packline.scenes import Light
from packline.stage.lighting import shade
from packline.stage.model import Floats, GBuffer
from packline.stage.self_shadow import Visibility

Lit = Callable[[GBuffer], Floats]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
# what of white light a surface that is no metal mirrors straight on
_DIELECTRIC = 0.04
# linear luminance that contrast leaves alone: a grey card's
_MIDDLE = 0.18


@dataclass(frozen=True)
class Renderer:
    """Another idea of a product's surfaces. The stage's own by default.

    Parameters
    ----------
    gloss
        Factor of the roughness of all materials.
    mirrored
        How much of what surfaces mirror is of `room` instead of the scene's own light, 0 to 1.
    room
        The light of the room that is mirrored.
    contrast
        Exponent of the developed light about a grey card's.
    colourful
        Factor of the distance to grey.
    toe
        Linear light that a tone curve swallows of each channel where it is bright, and more than its share
        where it is dark: blacks are deeper and colours purer. A grey card stays as it is.
    """

    gloss: float = 1.0
    mirrored: float = 0.0
    room: Light | None = None
    contrast: float = 1.0
    colourful: float = 1.0
    toe: float = 0.0

    def lit(
        self, layer: GBuffer, camera: Camera, light: Light, ground: float, visibility: Visibility
    ) -> Floats:
        """Light a G-buffer as `packline.stage.lighting.shade` does, with these surfaces.

        Returns
        -------
        float32 (H, W, 3)
            Linear RGB, not premultiplied.
        """
        layer = replace(layer, roughness=np.clip(layer.roughness * np.float32(self.gloss), 0, 1))
        colour = shade(layer, camera, light, ground, visibility)
        if self.room is not None and self.mirrored > 0:
            # all that a surface mirrors, and nothing else: that of a metal of the colour of its highlights
            metal = layer.metallic[..., None]
            mirror = replace(
                layer,
                albedo=np.asarray(_DIELECTRIC * (1 - metal) + layer.albedo * metal, np.float32),
                metallic=np.ones_like(layer.metallic),
                unlit=np.zeros_like(layer.unlit),
                emissive=np.zeros_like(layer.emissive),
            )
            own, other = (shade(mirror, camera, one, ground, visibility) for one in (light, self.room))
            lit = 1 - layer.unlit[..., None]
            colour = np.maximum(colour + np.float32(self.mirrored) * (other - own) * lit, 0)
        return self._developed(colour)

    def _developed(self, colour: Floats) -> Floats:
        if self.toe > 0:
            t = np.float32(self.toe)
            colour = np.maximum(colour, 0)
            # under t it is a parabola, far above it x - t; then exposed anew for the grey card
            colour = colour * colour / (colour + t) * np.float32((_MIDDLE + self.toe) / _MIDDLE)
        if self.contrast == 1 and self.colourful == 1:
            return np.asarray(colour, np.float32)
        grey = (colour @ _LUMINANCE)[..., None]
        # of light, not of each channel: contrast alone makes nothing more colourful
        bent = _MIDDLE * (np.maximum(grey, 0) / _MIDDLE) ** np.float32(self.contrast)
        colour = colour * (bent / np.maximum(grey, np.float32(1e-6)))
        grey = (colour @ _LUMINANCE)[..., None]
        return np.asarray(np.maximum(grey + (colour - grey) * np.float32(self.colourful), 0), np.float32)


def another(light: Light, strength: float, seed: int) -> Renderer:
    """Draw another renderer.

    Parameters
    ----------
    light
        The scene's.
    strength
        0: the stage's own; 1: as far as an honest one goes.
    """
    if strength <= 0:
        return Renderer()
    rng = np.random.default_rng([907, seed])
    about, height = float(rng.uniform(-np.pi, np.pi)), float(rng.uniform(0.5, 1.3))
    flat = float(np.cos(height))
    direction = float(np.sin(about)) * flat, float(np.sin(height)), float(np.cos(about)) * flat
    grey = float(np.mean([light.sky_colour, light.ground_colour]))

    def room(least: float, most: float) -> tuple[float, float, float]:
        value = grey * float(rng.uniform(least, most))
        r, g, b = (value * float(t) for t in np.exp(rng.normal(0, 0.05, 3)))
        return r, g, b

    r, g, b = light.key_colour
    factor = float(rng.uniform(0.5, 1.5))
    mirrored = replace(
        light,
        key_direction=direction,
        key_colour=(r * factor, g * factor, b * factor),
        key_size=light.key_size * float(np.exp(rng.uniform(-1, 0.5))),
        sky_colour=room(0.2, 1.6),
        ground_colour=room(0.05, 1.0),
    )
    return Renderer(
        gloss=float(np.exp(strength * rng.uniform(-0.6, 0.5))),
        mirrored=strength * float(rng.uniform(0.4, 1.0)),
        room=mirrored,
        contrast=float(np.exp(strength * rng.uniform(-0.06, 0.2))),
        colourful=float(np.exp(strength * rng.uniform(-0.06, 0.1))),
        # every other one develops by a curve with a toe, as films and their many imitations do
        toe=strength * max(0.0, float(rng.uniform(-0.04, 0.04))),
    )
