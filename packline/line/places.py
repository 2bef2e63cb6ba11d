"""A scene with the product's place moved as a candidate asks: the same photo, camera and light."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from packline.fingerprint import digest
from packline.line.line import Line


def moved_scene(line: Line, name: str, variation: dict[str, Any]) -> Path:
    """The scene file whose place is moved by a variation; the scene's own where it does not move.

    Parameters
    ----------
    variation
        From `packline.editing.variation.vary`: shift in metres along the world's X and Z, turn in degrees
        about Y, scale as a factor.
    """
    own = line.settings.paths.scenes / f"{name}.json"
    if variation["shift"] == [0.0, 0.0] and variation["turn"] == 0 and variation["scale"] == 1:
        return own
    scene = line.scene(name)
    file = line.work / "places" / f"{name}-{digest(scene.sha256, variation)}.json"
    if not file.is_file():
        data = json.loads(own.read_text())
        place = data["place"]
        x, y, z = place["position"]
        place["position"] = [x + variation["shift"][0], y, z + variation["shift"][1]]
        place["yaw"] = place["yaw"] + variation["turn"]
        place["fit"] = [metres * variation["scale"] for metres in place["fit"]]
        data["image"] = str(scene.image.resolve())
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(data))
        part.replace(file)
    return file
