"""A made-up catalog of any size with a ledger in which every shot of it is published.

Every SKU owes one shot in one of 20 scenes. Ten SKUs share a model: a tiny .glb with a sidecar of its own, in
folders of a thousand. One row in ten names a LoRA, one in three declares a label's direction.

The ledger's rows are written directly, in the sizes that real ones have: what planning notes (with Packline's
own fingerprints), and what would take a graphics card months after it: a candidate, its scorecard, decision,
select, publication and the release.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from packline.assets import TICK, Assets
from packline.catalog import ProductReader
from packline.delivery import delivery_digests
from packline.ledger.planning import product_row, shot_row
from packline.line import Line, Order

HOME = Path(__file__).parents[1]
SCENES, SHARE = 20, 10
NAME = "scale"

_SETTINGS = """
[run]
name = "{name}"
tenant = "bench"
work = "work"
chunk = 50
size = 1024
[paths]
models = "3d"
scenes = "scenes"
loras = "{home}/assets/loras/presets.json"
[engine]
architecture = "flux2-klein-embedded"
model = "{home}/assets/models/editor"
size = 256
steps = 2
price = 0.01
[prompt]
template = "{{references}} put the {{title}} into image 1 as image 2 shows it, with {{light}}. {{trigger}}"
[bucket]
url = "bucket"
[ledger]
url = "ledger.db"
"""


def write_catalog(folder: Path, skus: int) -> Path:
    """Write settings, models, scenes and rows; returns the catalog's file."""
    (folder / "scenes").mkdir(parents=True)
    for number in range(SCENES):
        _write_scene(folder / "scenes" / f"scene-{number:02}.json")
    for number in range(-(-skus // SHARE)):
        _write_model(folder / "3d" / f"{number // 1000:04}" / f"model-{number:06}.glb", number)
    (folder / f"{NAME}.toml").write_text(_SETTINGS.format(name=NAME, home=HOME))
    catalog = folder / f"{NAME}.csv"
    with catalog.open("w") as stream:
        stream.write("sku,title,model,scenes,labels,lora,lora_strength,colour\n")
        stream.writelines(f"{row(number)}\n" for number in range(skus))
    return catalog


def row(number: int, title: str = "") -> str:
    """A row's text; another title makes it another product."""
    model = number // SHARE
    file = f"{model // 1000:04}/model-{model:06}.glb"
    label = f"LABEL {model} = left to right" if number % 3 == 0 else ""
    lora = "warm evening light" if number % 10 == 0 else ""
    words = title or f"glazed stoneware mug no. {number} with handle"
    return f'SKU-{number:07},"{words}",{file},scene-{number % SCENES:02}:hero,{label},{lora},,blue'


def change_row(catalog: Path, number: int) -> None:
    """Give one row another title, in place."""
    old, new = row(number), row(number, f"matt stoneware mug no. {number} without handle")
    with catalog.open("r") as before, catalog.with_suffix(".new").open("w") as after:
        after.writelines(new + "\n" if line == old + "\n" else line for line in before)
    catalog.with_suffix(".new").replace(catalog)


def publish_all(catalog: Path, checks: str) -> None:
    """Write what planning, making and publishing the whole catalog would have left in the ledger."""
    # files that were written just now would have to be read twice
    time.sleep(TICK / 1e9 + 1)
    line = Line(Order(catalog), checks)
    settings = line.settings
    run = line.ledger.begin_run(NAME, {})
    line.ledger.record_deliveries(NAME, delivery_digests(settings))
    connection = sqlite3.connect(catalog.parent / "ledger.db", isolation_level=None)
    # nothing of this is measured
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    shots = sum(_plan(connection, line, run))
    hero = delivery_digests(settings)
    for statement in _STATEMENTS:
        connection.execute(
            statement,
            {
                "run": run,
                "checks": checks,
                "recipe": json.dumps(_RECIPE),
                "results": json.dumps(_RESULTS),
                "lineage": "a" * 64,
                "picture": str(catalog.parent / "work" / "candidates"),
                "name": NAME,
                "images": shots,
            },
        )
    for use, delivery in hero.items():
        connection.execute(_PUBLICATIONS, {"run": run, "use": use, "delivery": delivery})
    connection.execute("COMMIT")
    connection.close()
    ledger = line.ledger
    ledger.releases.confirm(NAME, "dev", "r" * 16, ledger.releases.mark(NAME))
    ledger.end_run(run, "completed", {})
    ledger.close()
    connection = sqlite3.connect(catalog.parent / "ledger.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _plan(connection: sqlite3.Connection, line: Line, run: str) -> Iterator[int]:
    """What planning notes of each row, written as plainly as it goes; how many shots each batch owes."""
    assets = Assets()
    planner, reader = line.planner(assets), ProductReader(line.settings)
    recorded = "2026-01-01 00:00:00.000000"
    _insert(connection, "catalogs", [{"name": NAME, "run": run}])
    for batch in line.catalog.rows():
        products, shots, states, rows = [], [], [], []
        for number, fields in batch:
            product, wrong = reader.read(number, fields, number)
            assert product is not None, wrong
            content = product_row(NAME, run, product)
            products.append({**content, "recorded": recorded})
            rows.append(
                {"catalog": NAME, "sku": product.sku, "digest": planner.row_digest(fields), "row": number}
            )
            for place, planned in enumerate(planner.shots(product)):
                shots.append(shot_row(NAME, run, place, planned, content["digest"]))
                states.append(
                    {
                        "shot": planned.shot.key,
                        "fingerprint": planned.fingerprint,
                        "checks": planned.checks,
                        "state": "published",
                        "candidate": f"{planned.fingerprint[:12]}c0",
                        "reason": "",
                        "sentence": "",
                        "decided": "checks",
                        "run": run,
                    }
                )
        _insert(connection, "products", products)
        _insert(connection, "shots", shots)
        _insert(connection, "shot_states", states)
        _insert(connection, "catalog_rows", rows)
        _insert(connection, "assets", [asdict(asset) for asset in assets.news()])
        yield len(shots)


def _insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    names = list(rows[0])
    columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
    values = (
        [json.dumps(one) if isinstance(one, dict | list | tuple) else one for one in row.values()]
        for row in rows
    )
    connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)


_ID = "substr(s.fingerprint, 1, 12) || 'c0'"
_STATEMENTS = (
    f"""INSERT INTO candidates (id, run, shot, fingerprint, wave, number, seed, prompt, recipe, picture, edit,
    truth, seconds, cost, recorded) SELECT {_ID}, :run, s.key, s.fingerprint, 1, 0, 7,
    'put the ' || s.title || ' into image 1 as image 2 shows it',
    json_set(:recipe, '$.shot', s.key, '$.fingerprint', s.fingerprint),
    :picture || {_ID} || '.png', :picture || {_ID} || '-edit.png', :picture || s.fingerprint,
    1.5, 0.01, datetime(1770000000 + s.rowid, 'unixepoch') FROM shots s""",
    f"""INSERT INTO scorecards (run, candidate, checks, passed, score, results, recorded)
    SELECT :run, {_ID}, :checks, 1, 0.9, :results, datetime('now') FROM shots s""",
    """INSERT INTO decisions (run, shot, fingerprint, candidate, decision, "by", words, recorded)
    SELECT run, shot, fingerprint, id, 'approve', 'checks', '', recorded FROM candidates""",
    """INSERT INTO selects (run, shot, fingerprint, candidate, scorecard, decision, recorded)
    SELECT d.run, d.shot, d.fingerprint, d.candidate, d.id, d.id, d.recorded FROM decisions d""",
    """INSERT INTO releases (catalog, name, manifest, sha256, size, parquet, parquet_sha256, parquet_size,
    images, files, total, run, recorded) VALUES (:name, 'rrrrrrrrrrrrrrrr', 'm.json', :lineage, 1,
    'm.parquet', :lineage, 1, :images, :images, 1, :run, datetime('now'))""",
    f"""INSERT INTO release_items (catalog, shot, release, gone, candidate, fingerprint, checks, decided,
    files, parts) SELECT s.catalog, s.key, 1, 0, {_ID}, s.fingerprint, :checks, 'checks', s.product, s.parts
    FROM shots s""",
    """INSERT INTO moves (catalog, environment, kind, from_release, to_release, "by", why, run, pointer,
    before, after, recorded) VALUES (:name, 'dev', 'release', NULL, 1, 'run', '', :run, 'p', '', :lineage,
    datetime('now'))""",
    "INSERT INTO move_ends (move, outcome, recorded) VALUES (1, 'moved', datetime('now'))",
)
_PUBLICATIONS = f"""INSERT INTO publications (run, shot, fingerprint, candidate, use, key, sha256, size,
    delivery, width, height, lineage, recorded) SELECT :run, s.key, s.fingerprint, {_ID}, :use,
    'bench/scale/images/' || s.key || '/' || s.fingerprint || :use || '.png',
    s.fingerprint || s.fingerprint || s.fingerprint || s.fingerprint, 1500000, :delivery, 1024, 1024,
    s.fingerprint, datetime('now') FROM shots s"""
_RECIPE = {
    "engine": {"name": "embedded", "weights_sha256": "w" * 64, "steps": 2, "size": 256, "dtype": "float32"},
    "references": ["r" * 32] * 4,
    "loras": [
        {"label": "warm evening light", "sha256": "l" * 64, "strength": 0.8, "trigger": "in warm light"}
    ],
    "variation": {"shift": [0.01, 0.02], "turn": 1.5, "scale": 1.01},
    "prompt": "put the glazed stoneware mug into image 1 as image 2 shows it, with soft daylight. " * 3,
    "refine": "product",
    "wave": 1,
    "number": 0,
    "seed": 7,
}
_RESULTS = [
    {
        "check": f"check_{number}",
        "version": "3",
        "verdict": "pass",
        "score": 0.91,
        "threshold": 0.5,
        "sentence": "every letter of the label reads as on the model",
        "evidence": [],
        "measures": {"share": 0.3},
        "milliseconds": 40.0,
    }
    for number in range(10)
]


def _write_model(file: Path, number: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"asset": {"version": "2.0"}, "extras": {"number": number}}).encode()
    text += b" " * (-len(text) % 4)
    chunk = struct.pack("<I4s", len(text), b"JSON") + text
    file.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunk)) + chunk)
    label = {"id": "front", "text": f"LABEL {number}", "quad": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    file.with_name(f"{file.stem}.truth.json").write_text(json.dumps({"labels": [label]}))


def _write_scene(file: Path) -> None:
    Image.new("RGB", (256, 256), (120, 110, 100)).save(file.with_suffix(".jpg"))
    grey = [1, 1, 1]
    light = {"key_direction": [0, 1, 0], "key_colour": grey, "sky_colour": grey, "ground_colour": grey}
    scene = {
        "image": f"{file.stem}.jpg",
        "words": f"a table in {file.stem}",
        "camera": {"eye": [0, 0.3, 1], "target": [0, 0, 0], "fov_y": 40.0, "width": 256, "height": 256},
        "ground": {"point": [0, 0, 0], "normal": [0, 1, 0]},
        "place": {"position": [0, 0, 0], "yaw": 0, "fit": [0.3, 0.3]},
        "light": light,
    }
    file.write_text(json.dumps(scene))
