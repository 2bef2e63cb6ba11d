"""The scene file beside a photo, as `packline.scenes.load_scene` reads it."""

from __future__ import annotations

from typing import Any

from training.scenes.light import measure
from training.scenes.spec import SceneSpec

_BACKS = {
    "wall": "in front of a painted wall",
    "tiles": "in front of a tiled wall",
    "panels": "in front of wooden panels",
    "room": "in a room that lies out of focus",
    "sweep": "on a seamless studio background",
}


def scene_words(spec: SceneSpec) -> str:
    """The set in a few words, for prompts and pages."""
    stuff = {"linen": "linen", "paper": "paper"}.get(spec.ground, spec.tone)
    if spec.ground in ("marble", "terrazzo"):
        stuff = f"{spec.tone} {spec.ground}"
    thing = {
        "shelf": "shelf",
        "sweep": "sheet",
        "fabric": "cloth",
        "plinth": "plinth",
        "counter": "kitchen counter",
        "window": "table by a window",
    }.get(spec.kind, "table" if spec.ground == "wood" else "top")
    article = "an" if stuff[0] in "aeiou" else "a"
    if spec.kind == "sweep":
        return "a seamless paper background in a studio"
    return f"{article} {stuff} {thing} {_BACKS[spec.back]}"


def scene_file(spec: SceneSpec, name: str, size: int = 1024, suffix: str = ".jpg") -> dict[str, Any]:
    """Everything known about the photo `name` + `suffix`, `size` pixels square, as plain data."""
    light = measure(spec).light
    place = spec.place
    return {
        "image": name + suffix,
        "words": scene_words(spec),
        "camera": spec.camera(size).to_dict(),
        "ground": {"point": [0.0, 0.0, 0.0], "normal": [0.0, 1.0, 0.0]},
        "place": {
            "position": list(place.position),
            "yaw": place.yaw,
            "fit": list(place.fit),
            "shift": place.shift,
            "turn": place.turn,
            "scale": place.scale,
        },
        "light": {
            "key_direction": [round(value, 6) for value in light.key_direction],
            "key_colour": [round(value, 4) for value in light.key_colour],
            "sky_colour": [round(value, 4) for value in light.sky_colour],
            "ground_colour": [round(value, 4) for value in light.ground_colour],
            "key_size": round(light.key_size, 3),
            "words": light.words,
        },
    }
