"""References of a shot: which are needed, and where they lie once they are rendered."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from packline.editing.cutout import grounded
from packline.editing.references import Labelled, choose_roles, extra_angles, notes_on, views_needed
from packline.editing.variation import vary
from packline.errors import GiveUp, TryAgain
from packline.funnel import candidate_seed
from packline.ladder import ADHERENCE, engine_at, up_to
from packline.line.line import Line
from packline.line.plan import Try
from packline.records import PlannedShot, Wave
from packline.reference import Picture, Reference
from packline.stage.service import RenderJob, RenderResult, SceneView, render_product, render_products
from packline.stage.views import SIDES
from packline.truth import TextTruth

# which rendered view serves a role; the other roles are named like their views
_VIEW_OF = {"side": "left"}


@dataclass(frozen=True)
class Rendered:
    """A reference as an engine is shown it.

    Parameters
    ----------
    role
        "product", "side", "top", "right", ... or "label:<id>".
    fingerprint
        Of everything that determined it.
    folder
        Where all its passes lie.
    """

    role: str
    fingerprint: str
    folder: Path

    def picture(self) -> Picture:
        """What the engine sees: its colour, and the shadow of the product in place; sRGB uint8 (H, W, 3)."""
        colour = _read(self.folder / "colour.png", cv2.IMREAD_COLOR)
        if self.role != "product":
            return colour
        return grounded(colour, self.mask(), _read(self.folder / "shadow.png", cv2.IMREAD_GRAYSCALE))

    def mask(self) -> Picture:
        """Where the product is, uint8 (H, W)."""
        return _read(self.folder / "mask.png", cv2.IMREAD_GRAYSCALE)


def variation_of(line: Line, planned: PlannedShot, number: int) -> dict[str, Any]:
    """How a shot's candidate strays: number 0 of a first picture not at all, each other in its own way."""
    seed = candidate_seed(line.settings.run.seed, planned.shot.key, 0)
    place = line.scene(planned.shot.scene).place
    return vary(place, seed, number, further=planned.shot.number > 1)


def render(line: Line, tries: Sequence[Try], done: Callable[[str], None]) -> None:
    """Render what a wave's candidates are asked to show, and the views that help; what is there is kept.

    Parameters
    ----------
    done
        Called with the key of each shot whose references are there.

    Raises
    ------
    GiveUp
        Where a model or a view of it cannot be drawn.
    FixSettings
        Where this machine cannot draw at all.
    """
    line.shots.expect([one.key for one in tries])
    by_product = [list(some) for _, some in groupby(tries, lambda one: line.shots[one.key].shot.product.sku)]
    # One worker process draws everything, so one list of jobs, which grows as it is worked off: how a product
    # looks in its scenes says which of its labels need a close-up.
    jobs = [(some, _scenes_job(line, some)) for some in by_product]
    scenes: dict[str, Path] = {}
    shown: dict[str, tuple[str, ...]] = {}
    scales: dict[str, float] = {}
    for number, (result, (some, _)) in enumerate(zip(render_products(job for _, job in jobs), jobs)):  # noqa: B905
        if number < len(by_product):
            for one in some:
                scenes[one.key] = _scenes_found(line, one, result)
            for one in some:
                scene, engine = load(scenes[one.key]), _engine_of(line, one)
                shown[one.key] = roles_of(line, line.shots[one.key], scene, one.wave, engine)
                scales[one.key] = scale_of(line, engine)
            needed = [views_needed(load(scenes[k]), shown[k], scales[k]) for k in (one.key for one in some)]
            jobs.append((some, _views_job(line, some[0], *needed)))
            continue
        for one in some:
            scene, roles, scale = load(scenes[one.key]), shown[one.key], scales[one.key]
            views = views_needed(scene, roles, scale)
            folders = {"scene": scenes[one.key], **{view: found(result, view)[1] for view in views}}
            notes = (*scene.notes, *notes_on(scene, roles, scale))
            line.ledger.record_references(one.key, line.shots[one.key].fingerprint, folders, notes)
            done(one.key)


def _scenes_found(line: Line, one: Try, result: RenderResult) -> Path:
    """The folder of the shot as its first candidate has it, once all of the wave's candidates have theirs."""
    planned = line.shots[one.key]
    for number in numbers(one):
        found(result, _scene_view(line, planned, number).name)
    return found(result, _scene_view(line, planned, 0).name)[1]


def references_of(line: Line, one: Try, engine: str | None = None) -> dict[int, list[Rendered]]:
    """The references of a shot's candidates in this wave, by the candidate's number.

    They are in the order of their tags; the base photo is left out.

    Parameters
    ----------
    engine
        A key of ``[engines]``, empty for ``[engine]``; None: as the wave's rung says.

    Raises
    ------
    GiveUp
        As `render`, should any have vanished since.
    """
    planned = line.shots[one.key]
    placed = render_product(_scenes_job(line, [one]))
    scene = load(found(placed, _scene_view(line, planned, 0).name)[1])
    engine = _engine_of(line, one) if engine is None else engine
    roles = roles_of(line, planned, scene, one.wave, engine)
    alone = render_product(_views_job(line, one, views_needed(scene, roles, scale_of(line, engine))))
    others = [Rendered(role, *found(alone, _VIEW_OF.get(role, role))) for role in roles[2:]]
    return {
        number: [Rendered("product", *found(placed, _scene_view(line, planned, number).name)), *others]
        for number in numbers(one)
    }


def numbers(one: Try) -> range:
    """Numbers of a shot's candidates in this wave."""
    return one.wave.numbers


def roles_of(line: Line, planned: PlannedShot, labels: Labelled, wave: Wave, engine: str) -> tuple[str, ...]:
    """What an engine is shown of a shot at a wave's rung, in the order of the references' numbers.

    Parameters
    ----------
    labels
        Of the product in the scene.
    engine
        A key of ``[engines]``; empty: ``[engine]``.
    """
    adherent = ADHERENCE in up_to(line.settings.candidates, wave)
    extra = extra_angles(*_seen_from(line, planned), every=adherent)
    most = line.engine_called(engine).capabilities.most_references
    scale = scale_of(line, engine)
    return choose_roles(labels, None, most, extra, legible=adherent, scale=scale)


def scale_of(line: Line, engine: str) -> float:
    """How large an engine sees the product in place, as a share of the delivered picture; at most 1."""
    side = line.engine_called(engine).capabilities.reads_at
    return min(side / line.settings.run.size, 1.0) if side else 1.0


def _engine_of(line: Line, one: Try) -> str:
    return engine_at(line.settings.candidates, one.wave)


def _seen_from(line: Line, planned: PlannedShot) -> tuple[float, float]:
    """Azimuth from the product's front and elevation, degrees, of the scene's camera."""
    scene = line.scene(planned.shot.scene)
    x, y, z = np.subtract(scene.camera.eye, scene.place.position)
    turned = scene.place.yaw + SIDES.get(planned.shot.view, 0.0)
    return float(np.degrees(np.arctan2(x, z))) - turned, float(np.degrees(np.arctan2(y, np.hypot(x, z))))


@dataclass(frozen=True)
class Labels:
    """The labels of a view without its pictures."""

    labels: tuple[TextTruth, ...]


def labels_in(folder: Path) -> Labels:
    """The labels of a reference, without reading its pictures."""
    truth = json.loads((folder / "truth.json").read_text())
    return Labels(tuple(TextTruth.from_dict(label) for label in truth["labels"]))


def found(result: RenderResult, view: str) -> tuple[str, Path]:
    """A view's fingerprint and folder.

    Raises
    ------
    GiveUp
        With the stage's sentence, where it could not be drawn.
    TryAgain
        Where the process that drew it was killed.
    """
    if result.error:
        raise TryAgain(result.error) if result.passing else GiveUp(result.error)
    if view not in result.references:
        raise GiveUp(result.failed.get(view, f"{result.sku}: view {view} was not drawn; see the run's log."))
    return result.references[view]


@lru_cache(maxsize=8)
def load(folder: Path) -> Reference:
    """A reference; the last few are kept, for a folder's content never changes."""
    return Reference.load(folder)


def _scenes_job(line: Line, tries: Sequence[Try]) -> RenderJob:
    """One product's shots of a wave, each as each candidate is to show it; number 0 is always there."""
    views = tuple(
        _scene_view(line, line.shots[one.key], number)
        for one in tries
        for number in sorted({0, *numbers(one)})
    )
    return _job(line, tries[0], views, line.settings.run.size)


def _views_job(line: Line, one: Try, *views: Sequence[str]) -> RenderJob:
    """The product alone; engines are shown these views at half the size, so that is how they are drawn."""
    wanted = tuple(dict.fromkeys(chain(*views)))
    return _job(line, one, wanted, max(line.settings.run.size // 2, 256))


def _job(line: Line, one: Try, views: tuple[str | SceneView, ...], size: int) -> RenderJob:
    product = line.shots[one.key].shot.product
    return RenderJob(
        sku=product.sku,
        model=product.model,
        views=views,
        cache=line.work / "references",
        declared=dict(product.labels),
        size=size,
        variant=product.variant,
        truth=product.truth,
    )


def _scene_view(line: Line, planned: PlannedShot, number: int) -> SceneView:
    strays = variation_of(line, planned, number)
    return SceneView(
        line.settings.paths.scenes / f"{planned.shot.scene}.json",
        planned.shot.view,
        shift=(strays["shift"][0], strays["shift"][1]),
        turn=strays["turn"],
        scale=strays["scale"],
        light=(strays["light_turn"], strays["light_height"], strays["light_size"], strays["exposure"]),
    )


# each product's side and top view serve all its shots
@lru_cache(maxsize=32)
def _read(file: Path, mode: int) -> Picture:
    picture = cv2.imread(str(file), mode)
    if picture is None:
        raise GiveUp(f"Reference {file} cannot be read; delete its folder, then run again.")
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return np.asarray(picture, np.uint8)
