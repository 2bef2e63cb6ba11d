"""Which pictures an engine is given for a shot, and in which order.

Image 1 is the base photo and image 2 the product rendered in the scene's own camera: measured, that one
matters most. Then every angle that helps, and last close-ups of labels that are too small to read in image 2
as the engine sees it: what a person cannot read there, the model cannot either. Where an engine takes few
references, a close-up is worth more than another angle.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from typing import Protocol

from packline.editing.cutout import grounded
from packline.editing.engine import EditRequest, LoraChoice, Picture
from packline.errors import GiveUp
from packline.reference import Reference
from packline.truth import TextTruth


class Labelled(Protocol):
    """What is known of the labels of a view: a `Reference`, or less."""

    @property
    def labels(self) -> tuple[TextTruth, ...]:
        """Text truth of the labels that it shows."""


# text below this many pixels in height is lost on a model
SMALL_TEXT = 16.0
_SEEN = 0.2
# a role's views, the first that exists is taken
_VIEWS = {"side": ("left", "right"), "top": ("top",)}
# the share of a side that the camera must see for a picture of it to help
_HELPS = 0.15


def extra_angles(azimuth: float, elevation: float, *, every: bool = False) -> tuple[str, ...]:
    """Angles besides "side" and "top" that say something of the product, the most useful first.

    Parameters
    ----------
    azimuth, elevation
        Where the scene's camera stands about the product, degrees from its front (`packline.stage.views`).
    every
        Also those that the camera hardly sees or not at all; else only such as show a side that it sees
        slanted. The side that it sees best is in image 2 already.
    """
    a, flat = math.radians(azimuth), math.cos(math.radians(elevation))
    front, right = math.cos(a) * flat, math.sin(a) * flat
    sees = {"right": right, "back": -front, "front": front, "bottom": -math.sin(math.radians(elevation))}
    shown = max(("left", -right), *sees.items(), key=lambda one: one[1])[0]
    order = sorted((name for name in sees if name != shown), key=lambda name: -sees[name])
    return tuple(name for name in order if every or sees[name] > _HELPS)


def small_labels(scene: Labelled, scale: float = 1.0) -> tuple[str, ...]:
    """Ids of the labels that the scene's view shows too small to read, smallest last.

    Parameters
    ----------
    scale
        How large the view is seen, as a share of the size that it was rendered at.
    """
    small = [label for label in scene.labels if label.visible >= _SEEN and label.height * scale < SMALL_TEXT]
    return tuple(label.label for label in sorted(small, key=lambda label: -label.height))


def legible_labels(scene: Labelled, scale: float = 1.0) -> tuple[str, ...]:
    """Ids of the labels that the scene's view shows large enough to read, smallest first."""
    seen = [label for label in scene.labels if label.visible >= _SEEN and label.height * scale >= SMALL_TEXT]
    return tuple(label.label for label in sorted(seen, key=lambda label: label.height))


def views_needed(scene: Labelled, roles: Sequence[str] = (), scale: float = 1.0) -> tuple[str, ...]:
    """Views to render for a shot besides its scene view: "left", "top", "label:<id>" for small labels, and
    whatever else its engine is to be shown.

    Parameters
    ----------
    roles
        From `choose_roles`.
    scale
        As `small_labels`.
    """
    own = (_VIEWS[role][0] if role in _VIEWS else role for role in roles if role not in ("base", "product"))
    labels = (f"label:{name}" for name in small_labels(scene, scale))
    return tuple(dict.fromkeys(("left", "top", *labels, *own)))


def choose_roles(
    scene: Labelled,
    available: Container[str] | None,
    most: int,
    extra: Sequence[str] = (),
    *,
    legible: bool = False,
    scale: float = 1.0,
) -> tuple[str, ...]:
    """What each reference shows, in the order of their numbers.

    Parameters
    ----------
    scene
        The product in the scene's camera.
    available
        Names of the views that were rendered; None: whatever is asked for.
    most
        The engine's limit (`Capabilities.most_references`); later ones are left out.
    extra
        Further angles, from `extra_angles`.
    legible
        Whether labels that image 2 shows well enough get a close-up too, as far as there is room.
    scale
        How large the engine sees image 2, as a share of the size that it was rendered at.

    Returns
    -------
    Such as ("base", "product", "side", "top", "right", "label:front").
    """

    def there(view: str) -> bool:
        return available is None or view in available

    angles = [role for role, views in _VIEWS.items() if any(there(view) for view in views)]
    angles += [role for role in extra if there(role)]
    labels = [f"label:{name}" for name in small_labels(scene, scale) if there(f"label:{name}")]
    labels = labels[: max(most - 2, 0)]
    angles = angles[: max(most - 2 - len(labels), 0)]
    if legible:
        labels += [f"label:{name}" for name in legible_labels(scene, scale) if there(f"label:{name}")]
    return ("base", "product", *angles, *labels)[:most]


def notes_on(scene: Labelled, roles: Sequence[str], scale: float = 1.0) -> tuple[str, ...]:
    """Sentences on the labels that the scene's view shows too small to read, and what was done about each.

    Parameters
    ----------
    roles
        What each reference shows, from `choose_roles`.
    scale
        As for `choose_roles`.
    """
    notes = []
    height = {label.label: label.height for label in scene.labels}
    for name in small_labels(scene, scale):
        seen = f", {height[name] * scale:.0f} px as the engine sees it" if scale < 1 else ""
        role = f"label:{name}"
        what = (
            f"its close-up went along as image {roles.index(role) + 1}"
            if role in roles
            else f"the engine takes {len(roles)} images, so its close-up did not go along"
        )
        notes.append(f"label {name!r} is {height[name]:.0f} px high in this picture{seen}: {what}")
    return tuple(notes)


def gather(
    photo: Picture, scene: Reference, views: Mapping[str, Reference], roles: Sequence[str]
) -> tuple[Picture, ...]:
    """The pictures of the roles, sRGB uint8 (H, W, 3) at their own sizes; the engine resizes them.

    Raises
    ------
    GiveUp
        A view is missing.
    """
    pictures = []
    for role in roles:
        if role == "base":
            pictures.append(photo)
        elif role == "product":
            pictures.append(grounded(scene.colour, scene.mask, scene.shadow))
        else:
            names = _VIEWS.get(role, (role,))
            found = next((views[name] for name in names if name in views), None)
            if found is None:
                raise GiveUp(f"The view {' or '.join(names)} was not rendered; render the references again.")
            pictures.append(found.colour)
    return tuple(pictures)


def make_request(
    photo: Picture,
    scene: Reference,
    views: Mapping[str, Reference],
    roles: Sequence[str],
    prompt: str,
    seed: int,
    loras: Sequence[LoraChoice] = (),
) -> EditRequest:
    """A request with its references in order and the product's mask, ready for any engine."""
    return EditRequest(gather(photo, scene, views, roles), prompt, seed, tuple(loras), scene.mask)
