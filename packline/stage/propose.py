"""Labels proposed by reading the model: text found in unlit renders, mapped back to the texture.

The product is looked at from all sides and, where something looks like text, from close up. What is found is
read in every orientation and carried back to the texture through the renders' UV. There, sightings of one
place are put together: text that several views read alike, running the same way, is proposed. A person
accepts a proposal before it counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from packline.camera import Camera
from packline.colour import to_srgb
from packline.stage.layers import flattened
from packline.stage.model import GBuffer, ProductModel
from packline.stage.print_line import Reader, folded, tightened
from packline.stage.raster import Rasteriser, Stage
from packline.stage.sighting import Sighting, corners_of, overlap, sight
from packline.stage.views import framed
from packline.truth import Label

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

#: Azimuth and elevation in degrees of the views that are searched.
AROUND = (
    *((float(azimuth), 8.0) for azimuth in range(0, 360, 45)),
    *((float(azimuth), 45.0) for azimuth in (0, 120, 240)),
    (0.0, 89.9),
    (0.0, -89.9),
)
#: Pixels on a side of those views where small print is to be found, and of close-ups.
SIZE, CLOSE_SIZE = 1280, 768
#: Places that are looked at from close up.
MOST_PLACES = 24
#: Sightings less certain than this say nothing about what the text is.
LEAST_CONFIDENCE = 0.5
#: Proposals less certain than this are not made.
LEAST_PROPOSED = 0.6
_BACKDROP = 0.6
# a reading is never worth more than this, so that it takes several to be certain
_TRUST = 0.8


@dataclass(frozen=True)
class Proposal:
    """A label that the model seems to carry.

    Parameters
    ----------
    label
        As it would be annotated.
    confidence
        0 to 1, from how many views agree and how certain each is.
    views
        How many pictures read this text there, running this way.
    known
        Id of the annotated label that lies there already; empty: it is new.
    picture
        The picture that shows it best, sRGB uint8 (H, W, 3).
    outline
        Where it was found there: pixels, float64 (4, 2), in reading order.
    strip
        It cut from the texture, upright, sRGB uint8 (64, W, 3).
    """

    label: Label
    confidence: float
    views: int
    known: str
    picture: Picture
    outline: Floats
    strip: Picture


def propose(model: ProductModel, rasteriser: Rasteriser, reader: Reader) -> tuple[Proposal, ...]:
    """Look for labels all over a model.

    Parameters
    ----------
    rasteriser
        Its size is that of the pictures that are searched; `SIZE` finds small print.
    reader
        Finds and reads text.

    Returns
    -------
    tuple of Proposal
        The most certain first; those that lie where a label is annotated already name it.
    """
    with rasteriser.staged(model) as stage:
        views = [_look(stage, camera) for camera in _around(model, rasteriser.size)]
        sightings = _sightings(model, views, reader, 0)
        close = [_look(stage, camera) for camera in _close_ups(sightings, min(CLOSE_SIZE, rasteriser.size))]
    sightings += _sightings(model, close, reader, len(views))
    pictures = [view.picture for view in (*views, *close)]
    found = [_proposal(model, cluster, pictures, reader) for cluster in _clusters(sightings)]
    made = [one for one in found if one is not None]
    made.sort(key=lambda one: -one.confidence)
    return _with_ids(model, _without_doubles(made))


# looking


@dataclass(frozen=True, eq=False)
class _View:
    camera: Camera
    gbuffer: GBuffer
    picture: Picture


def _around(model: ProductModel, size: int) -> list[Camera]:
    low, high = model.bounds
    corners = np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )
    cameras = []
    for azimuth, elevation in np.radians(AROUND):
        level = np.cos(elevation)
        outward = np.array([np.sin(azimuth) * level, np.sin(elevation), np.cos(azimuth) * level])
        cameras.append(framed(corners, outward, size))
    return cameras


def _close_ups(sightings: Sequence[Sighting], size: int) -> list[Camera]:
    """Cameras that face the places where something was found, each place once."""
    cameras: list[Camera] = []
    for one in sorted(sightings, key=lambda one: -(one.confidence + 0.1) * min(one.height, 24.0)):
        if len(cameras) == MOST_PLACES:
            break
        if any(_holds(camera, one) for camera in cameras):
            continue
        middle = one.points.mean(0)
        cameras.append(framed(middle + (one.points - middle) * 1.6, one.normal, size))
    return cameras


def _holds(camera: Camera, one: Sighting) -> bool:
    """Whether a camera shows a place large and from the front."""
    back = camera.pose[:3, 2]
    if float(back @ one.normal) < 0.9:
        return False
    xy, depth = camera.project(one.points)
    edge = 0.06 * camera.width
    inside = (xy > edge).all() and (xy < camera.width - edge).all()
    return bool(inside and (depth > 0).all() and float(np.ptp(xy, axis=0).max()) > 0.25 * camera.width)


def _look(stage: Stage, camera: Camera) -> _View:
    gbuffer = flattened(stage.gbuffer(camera))
    cover = gbuffer.mask[..., None]
    colour = np.clip(gbuffer.albedo + gbuffer.emissive, 0, 1) * cover + np.float32(_BACKDROP) * (1 - cover)
    return _View(camera, gbuffer, to_srgb(colour))


def _sightings(model: ProductModel, views: Sequence[_View], reader: Reader, first: int) -> list[Sighting]:
    """All that looks like text, read as well as it can be; what cannot be read has no text."""
    found = []
    for number, view in enumerate(views, first):
        window = _window(view.gbuffer.mask)
        if window is None:
            continue
        rows, columns = window
        cut = np.ascontiguousarray(view.picture[rows, columns])
        offset = np.array([columns.start, rows.start], float)
        boxes = [np.asarray(box, float) + offset for box in reader.find(cut) if _plausible(box, cut.shape)]
        turned = [way for box in boxes for way in _ways(box)]
        readings = reader.read([_strip(view.picture, box) for box in turned]) if turned else []
        at = 0
        for box in boxes:
            ways = len(_ways(box))
            best = max(range(at, at + ways), key=lambda i: readings[i][1] if _wordy(readings[i][0]) else 0.0)
            text, confidence = readings[best]
            text = text.strip() if _wordy(text) else ""
            one = sight(
                model, view.gbuffer, view.camera, turned[best], number, text, confidence if text else 0.0
            )
            if one is not None:
                found.append(one)
            at += ways
    return found


def _window(mask: NDArray[np.float32], edge: int = 16) -> tuple[slice, slice] | None:
    rows, columns = np.flatnonzero(mask.max(1) > 0.5), np.flatnonzero(mask.max(0) > 0.5)
    if not len(rows):
        return None
    return (
        slice(max(int(rows[0]) - edge, 0), int(rows[-1]) + edge),
        slice(max(int(columns[0]) - edge, 0), int(columns[-1]) + edge),
    )


def _plausible(box: Floats, shape: tuple[int, ...]) -> bool:
    width, height = _sides(np.asarray(box, float))
    return min(width, height) >= 7 and width * height < 0.5 * shape[0] * shape[1]


def _sides(box: Floats) -> tuple[float, float]:
    return float(np.linalg.norm(box[1] - box[0])), float(np.linalg.norm(box[3] - box[0]))


def _ways(box: Floats) -> list[Floats]:
    """The box with its corners in each reading order that its shape allows."""
    width, height = _sides(box)
    turns = (0, 2) if width > 1.6 * height else (1, 3) if height > 1.6 * width else (0, 1, 2, 3)
    return [np.roll(box, -turn, axis=0) for turn in turns]


def _strip(picture: Picture, box: Floats, height: int = 48) -> Picture:
    """A box cut out, upright for its corners' order, with a little margin."""
    width, tall = _sides(box)
    along, down = (box[1] - box[0]) / max(width, 1), (box[3] - box[0]) / max(tall, 1)
    edge = 0.06 * tall
    wide = box + edge * np.array([-along - down, along - down, along + down, -along + down])
    columns = int(np.clip(height * (width + 2 * edge) / max(tall + 2 * edge, 1), 16, 960))
    target = np.array([[0, 0], [columns, 0], [columns, height], [0, height]], np.float32)
    warp = cv2.getPerspectiveTransform(wide.astype(np.float32), target)
    return np.asarray(
        cv2.warpPerspective(
            picture, warp, (columns, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def _wordy(text: str) -> bool:
    """Whether a reading may be a label: at least two characters, most of them letters or digits."""
    plain = [character for character in text if not character.isspace()]
    return len(plain) >= 2 and sum(character.isalnum() for character in plain) >= 0.7 * len(plain)


# putting together


def _clusters(sightings: Sequence[Sighting]) -> list[list[Sighting]]:
    """Readings of the same place, each cluster's text settled by vote: its winner first, then all others."""
    pool = [one for one in sightings if one.text and one.confidence >= LEAST_CONFIDENCE]
    clusters = []
    while pool:
        seed = max(pool, key=_weight)
        near = [one for one in pool if overlap(one, seed) > 0.5]
        votes: dict[str, float] = {}
        for one in near:
            votes[folded(one.text)] = votes.get(folded(one.text), 0.0) + _weight(one)
        text = max(votes, key=lambda text: _support(text, votes))
        winner = max((one for one in near if folded(one.text) == text), key=_weight)
        same = [one for one in pool if overlap(one, winner) > 0.5]
        clusters.append([winner, *(one for one in same if one is not winner)])
        gone = {id(one) for one in same}
        pool = [one for one in pool if id(one) not in gone]
    return clusters


def _support(text: str, votes: dict[str, float]) -> tuple[float, int]:
    """Votes for a text: a view of which something hides the start or end speaks for the whole line too."""
    own = votes[text]
    if own < 0.25 * max(votes.values()):
        return own, len(text)
    return sum(vote for part, vote in votes.items() if part in text), len(text)


def _weight(one: Sighting) -> float:
    """How much a sighting counts: certain readings of large text seen from the front."""
    return one.confidence**2 * min(one.height / 24, 1.0) * max(one.facing, 0.1)


def _proposal(
    model: ProductModel, cluster: Sequence[Sighting], pictures: Sequence[Picture], reader: Reader
) -> Proposal | None:
    winner = cluster[0]
    material = next(part.material for part in model.parts if part.material.name == winner.material)
    said, certain, quad, strip = tightened(model, winner, material, reader)
    text, along = folded(winner.text), _along(winner.quad)
    agreeing = {winner.view: winner.confidence * min(winner.height / 16, 1.0)}
    against = 0.0
    for one in cluster[1:]:
        if folded(one.text) == text and float(_along(one.quad) @ along) > 0.7:
            worth = one.confidence * min(one.height / 16, 1.0)
            agreeing[one.view] = max(agreeing.get(one.view, 0.0), worth)
        elif one.view not in agreeing and len(folded(one.text)) >= len(text):
            against += one.confidence * min(one.height / 16, 1.0) * max(one.facing, 0.1)
    certainties = list(agreeing.values())
    if text in folded(said):
        certainties.append(certain)
    elif certain > 0.8:
        against += 0.5 * certain
    total = sum(certainties)
    doubt = float(np.prod([1 - _TRUST * one for one in certainties]))
    confidence = (1 - doubt) * total / (total + 0.5 * against)
    # two letters are soon read into a pattern
    if confidence < (LEAST_PROPOSED if len(text) > 2 else 0.9) or len(certainties) < 2:
        return None
    longer = certain > LEAST_CONFIDENCE and text in folded(said)
    label = Label("", said if longer else winner.text, quad, winner.material)
    known = ""
    for annotated in model.labels:
        if annotated.material in ("", winner.material):
            other = replace(winner, quad=np.array(annotated.quad, float))
            if overlap(replace(winner, quad=np.array(quad, float)), other) > 0.4:
                known = annotated.id
    return Proposal(
        label, round(confidence, 3), len(agreeing), known, pictures[winner.view], winner.box, strip
    )


def _along(quad: Floats) -> Floats:
    step = quad[1] - quad[0] + quad[2] - quad[3]
    return np.asarray(step / max(float(np.linalg.norm(step)), 1e-12))


def _without_doubles(made: Sequence[Proposal]) -> list[Proposal]:
    """Of proposals that share a place, the most certain one; `made` is sorted."""
    kept: list[Proposal] = []
    for one in made:
        if not any(_double(one, other) for other in kept):
            kept.append(one)
    return kept


def _double(one: Proposal, other: Proposal) -> bool:
    if one.label.material != other.label.material:
        return False
    a, b = folded(one.label.text), folded(other.label.text)
    # lines set close overlap a little; a line and one of its words lie in each other
    return overlap(corners_of(one.label), corners_of(other.label)) > (0.3 if a in b or b in a else 0.6)


def _with_ids(model: ProductModel, made: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """Each with an id of its own: its text in small letters, numbered where it comes twice."""
    taken = {label.id for label in model.labels}
    out = []
    for one in made:
        stem = (
            "".join(c.lower() if c.isascii() and c.isalnum() else "-" for c in one.label.text).strip("-")
            or "label"
        )
        name, number = stem, 2
        while name in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name)
        out.append(replace(one, label=replace(one.label, id=one.known or name)))
    return tuple(out)
