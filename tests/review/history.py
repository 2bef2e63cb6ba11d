"""Weeks of plausible history in a house's ledger: runs, verdicts, flags, publications, people's decisions."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from packline.ledger import schema as t
from packline.records import ShotRecord
from tests.review.house import CATALOG, CHECKS, House

# how often each passes at first, and what each day changes
NAMES = {
    "text_orientation": (0.9, -0.008), "shape": (0.93, 0.0), "colour": (0.9, 0.0), "artifacts": (0.7, 0.006),
    "scene_kept": (0.97, 0.0), "extra_text": (0.95, 0.0), "pattern": (0.88, -0.002),
}  # fmt: skip
REASONS = ("text_orientation", "artifacts", "shape", "needs a person", "colour", "engine")


def add_history(house: House, days: int = 30, decisions: int = 220, seed: int = 7) -> None:
    """A run every other day with its figures, and so many decisions on the house's own shots."""
    draw = random.Random(seed)
    start = t.now().replace(hour=0, minute=5) - timedelta(days=days - 1)
    rows: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (t.runs, t.verdict_tallies, t.candidates, t.publications, t.flags, t.decisions)
    }
    like = house.shots[0].candidates[0].candidate
    for number in range(0, days, 2):
        run, began = f"run-{number:03d}", start + timedelta(days=number)
        made, hours = draw.randrange(40, 90), draw.uniform(0.6, 1.6)
        rows[t.runs].append({
            "id": run, "catalog": CATALOG, "catalog_file": "", "catalog_sha256": "", "state": "completed",
            "started": began, "ended": began + timedelta(hours=hours), "parameters": {}, "summary": {},
        })  # fmt: skip
        for name, (rate, drift) in NAMES.items():
            passed = sum(draw.random() < rate + drift * number for _ in range(made))
            unsure = (made - passed) // 4
            for verdict, times in (
                ("pass", passed), ("fail", made - passed - unsure), ("unverifiable", unsure)
            ):  # fmt: skip
                rows[t.verdict_tallies].append({"run": run, "name": name, "verdict": verdict, "times": times})
        for one in range(made):
            identity = f"h{number:05d}{one:010d}"
            place = {"shot": f"H-{one}/oak/hero", "fingerprint": f"h{number}"}
            rows[t.candidates].append({
                **like.to_dict(), **place, "id": identity, "run": run, "recipe": asdict(like.recipe),
                "wave": 1, "number": one, "seed": 1, "prompt": "", "seconds": draw.uniform(6, 11),
                "cost": draw.uniform(0.02, 0.03), "recorded": began,
            })  # fmt: skip
            if draw.random() < 0.35:
                rows[t.publications].append({
                    **place, "run": run, "candidate": identity, "use": "hero", "key": identity, "size": 1,
                    "sha256": "0" * 64, "recorded": began,
                })  # fmt: skip
        for _ in range(draw.randrange(4, 14)):
            rows[t.flags].append({
                "run": run, "shot": "H", "fingerprint": "h", "checks": CHECKS, "sentence": "",
                "reason": draw.choices(REASONS, (9, 6, 4, 3, 2, 1))[0], "recorded": began,
            })  # fmt: skip
    for number in range(decisions):
        shot = draw.choice(house.shots)
        at = start + timedelta(days=(days - 1) * (number + 1) / (decisions + 2))
        rows[t.flags].append({
            "run": house.run, "shot": shot.key, "fingerprint": shot.fingerprint, "checks": CHECKS,
            "sentence": "", "reason": "shape", "recorded": at - timedelta(hours=draw.lognormvariate(1, 1)),
        })  # fmt: skip
        rows[t.decisions].append(_decision(house, shot, draw, number) | {"recorded": at})
    with house.ledger._write() as connection:
        for table, some in rows.items():
            connection.execute(insert(table), some)


def _decision(house: House, shot: ShotRecord, draw: random.Random, number: int) -> dict[str, Any]:
    faulty = draw.choice(["text_orientation", "artifacts", "shape", "", "", ""])
    scores, tags = {}, []
    for name in NAMES:
        bad = name == faulty
        # artifacts is too strict for people, shape too lenient
        lean = {"artifacts": -0.16, "shape": 0.16}.get(name, 0.0)
        score = min(1.0, max(0.0, draw.gauss(0.35 if bad else 0.82, 0.1) + lean))
        unsure = draw.random() < 0.05
        verdict = "unverifiable" if unsure else "pass" if score >= 0.6 else "fail"
        scores[name] = {"score": round(score, 3), "threshold": 0.6, "verdict": verdict, "version": "1"}
        tags += [name] if bad else []
    return {
        "run": house.run, "shot": shot.key, "fingerprint": shot.fingerprint, "catalog": CATALOG,
        # each decision is another person's, so that all count
        "by": f"{draw.choice(['Anna', 'Ben'])} {number}",
        "candidate": draw.choice(shot.candidates).candidate.id,
        "decision": "reject" if faulty else "approve", "tags": tags, "scores": scores, "checks": CHECKS,
        "words": draw.choice(["", "", "The grain is on the carton itself.", "The lid is bent."]),
        "before": "flagged", "after": "rejected" if faulty else "selected",
    }  # fmt: skip


def add_arms(house: House, engines: tuple[str, ...] = ("alpha", "beta")) -> None:
    """Give every shot one candidate of each engine, in pictures that differ."""
    for position, shot in enumerate(house.shots):
        for number, engine in enumerate(engines):
            record = shot.candidates[number % len(shot.candidates)]
            made = record.candidate
            recipe = replace(
                made.recipe,
                shot=shot.key,
                fingerprint=f"arm-{engine}",
                engine={**made.recipe.engine, "name": engine, "steps": 4},
                loras=(),
            )
            identity = f"{engine}-{position:04d}"
            house.ledger.record_candidate(house.run, replace(made, id=identity, recipe=recipe))
            assert record.scorecard is not None
            house.ledger.record_scorecard(house.run, identity, CHECKS, record.scorecard)
