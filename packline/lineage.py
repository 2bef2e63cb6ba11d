"""Lineage: where a picture came from, as plain data, and the digest by which its files name it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packline.fingerprint import digest
from packline.records import CandidateRecord, ShotRecord


def lineage(shot: ShotRecord, candidate: CandidateRecord) -> dict[str, Any]:
    """Where a picture came from, as plain data.

    Returns
    -------
    dict
        ``shot``, ``candidate``, ``row``, ``product`` (digest of the row's content), ``model``, ``scene``,
        ``view``, ``fingerprint``, ``parts`` (digests by name), ``engine``, ``loras``, ``prompt``, ``seed``,
        ``variation``, ``references``, ``refine``, ``refined`` (`packline.candidate.Recipe`; not of candidates
        from before it was kept), ``checks``, ``passed``, ``scores`` (score, threshold, verdict and version by
        check), ``decided``, ``overridden`` (a person took it though checks had failed it), ``cost``,
        ``seconds``, ``notes`` (what was drawn nearly right).
    """
    recipe, card = candidate.candidate.recipe, candidate.scorecard
    return {
        "shot": shot.key,
        "candidate": candidate.candidate.id,
        "row": shot.row,
        "product": shot.product,
        "model": Path(shot.model).name,
        "scene": shot.scene,
        "view": shot.view,
        "fingerprint": shot.fingerprint,
        "parts": dict(shot.parts),
        "engine": recipe.engine,
        "loras": list(recipe.loras),
        "prompt": recipe.prompt,
        "seed": recipe.seed,
        "variation": recipe.variation,
        "references": list(recipe.references),
        "refine": recipe.refine,
        # what was made before this was kept has the lineage that it always had
        **({"refined": recipe.refined} if recipe.refined else {}),
        "checks": candidate.checks,
        "passed": card is not None and card.passed,
        "scores": {
            one.check: {
                "score": one.score,
                "threshold": one.threshold,
                "verdict": str(one.verdict),
                "version": one.version,
            }
            for one in (card.results if card else ())
        },
        "decided": shot.decided,
        "overridden": card is not None and not card.passed,
        "cost": candidate.candidate.cost,
        "seconds": candidate.candidate.seconds,
        "notes": list(shot.notes),
    }


def lineage_digest(facts: Mapping[str, Any]) -> str:
    """By what a file names a lineage: SHA-256 over it, 64 hexadecimal digits."""
    return digest(dict(facts), length=64)


def told(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a delivered file tells the world of its lineage: hashes and numbers.

    Prompts, names of files and of people are the tenant's own: a file holds hashes, the ledger has the rest.

    Returns
    -------
    dict
        ``lineage`` (`lineage_digest`), ``candidate``, ``row``, ``model``, ``scene``, ``fingerprint``,
        ``engine`` (``name``, ``architecture``, ``weights_sha256``), ``loras`` (``sha256``, ``strength``),
        ``prompt``, ``seed``, ``scorecard``, ``decided`` ("by the checks" or "by a person") and
        ``overridden``.
    """
    parts, engine = facts["parts"], facts["engine"]
    return {
        "lineage": lineage_digest(facts),
        "candidate": facts["candidate"],
        "row": facts["product"],
        "model": parts.get("the 3D model", ""),
        "scene": parts.get("the scene", ""),
        "fingerprint": facts["fingerprint"],
        "engine": {
            name: str(engine[name]) for name in ("name", "architecture", "weights_sha256") if name in engine
        },
        "loras": [
            {"sha256": str(one.get("sha256", "")), "strength": one.get("strength")} for one in facts["loras"]
        ],
        "prompt": digest(facts["prompt"], length=64),
        "seed": facts["seed"],
        "scorecard": digest(facts["checks"], facts["scores"], length=64),
        "decided": "by the checks" if facts["decided"] in ("", "checks") else "by a person",
        "overridden": facts["overridden"],
    }
