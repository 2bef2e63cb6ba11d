"""Every defect there is: one line each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from packline.reference import Picture
from scoring.bench.defects import added_text, colour, pattern, picture, scene, shadowed, shape, text
from scoring.bench.defects.sitting import Altered, Sitting
from scoring.bench.nuisances import Nuisance, finish
from scoring.bench.specimen import Defect, Specimen
from scoring.check import CheckInput

Make = Callable[[Sitting, str], Altered | None]


@dataclass(frozen=True)
class Recipe:
    """A way to spoil a candidate.

    Parameters
    ----------
    name
        Unique.
    strength
        What is asked of it; the defect's own strength is what came of it.
    make
        From a sitting and the strength to a false picture before style and compression; None where it does
        not apply to this product or nobody would see it.
    late
        The finished picture is spoilt instead, by this.
    plain
        Of those, whether it is a plain one; the others find out.
    often
        How many times as often as others it is made.
    """

    name: str
    strength: str
    make: Make | None = None
    late: Callable[[Sitting, Picture, str], Picture] | None = None
    plain: bool = False
    often: int = 1


def _ways(name: str, make: Make, strengths: str = "", often: int = 1) -> list[Recipe]:
    return [Recipe(name, strength, make, often=often) for strength in strengths.split("; ")]


def _late(
    name: str, late: Callable[[Sitting, Picture, str], Picture], strengths: str, plain: str = ""
) -> list[Recipe]:
    obvious = plain.split("; ")
    return [Recipe(name, one, late=late, plain=one in obvious) for one in strengths.split("; ")]


_AREAS = "1 %; 2 %; 4 %; 8 %"
_GRADES = "faint; clear; strong"
_THINGS = "0.15 % of picture; 0.4 % of picture; 1 % of picture"
_HEIGHTS = "14-20 px; 20-32 px; >32 px"

RECIPES: tuple[Recipe, ...] = (
    *_ways("text turned 180", text.turned_180, often=3),
    *_ways("text turned 90", text.turned_90, often=3),
    *_ways("text turned 270", text.turned_270, often=3),
    *_ways("text mirrored left-right", text.mirrored_across, often=3),
    *_ways("text mirrored top-bottom", text.mirrored_down, often=3),
    *_ways("text missing", text.missing, often=2),
    *_ways("letters swapped", text.letters_swapped, often=2),
    *_ways("letter replaced", text.letter_replaced, often=2),
    *_ways("letter doubled", text.letter_doubled, often=2),
    *_ways("letter dropped", text.letter_dropped, often=2),
    *_ways("text garbled", text.garbled, "mild; moderate; strong"),
    *_ways("extra text", added_text.word, _HEIGHTS),
    *_ways("extra text, gibberish", added_text.gibberish, _HEIGHTS),
    *_ways("extra text, mirrored", added_text.mirrored, _HEIGHTS),
    *_ways("extra text over a pattern", added_text.over_pattern, _HEIGHTS),
    *_ways("extra line under a label", added_text.under_label, "as high; two thirds as high"),
    *_ways("colour of one part", colour.one_part, "dE 2; dE 3; dE 5; dE 8", often=2),
    *_ways("colour of the whole", colour.whole, "dE 2; dE 3; dE 5; dE 8"),
    *_ways("colours exchanged", colour.exchanged, often=2),
    *_ways("part missing", shape.part_missing, _AREAS),
    *_ways("part added", shape.part_added, _AREAS),
    *_ways("part melted", shape.melted, _AREAS),
    *_ways("all melted", shape.melted_whole, "2 %; 4 %; 8 %"),
    *_ways("bottom warped", shape.bottom_warped, _AREAS),
    *_ways("hole", shape.hole, _AREAS),
    *_ways("blob", shape.blob, _AREAS),
    *_ways("smear", shape.smear, _AREAS),
    *_ways("scribble", shape.scribble, "1 %; 2 %; 4 %"),
    *_ways("wrong pattern", shape.wrong_pattern, _AREAS),
    *_ways("product turned away", shape.turned_away, "20 deg; 45 deg; 90 deg; 180 deg"),
    *_ways("art turned 180", pattern.logo_turned, often=2),
    *_ways("art mirrored left-right", pattern.logo_mirrored, often=2),
    *_ways("art mirrored top-bottom", pattern.logo_overturned, often=2),
    *_ways("wrong product", scene.wrong_product, "same kind; another kind"),
    *_ways("product missing", scene.product_missing, "shadow left; no shadow"),
    *_ways("product duplicated", scene.duplicated, "small; half; same"),
    *_ways("object appears", scene.object_appears, "0.5 % of picture; 1.5 % of picture; 4 % of picture"),
    *_ways("object in the shadow", shadowed.object_in_shadow, _THINGS),
    *_ways("base shifted", scene.base_shifted, "0.4 %; 0.8 %; 1.6 %; 4 %"),
    *_ways("background replaced", scene.background_replaced, often=2),
    *_ways("background recoloured", scene.background_recoloured, "dE 8; dE 15; dE 25"),
    *_ways("halo", scene.halo, _GRADES),
    *_ways("product too large", scene.too_large, "15 %; 25 %; 40 %"),
    *_ways("product too small", scene.too_small, "15 %; 25 %; 40 %"),
    *_ways("product moved", scene.moved, "6 %; 10 %; 16 %"),
    *_ways("floating", scene.floating, "1.5 %; 3 %; 6 %"),
    *_ways("shadow missing", scene.shadow_missing, often=2),
    *_late("VAE grid", picture.vae_grid, _GRADES),
    *_late("checkerboard", picture.checkerboard, _GRADES),
    *_late("banding", picture.banding, "24 levels; 16 levels; 10 levels"),
    *_late("JPEG", picture.compressed, "q30; q20; q10"),
    *_late("blur of the picture", picture.blurred, "sigma 2; sigma 3; sigma 5", "sigma 5"),
    *_late("blur of the product", picture.product_blurred, "sigma 2; sigma 3; sigma 5", "sigma 5"),
    *_late("noise", picture.noisy, "sigma 6; sigma 12; sigma 24", "sigma 24"),
    *_late("burn", picture.burnt, "mild; clear; strong", "strong"),
    *_late("seam", picture.seam, "3 levels; 6 levels; 12 levels"),
    *_late("black", picture.black, "all of it", "all of it"),
    *_late("flat", picture.flat, "all of it", "all of it"),
    *_late("clipped", picture.clipped, "1 stop; 1.5 stops; 2.5 stops", "2.5 stops"),
)


def spoil(sitting: Sitting, recipe: Recipe, name: str) -> Specimen | None:
    """Make one specimen that is wrong.

    Parameters
    ----------
    name
        Of the specimen within its take.

    Returns
    -------
    Specimen or None
        None where the recipe does not apply here.
    """
    take = sitting.take
    nuisance = sitting.nuisance
    defect: Defect
    if recipe.late is not None:
        # a codec after the fault would be another one; where it is the fault, it is the last
        done = finish(sitting.plain.picture, replace(nuisance, codec=""))
        candidate = recipe.late(sitting, done, recipe.strength)
        defect = Defect(recipe.name, recipe.strength, "artifacts", recipe.plain)
        if nuisance.codec and recipe.name != "JPEG":
            candidate = finish(candidate, Nuisance(codec=nuisance.codec, quality=nuisance.quality))
    else:
        assert recipe.make is not None
        altered = recipe.make(sitting, recipe.strength)
        if altered is None:
            return None
        nuisance, defect = altered.nuisance, altered.defect
        candidate = finish(altered.picture, nuisance)
    return Specimen(
        id=f"{take.product}/{name}",
        product=take.product,
        scene=take.scene.name,
        side=take.side,
        given=CheckInput(candidate, take.photo, take.truth, words=take.words),
        defect=defect,
        nuisance=asdict(nuisance),
    )


def generator(*key: int) -> np.random.Generator:
    """A generator for a place in the corpus: the same key, the same specimens."""
    return np.random.default_rng([23, *key])
