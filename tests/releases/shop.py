"""A shop for tests of releases: shots by the dozen that are published without a picture being made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from packline.bucket import Bucket, escape
from packline.candidate import Candidate, Recipe
from packline.catalog import Catalog
from packline.fingerprint import digest
from packline.ledger import Ledger
from packline.records import PlannedShot, Published
from packline.releases.making import Made, publish_release
from packline.releases.site import Site
from packline.shots import Product, Shot
from tests.parts import new_run, scorecard

CHECKS = "checks-1"


class Shop:
    """A catalog "demo" of the tenant "acme" in a ledger and a bucket.

    Parameters
    ----------
    folder
        For manifests while they are written.
    """

    def __init__(self, folder: Path, ledger: Ledger, bucket: Bucket) -> None:
        self.folder, self.ledger, self.bucket = folder, ledger, bucket
        self.site = Site(bucket, ledger, "acme", "demo")
        self.run = ""
        self.planned: dict[str, PlannedShot] = {}

    def plan(self, looks: dict[str, str], checks: str = CHECKS) -> None:
        """Begin a run on a catalog of these SKUs; another look is another fingerprint."""
        self.run = new_run(self.ledger)
        products = [
            Product(sku, f"{look} shoe", self.folder / "shoe.glb", (("table", "hero"),), row=row)
            for row, (sku, look) in enumerate(looks.items(), 1)
        ]
        self.ledger.record_catalog(
            self.run, Catalog("demo", self.folder / "demo.csv", "c" * 64, tuple(products), ())
        )
        shots = []
        for product in products:
            shot = Shot(product, "table", "hero")
            parts = {"the 3D model": digest("model"), "the title": digest(product.title)}
            shots.append(PlannedShot(shot, digest(parts, shot.key), checks, parts=parts))
        self.planned = {one.shot.product.sku: one for one in self.ledger.plan(self.run, shots)}

    def publish(
        self,
        skus: Iterable[str],
        number: int = 0,
        *,
        passes: bool = True,
        by: str = "checks",
        uses: str = "hero",
    ) -> None:
        """Make, score, select and publish a candidate for each of these SKUs."""
        for sku in skus:
            shot = self.planned[sku]
            place = shot.shot.key, shot.fingerprint
            candidate = self.candidate(sku, number)
            self.ledger.record_candidate(self.run, candidate)
            self.ledger.record_scorecard(self.run, candidate.id, shot.checks, scorecard(passes))
            self.ledger.select(self.run, *place, candidate.id, by)
            self.ledger.record_published(
                self.run, *place, candidate.id, [self.put(sku, candidate.id, use) for use in uses.split()]
            )

    def candidate(self, sku: str, number: int = 0) -> Candidate:
        """A candidate without a picture."""
        shot = self.planned[sku]
        lora = {"label": "warm", "sha256": "b" * 64, "strength": 0.8, "trigger": "warm style"}
        engine = {"name": "embedded", "architecture": "klein", "weights_sha256": "w" * 64, "steps": 4}
        recipe = Recipe(
            shot.shot.key,
            shot.fingerprint,
            1,
            number,
            1000 + number,
            "put it there",
            ("r1",),
            engine,
            (lora,),
        )
        nowhere = self.folder / "nowhere"
        return Candidate(digest(recipe.__dict__), recipe, nowhere, nowhere, nowhere, 1.5, 0.02)

    def put(self, sku: str, candidate: str, use: str = "hero") -> Published:
        """An object that shows a candidate."""
        data = f"{candidate} as {use}".encode()
        sha256 = hashlib.sha256(data).hexdigest()
        key = f"acme/demo/images/{escape(sku)}/table-hero/{use}-{sha256[:16]}.png"
        self.bucket.put(key, data, "image/png")
        return Published(use, key, sha256, len(data), width=1024, height=768)

    def release(self, environment: str = "dev") -> Made | None:
        """Let an environment show what is published."""
        return publish_release(self.site, environment, self.run, self.folder / "work")

    def released(self, environment: str = "dev") -> Made:
        """As `release`, where there is something to show."""
        made = self.release(environment)
        assert made is not None
        return made
