"""Which pictures an engine is given for a shot, and in which order.

Image 1 is the base photo and image 2 the product rendered in the scene's own camera: measured, that one
matters most. Then every angle that helps, and last close-ups of labels that are too small to read in image 2:
what a person cannot read there, the model cannot either. Where an engine takes few references, a close-up is
worth more than another angle.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from packline.editing.engine import EditRequest, LoraChoice, Picture
from packline.errors import GiveUp
from packline.reference import Reference

# text below this many pixels in height is lost on a model
SMALL_TEXT = 16.0
_SEEN = 0.2
# a role's views, the first that exists is taken
_VIEWS = {"side": ("left", "right"), "top": ("top",)}


def small_labels(scene: Reference) -> tuple[str, ...]:
    """Ids of the labels that the scene's view shows too small to read, smallest last."""
    small = [label for label in scene.labels if label.visible >= _SEEN and label.height < SMALL_TEXT]
    return tuple(label.label for label in sorted(small, key=lambda label: -label.height))


def views_needed(scene: Reference) -> tuple[str, ...]:
    """Views to render for a shot besides its scene view: "left", "top" and "label:<id>" for small labels."""
    return ("left", "top", *(f"label:{name}" for name in small_labels(scene)))


def choose_roles(scene: Reference, available: Container[str], most: int) -> tuple[str, ...]:
    """What each reference shows, in the order of their numbers.

    Parameters
    ----------
    scene
        The product in the scene's camera.
    available
        Names of the views that were rendered.
    most
        The engine's limit (`Capabilities.most_references`); later ones are left out.

    Returns
    -------
    Such as ("base", "product", "side", "top", "label:front").
    """
    angles = [role for role, views in _VIEWS.items() if any(view in available for view in views)]
    labels = [f"label:{name}" for name in small_labels(scene) if f"label:{name}" in available]
    labels = labels[: max(most - 2, 0)]
    angles = angles[: max(most - 2 - len(labels), 0)]
    return ("base", "product", *angles, *labels)[:most]


def notes_on(scene: Reference, roles: Sequence[str]) -> tuple[str, ...]:
    """Sentences on the labels that the scene's view shows too small to read, and what was done about each.

    Parameters
    ----------
    roles
        What each reference shows, from `choose_roles`.
    """
    notes = []
    height = {label.label: label.height for label in scene.labels}
    for name in small_labels(scene):
        role = f"label:{name}"
        what = (
            f"its close-up went along as image {roles.index(role) + 1}"
            if role in roles
            else f"the engine takes {len(roles)} images, so its close-up did not go along"
        )
        notes.append(f"label {name!r} is {height[name]:.0f} px high in this picture: {what}")
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
            pictures.append(scene.colour)
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
