"""Train the defect map: ``python -m training.shape --minutes 40``, then ``python -m training.shape_report``.

Lessons are takes (`training.shape_data`) and the embedded editor's pairs (`training.pairs`, which have the
true composite but neither normals nor albedo). Every lesson is made anew each time it is seen: half are
spoilt (`training.shape_defects`), all are styled, compressed and a little misregistered as honest pictures.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scoring.defect_map import CELL, EXTENT, SIDE, features
from training import gloss, shape_defects
from training.shape_data import FIELDS, differing

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]
Random = np.random.Generator
ECHO = 160  # lessons that are kept to be seen again
BENCH_FROM = 1000  # shards of `training.shape_bench` have numbers from here on
OF_BENCH = 0.55  # of the takes are drawn from those: they are fewer, and of more kinds
VAGUE = 0.2  # of the lessons: nobody knows what mirrors
POLISHED = 0.6  # of the others: with another finish than the product's own
REDRAWN = 0.35  # of the lessons, as another renderer would draw them
GLOSSY = 0.7  # ... of those with another finish: there it makes the more difference
HELD_OUT = ("pouch",)  # kinds that training never sees
# share of the product from which a picture is wrong; smaller defects are marked in the map only
PLAIN = 0.01
# ... and from which to miss it weighs double
GRAVE = 0.02


@dataclass(frozen=True)
class Source:
    """A truth with pictures of it; squares of one size, uint8.

    Parameters
    ----------
    colour, albedo, normals, surface, mask, base
        The truth; `albedo`, `normals` and `surface` (`Reference.surface`) are None where they are not known.
    pictures, masks, defects, kinds
        Honest ones have the kind "".
    matrices
        From the truth's pixels to each picture's, (3, 3).
    product
        The kind of product.
    within
        Where the photo has pixels, uint8 0 or 255: a take's square may reach beyond it.
    """

    colour: Picture
    albedo: Picture | None
    normals: Picture | None
    surface: Picture | None
    mask: Picture
    base: Picture
    pictures: Picture
    masks: Picture
    defects: Picture
    kinds: tuple[str, ...]
    matrices: tuple[NDArray[np.float64] | None, ...]
    product: str
    within: Picture

    def indices(self, honest: bool) -> list[int]:
        """Pictures that are (or are not) honest and could be registered."""
        return [
            i
            for i, kind in enumerate(self.kinds)
            if (kind == "") == honest and kind != "none" and self.matrices[i] is not None
        ]


@dataclass(frozen=True)
class Lesson:
    """One picture for the network.

    Parameters
    ----------
    x
        float32 (31, SIDE, SIDE).
    map, weight
        Target and weight of each cell, float32 (SIDE / CELL, SIDE / CELL).
    wrong, counts
        The whole picture's target and weight.
    kind, share
        Of the defect: its name and the visible share of the product.
    """

    x: Floats
    map: Floats
    weight: Floats
    wrong: float
    counts: float
    kind: str
    share: float


def read_takes(file: Path) -> list[Source]:
    """A shard of takes, registered as the check will register them."""
    from scoring.registration import register

    data = np.load(file)
    arrays = {name: data[name] for name in FIELDS if name != "parts"}
    sources = []
    stored = file.with_suffix(".matrices.npy")
    known = np.load(stored) if stored.exists() else None
    found = np.full((*arrays["pictures"].shape[:2], 3, 3), np.nan)
    for i, meta in enumerate(data["meta"]):
        said = json.loads(str(meta))
        kinds = tuple(said["shots"]) + ("none",) * (arrays["pictures"].shape[1] - len(said["shots"]))
        one = {name: values[i] for name, values in arrays.items()}
        matrices: list[NDArray[np.float64] | None] = []
        for j, kind in enumerate(kinds):
            if known is not None:
                matrix = None if np.isnan(known[i, j]).any() else known[i, j]
            else:
                matrix = None if kind == "none" else registered(register, one, j, kind == "")
            matrices.append(matrix)
            if matrix is not None:
                found[i, j] = matrix
        one["defects"] = _defects(one, kinds, matrices)
        sources.append(
            Source(
                **one,
                kinds=kinds,
                matrices=tuple(matrices),
                product=said["kind"],
                within=_within(one["base"]),
            )
        )
    if known is None:
        np.save(stored, found)
    return sources


def _within(base: Picture) -> Picture:
    """Where a square of a photo shows it, uint8 0 or 255: beyond the photo its edge goes on."""
    within = np.full(base.shape[:2], 255, np.uint8)
    for axis in (0, 1):
        rows = base if axis == 0 else base.swapaxes(0, 1)
        same = (rows[1:] == rows[:-1]).all((1, 2))
        before = len(same) if same.all() else int(np.argmin(same))
        after = len(same) if same.all() else int(np.argmin(same[::-1]))
        view = within if axis == 0 else within.swapaxes(0, 1)
        view[:before] = 0
        view[len(view) - after :] = 0
    return within


def _defects(
    one: dict[str, Picture], kinds: Sequence[str], matrices: Sequence[NDArray[np.float64] | None]
) -> Picture:
    """What is to be seen of each altered picture beside the honest one that was taken before it.

    Both are registered first: what that mends, such as a product that is a little too wide, is not for the
    map to find.
    """
    marks, honest = np.zeros_like(one["defects"]), 0
    size = one["mask"].shape[::-1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for j, kind in enumerate(kinds):
        if kind == "":
            honest = j
            continue
        mine, other = matrices[j], matrices[honest]
        if mine is None or other is None or kinds[honest] != "":
            continue
        wrong, right, mask, right_mask = (
            np.asarray(cv2.warpPerspective(values, matrix, size, flags=flags), np.uint8)
            for values, matrix in (
                (one["pictures"][j], mine),
                (one["pictures"][honest], other),
                (one["masks"][j], mine),
                (one["masks"][honest], other),
            )
        )
        found = differing(wrong, right, mask, right_mask)
        marks[j] = cv2.warpPerspective(found, mine, size, flags=cv2.INTER_NEAREST)
    return marks


def registered(
    register: Any, one: dict[str, Picture], index: int, honest: bool
) -> NDArray[np.float64] | None:
    """How the check registers a picture; None where it is plainly lost (honest masks tell)."""
    mask = one["mask"]
    inside = (mask > 127).astype(np.uint8)
    distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3) - cv2.distanceTransform(
        inside, cv2.DIST_L2, 3
    )
    greys = [
        cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float32)
        for p in (one["colour"], one["pictures"][index], one["base"])
    ]
    x, y, w, h = cv2.boundingRect(mask)
    matrix = register(greys[0], greys[1], distance, (x, y, x + w, y + h), greys[2]).matrix
    if honest:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpPerspective(one["masks"][index], matrix, mask.shape[::-1], flags=flags) > 127
        if (moved & (mask > 127)).sum() < 0.93 * (moved | (mask > 127)).sum():
            return None
    return np.asarray(matrix)


def read_pairs(file: Path) -> list[Source]:
    """A shard of the editor's pairs: the guide's grey tells where the product is."""
    data = np.load(file)
    sources = []
    for base, out, guide, meta in zip(
        *(data[name] for name in ("base", "out", "guide", "meta")), strict=True
    ):
        away = (np.abs(guide.astype(np.int16) - 205).max(-1) > 4).astype(np.uint8)
        away = cv2.morphologyEx(away, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
        contours, _ = cv2.findContours(away, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        big = [c for c in contours if cv2.contourArea(c) > 30]
        if not big:
            continue
        mask = np.zeros(away.shape, np.uint8)
        # handles and straps leave holes that a filled outline would close
        cv2.drawContours(mask, big, -1, 1, -1)
        holes = ((mask > 0) & (away == 0)).astype(np.uint8)
        mask = (
            (mask > 0) & (cv2.morphologyEx(holes, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)) == 0)
        ).astype(np.uint8)
        w, h = cv2.boundingRect(mask)[2:]
        if max(w, h) < 100 or max(w, h) > 230:
            continue
        mask = mask * np.uint8(255)
        kind = json.loads(str(meta))["kind"]
        none = np.zeros_like(mask)
        sources.append(
            Source(
                guide,
                None,
                None,
                None,
                mask,
                base,
                out[None],
                mask[None],
                none[None],
                ("",),
                (np.eye(3),),
                kind,
                np.full_like(mask, 255),
            )
        )
    return sources


def lesson(source: Source, other: Picture, rng: Random, spoilt: str = "any", harsh: bool = True) -> Lesson:
    """Draw a lesson.

    Parameters
    ----------
    other
        A picture of another product, for pasted pieces.
    spoilt
        "no", "model" (an altered 3D model), "any" or a name of `shape_defects.DEFECTS`.
    harsh
        Whether light, misregistration, blur and compression are drawn harder than the line's own candidates
        have them: training wants that, an exam does not.
    """
    choice = source.indices(spoilt != "model")
    if spoilt == "model":
        choice = [i for i in choice if source.defects[i].any()] or choice
    index = int(rng.choice(choice))
    picture, mask, defect, kind = (
        source.pictures[index],
        source.masks[index],
        source.defects[index],
        source.kinds[index],
    )
    matrix = source.matrices[index]
    assert matrix is not None
    if spoilt not in ("no", "model"):
        other = cv2.resize(other, picture.shape[1::-1])
        for _ in range(3):
            c = shape_defects.canvas(picture, source.base, other, mask)
            made, cover, kind = shape_defects.spoil(c, rng, "" if spoilt == "any" else spoilt)
            defect = differing(made, picture, cover, mask)
            if (defect > 0).sum() > PLAIN * c.size**2 or spoilt != "any":
                break
        picture, mask = made, cover
    colour, surface = source.colour, source.surface
    if harsh:
        # an FBX says nothing of its surfaces, and other files say what is not so
        surface = None if rng.random() < VAGUE else surface
        picture, colour, surface = _drawn(picture, source, mask, matrix, rng, surface)
    window = _window(source.mask, rng)
    strayed = matrix @ _stray(source.mask, rng, source.normals is not None) if harsh else matrix
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    to_picture, to_truth = strayed @ window, window
    # style and files happen to the whole picture, before anything is registered
    picture = shape_defects.styled(picture, rng)
    if harsh:
        picture = shape_defects.degraded(picture, rng)
    else:  # as large as candidates are when they are compressed
        large = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        picture = np.asarray(
            cv2.resize(shape_defects.degraded(large, rng), picture.shape[1::-1], interpolation=cv2.INTER_AREA)
        )

    def seen(values: Picture, by: NDArray[np.float64], method: int = flags) -> Picture:
        moved = cv2.warpPerspective(values, by, (SIDE, SIDE), flags=method, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.uint8)

    cut = [seen(picture, to_picture), seen(colour, to_truth), seen(source.base, to_picture)]
    cut.append(seen(source.mask, to_truth))
    for passed in (source.normals, source.albedo):
        cut.append(np.full((SIDE, SIDE, 3), 128, np.uint8) if passed is None else seen(passed, to_truth))
    where = seen(defect, to_picture)
    within = _framed(cut[3], rng)
    if not source.within.all():
        within &= (seen(source.within, to_truth) > 254) & (seen(source.within, to_picture) > 254)
    known = source.normals is not None and rng.random() < 0.9
    finish = None if surface is None else seen(surface, to_truth)
    if rng.random() < 0.5:
        cut = [values[:, ::-1] for values in cut]
        finish = None if finish is None else finish[:, ::-1]
        where, within = where[:, ::-1], within[:, ::-1]
        if known:
            cut[4] = cut[4].copy()
            cut[4][..., 0] = 255 - cut[4][..., 0]
    where = where * within
    x = features(
        *(np.ascontiguousarray(values) for values in cut),
        None if within.all() else within,
        surface=None if finish is None else np.ascontiguousarray(finish),
    )
    if not known:
        x[10:16] = 0
    small = cv2.resize(np.ascontiguousarray(where), (SIDE // CELL,) * 2, interpolation=cv2.INTER_AREA) / 255.0
    target = (small > 0.3).astype(np.float32)
    near = cv2.dilate(target, np.ones((3, 3), np.uint8)) > target
    weight = np.where(near | ((small > 0.02) & (target == 0)), 0.0, 1.0).astype(np.float32)
    share = float((where > 127).sum() / max(int((cut[3] > 127).sum()), 1))
    if kind == "":
        weight[:] = 1.0
    counts = 1.0 if kind == "" else 2.0 if share >= GRAVE else float(share >= PLAIN)
    return Lesson(x, target, weight, float(kind != ""), counts, kind, share)


def _drawn(
    picture: Picture,
    source: Source,
    mask: Picture,
    matrix: NDArray[np.float64],
    rng: Random,
    surface: Picture | None,
) -> tuple[Picture, Picture, Picture | None]:
    """The picture in another light or by another renderer; the truth's colour and finish that go with it."""
    colour = source.colour
    if source.normals is None:
        return _lit(picture, mask, rng), colour, None

    def moved(values: Picture) -> Picture:
        size = picture.shape[1::-1]
        return np.asarray(
            cv2.warpPerspective(values, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    redrawn = rng.random() < REDRAWN
    if surface is not None and source.albedo is not None and rng.random() < POLISHED:
        surface = gloss.polished(source.albedo, surface, rng)
        room = gloss.Room.stage(rng)
        colour = gloss.in_stage_room(colour, source.normals, source.mask, surface, room, rng)
        redrawn = rng.random() < GLOSSY
        if not redrawn:
            passes = moved(source.normals), mask, moved(surface)
            picture = gloss.in_stage_room(picture, *passes, room, rng)
    if redrawn:
        finish = None if surface is None else moved(surface)
        picture = gloss.redrawn(picture, moved(source.normals), mask, rng, finish)
    return shape_defects.relit(picture, source.normals, mask, rng), colour, surface


def _lit(picture: Picture, mask: Picture, rng: Random) -> Picture:
    """Another light, as far as that can be had without normals."""
    side = picture.shape[0]
    out = picture.astype(np.float32)
    if rng.random() < 0.7:
        # smooth factors over the product
        extent = np.sqrt(max((mask > 127).sum(), 1))
        bright = shape_defects.noise(rng, side, extent * rng.uniform(0.4, 1.2)) * rng.uniform(0, 0.16)
        factor = np.exp(bright)[..., None] * (1 + rng.normal(0, 0.03, 3)) * np.exp(rng.normal(0, 0.12))
        a = (mask / np.float32(255))[..., None]
        out = out * (1 - a) + out * factor * a
    return shape_defects.relit(np.clip(out, 0, 255).astype(np.uint8), np.zeros_like(picture), mask * 0, rng)


def _window(mask: Picture, rng: Random) -> NDArray[np.float64]:
    """From the square that the network sees to the truth's pixels."""
    x, y, w, h = cv2.boundingRect(mask)
    exact = rng.random() < 0.5 and abs(max(w, h) - EXTENT) < 12
    scale = 1.0 if exact else max(w, h) / EXTENT * rng.uniform(0.96, 1.04)
    stray = rng.integers(-4, 5, 2)
    left, top = x + w / 2 - scale * SIDE / 2 + stray[0], y + h / 2 - scale * SIDE / 2 + stray[1]
    if exact:
        left, top = round(left), round(top)
    return np.array([[scale, 0, left], [0, scale, top], [0, 0, 1.0]])


def _framed(mask: Picture, rng: Random) -> NDArray[np.bool_]:
    """What lies within the picture's frame, bool: in one of ten it cuts into the square."""
    within = np.ones(mask.shape, bool)
    if rng.random() > 0.1:
        return within
    x, y, w, h = cv2.boundingRect(mask)
    cut = round(rng.uniform(-0.1, 0.12) * EXTENT)
    side = int(rng.integers(4))
    low, high = (y, y + h) if side < 2 else (x, x + w)
    beyond = slice(0, max(low + cut, 0)) if side % 2 == 0 else slice(max(high - cut, 0), None)
    within[(beyond, slice(None)) if side < 2 else (slice(None), beyond)] = False
    return within


def _stray(mask: Picture, rng: Random, registered: bool) -> NDArray[np.float64]:
    """What registration leaves undone: more where no real one went before."""
    if rng.random() < 0.25:
        return np.eye(3)
    x, y, w, h = cv2.boundingRect(mask)
    unit = max(w, h) / EXTENT
    corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)
    loose = rng.choice([0.2, 0.5, 0.9] if registered else [0.4, 0.8, 1.2])
    moved = corners + rng.normal(0, loose, 2) * unit + rng.normal(0, 0.6 * loose, (4, 2)) * unit
    return np.asarray(cv2.getPerspectiveTransform(corners, moved.astype(np.float32)), np.float64)


class Library:
    """All sources there are; new shards are found as they come.

    Parameters
    ----------
    takes, pairs
        Folders of shards.
    """

    def __init__(self, takes: Path, pairs: Path, some: int = 32) -> None:
        self.folder = takes
        self.takes: list[Source] = []
        self.bench: list[Source] = []
        self.pairs: list[Source] = []
        self._read: set[Path] = set()
        for file in sorted(pairs.glob("????.npz"))[:some]:
            self.pairs += [s for s in read_pairs(file) if s.product not in HELD_OUT]
        self.more()

    def more(self, most: int = 1000) -> None:
        """Read the shards that have come since."""
        for file in sorted(self.folder.glob("????.npz")):
            if file in self._read or int(file.stem) % 10 == 9 or most <= 0:
                continue
            most -= 1
            self._read.add(file)
            into = self.bench if int(file.stem) >= BENCH_FROM else self.takes
            into += [s for s in read_takes(file) if s.product not in HELD_OUT and s.indices(honest=True)]

    def draw(self, rng: Random) -> Lesson:
        """A lesson, half of them honest."""
        roll = rng.random()
        from_takes = self.takes and roll < 0.8
        sources: Sequence[Source] = self.takes if from_takes else self.pairs
        if not self.takes and not self.pairs:  # to go on from weights that saw those
            sources = self.bench
        if from_takes and self.bench and rng.random() < OF_BENCH:
            sources = self.bench
        source = sources[int(rng.integers(len(sources)))]
        others = self.pairs or self.takes or self.bench
        other = others[int(rng.integers(len(others)))].pictures[0]
        what = rng.random()
        spoilt = "no" if what < 0.5 else "any"
        if sources is not self.pairs and 0.5 <= what < 0.78 and _grave(source):
            spoilt = "model"
        return lesson(source, other, rng, spoilt)


def _grave(source: Source) -> bool:
    """Whether an altered model's picture is there in which something is to be seen."""
    return any(source.defects[i].any() for i in source.indices(honest=False))


def loss_of(network: Any, lessons: Sequence[Lesson]) -> Any:
    """Binary cross-entropy of map and verdict."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as entropy

    x = torch.from_numpy(np.stack([one.x for one in lessons])).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        heat, verdict = network(x)
    target = torch.from_numpy(np.stack([one.map for one in lessons]))
    weight = torch.from_numpy(np.stack([one.weight for one in lessons]))
    # a small defect counts as a large one does, nearly
    size = target.sum((1, 2), keepdim=True)
    weight = weight * torch.where(target > 0, 1 + 6 / (1 + size / 12), torch.ones(()))
    map_loss = (entropy(heat.float(), target, reduction="none") * weight).mean()
    wrong = torch.tensor([one.wrong for one in lessons])
    counts = torch.tensor([one.counts for one in lessons])
    each = entropy(verdict.float(), wrong, reduction="none") * counts
    verdict_loss = each.mean()
    return 4 * map_loss + verdict_loss, map_loss, verdict_loss, each.detach().numpy()


def train(asked: argparse.Namespace) -> None:
    """Train until the time is up; weights and a record go to `asked.out`."""
    import torch
    from safetensors.torch import load_file, save_file

    from scoring.defect_network import DefectNetwork

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.manual_seed(asked.seed)
    rng = np.random.default_rng([5, asked.seed])
    library = Library(asked.takes, asked.pairs)
    print(f"{len(library.takes)} takes, {len(library.pairs)} pairs", flush=True)
    network = DefectNetwork().to(memory_format=torch.channels_last)
    if asked.start:
        network.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in load_file(asked.start).items()}
        )
    shadow = {name: value.detach().clone() for name, value in network.state_dict().items()}
    plain = [p for p in network.parameters() if p.ndim < 2]
    heavy = [p for p in network.parameters() if p.ndim >= 2]
    optimiser = torch.optim.AdamW(
        [{"params": heavy, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}], lr=asked.rate
    )
    begun, cost = time.time(), time.process_time()
    end, step, means = begun + 60 * asked.minutes, 0, np.zeros(3)
    asked.out.mkdir(parents=True, exist_ok=True)
    looked = saved = begun
    seen: list[Lesson] = []
    hard = np.zeros(0)
    while (now := time.time()) < end:
        progress = (now - begun) / (end - begun)
        rate = asked.rate * min(1, (step + 1) / 100) * (0.5 + 0.5 * np.cos(np.pi * progress) + 0.005)
        for group in optimiser.param_groups:
            group["lr"] = rate
        # to make a lesson costs as much as to learn it: the hard ones are seen again, at another time
        new = [library.draw(rng) for _ in range(asked.batch // 2)]
        old = np.zeros(0, int)
        if len(seen) >= 2 * asked.batch:
            odds = 0.1 + np.minimum(hard, 3)
            old = rng.choice(len(seen), asked.batch - len(new), replace=False, p=odds / odds.sum())
        *losses, each = loss_of(network, [*new, *(seen[int(i)] for i in old)])
        hard[old] = each[len(new) :]
        seen, hard = [*seen, *new][-ECHO:], np.concatenate([hard, each[: len(new)]])[-ECHO:]
        optimiser.zero_grad()
        losses[0].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        step += 1
        keep = min(0.998, 1 - 1 / (1 + 0.2 * step))
        with torch.no_grad():
            for name, value in network.state_dict().items():
                if value.is_floating_point():
                    shadow[name].lerp_(value, 1 - keep)
                else:
                    shadow[name].copy_(value)
        means += [float(v.detach()) for v in losses]
        if step % 50 == 0:
            spent = time.process_time() - cost
            said = " ".join(f"{v / 50:.4f}" for v in means)
            print(f"{step} {said} {spent:.0f} CPU s, {100 * progress:.0f} %", flush=True)
            means[:] = 0
        if now - looked > 120:
            library.more(2)
            looked = now
        if now - saved > 150 or step == 20:
            save_file(_halved(shadow), asked.out / "defect_map.safetensors")
            saved = now
    save_file(_halved(shadow), asked.out / "defect_map.safetensors")
    record = {
        "what": "defect map of the shape check",
        "code": "training/shape.py",
        "seed": asked.seed,
        "steps": step,
        "batch": asked.batch,
        "cpu_seconds": round(time.process_time() - cost),
        "takes": len(library.takes),
        "bench_takes": len(library.bench),
        "pairs": len(library.pairs),
        "held_out": HELD_OUT,
    }
    (asked.out / "training.json").write_text(json.dumps(record, indent=1) + "\n")


def _halved(state: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in state.items()
    }


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--takes", type=Path, default=Path("work/train/shape"))
    parser.add_argument("--pairs", type=Path, default=Path("work/train/pairs"))
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--out", type=Path, default=Path("work/train/shape-new"))
    train(parser.parse_args())


if __name__ == "__main__":
    main()
