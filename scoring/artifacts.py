"""Is the picture whole? Defects that show whatever the product is; each is a look in `scoring.looks`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from packline.scorecard import CheckResult, Verdict
from scoring.check import Check, CheckInput, CheckSettings
from scoring.looks.compression import banded, blocky, smeared
from scoring.looks.edit import duplicated, seamed, untouched
from scoring.looks.exposure import clipped, flat, saturated
from scoring.looks.finding import Finding
from scoring.looks.pattern import latticed, noisy
from scoring.looks.sharpness import blurred, soft_product
from scoring.looks.sight import Sight


class ArtifactSettings(CheckSettings):
    """``[checks.artifacts]``."""


LOOKS: tuple[Callable[[Sight], Finding], ...] = (
    clipped,
    saturated,
    noisy,
    blurred,
    soft_product,
    blocky,
    smeared,
    banded,
    latticed,
    seamed,
    untouched,
    duplicated,
)


def judge(inputs: Sequence[CheckInput], settings: ArtifactSettings) -> list[CheckResult]:
    """Look for every defect in every candidate; the worst finding is the score; see `Check.judge`."""
    return [_judge(one, settings) for one in inputs]


def _judge(one: CheckInput, settings: ArtifactSettings) -> CheckResult:
    if one.problem:
        return CHECK.result(0.0, settings.threshold, one.problem, verdict=Verdict.FAIL)
    blank = flat(one)
    if blank.score < settings.threshold:
        # nothing else means anything on an empty picture
        return CHECK.result(blank.score, settings.threshold, blank.sentence, blank.evidence)
    sight = Sight(one)
    findings = sorted([blank, *(look(sight) for look in LOOKS)], key=lambda finding: finding.score)
    bad = [finding for finding in findings if finding.score < settings.enough]
    evidence = tuple(item for finding in bad for item in finding.evidence)
    sentence = " ".join(finding.sentence for finding in bad[:3])
    return CHECK.result(
        findings[0].score,
        settings.threshold,
        sentence or "No defects of the picture were found.",
        evidence,
        measures={finding.name.replace(" ", "_"): finding.value for finding in findings},
    )


CHECK = Check("artifacts", "7", ArtifactSettings, {"threshold": 0.5}, judge)
