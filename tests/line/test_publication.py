"""Publishing a chunk: what cannot be published of one shot keeps no other from it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from packline.catalog import Catalog
from packline.ledger import Ledger
from packline.line.chunks import work_carefully
from packline.line.line import Line
from packline.line.order import Order
from packline.line.publication import publish
from packline.plan import plan_shots
from packline.records import ShotState
from packline.shots import Product
from tests.parts import make_candidate, make_folder, scorecard

CHECKS = "checks-1"


def test_a_select_of_other_pixels_than_were_checked_is_flagged_and_the_others_are_published(
    tmp_path: Path,
) -> None:
    settings = make_folder(tmp_path)
    ledger = Ledger(settings.ledger.url)
    model = tmp_path / "3d" / "shoe.glb"
    products = tuple(Product(f"S{n}", "red shoe", model, (("table", "hero"),), row=n) for n in range(3))
    catalog = Catalog("demo", tmp_path / "demo.csv", "c" * 64, products, ())
    run = ledger.begin_run("demo", {})
    ledger.record_catalog(run, catalog)
    for number, planned in enumerate(ledger.plan(run, plan_shots(catalog, settings, {}, CHECKS))):
        key, fingerprint = planned.shot.key, planned.fingerprint
        made = make_candidate(tmp_path / "work", key, fingerprint, 0, colour=number)
        if number == 1:
            cv2.imwrite(str(made.picture), np.full((256, 256), 10_280, np.uint16))
        ledger.record_candidate(run, made)
        ledger.record_scorecard(run, made.id, CHECKS, scorecard())
        ledger.select(run, key, fingerprint, made.id)

    line, noted = Line(Order(tmp_path / "demo.csv"), CHECKS), set[str]()
    line.__dict__.update(settings=settings, ledger=ledger)
    work_carefully(
        line,
        run,
        ledger.publishable(run),
        lambda shot: shot.key,
        lambda some: publish(line, run, some, noted),
        reason="publication",
    )

    first, refused, last = sorted(ledger.shots("demo"), key=lambda shot: shot.key)
    assert (first.state, refused.state, last.state) == (
        ShotState.PUBLISHED,
        ShotState.FLAGGED,
        ShotState.PUBLISHED,
    )
    assert refused.reason == "publication" and "has 16 bits a channel" in refused.sentence
    assert len(line.bucket.list()) == 2
