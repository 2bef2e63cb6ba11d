"""The demo catalogue on a small scale: real products, scenes, LoRAs, renders, weights, checks at 256 px."""

from __future__ import annotations

from pathlib import Path

from scoring import registry

ROOT = Path(__file__).parents[2]
PRICE = 0.01
BATCH = 2
# quick, and between them they pass and fail: the others are tested on their own
CHECKS = {"artifacts": "threshold = 0.02", "scene_kept": "threshold = 0.15", "colour": ""}
STRICTER = {"scene_kept": "threshold = 0.2"}
SETTINGS = """
[run]
name = "demo"
tenant = "demo"
work = "work"
chunk = 4
size = 256
[paths]
models = "{root}/assets/3d"
scenes = "{root}/assets/scenes"
loras = "{root}/assets/loras/presets.json"
[engine]
architecture = "flux2-klein-embedded"
model = "{root}/assets/models/editor"
device = "cpu"
size = 256
steps = 2
guidance = 1.0
batch = {batch}
refine = "product"
price = {price}
[candidates]
wave = "adaptive"
waves = 2
largest = 2
[prompt]
template = "{{references}} put the {{title}} into image 1 as image 2 shows it, with {{light}}. {{trigger}}"
[bucket]
url = "bucket"
parallel = 2
[ledger]
url = "{ledger}"
[formats.hero]
format = "png"
[formats.thumbnail]
format = "jpeg"
crop = "fill"
width = 96
height = 96
"""


def build(folder: Path, ledger: str, products: int = 0) -> Path:
    """Write catalogue and settings into a folder; the assets stay where they are.

    Parameters
    ----------
    ledger
        Its URL.
    products
        Only so many of the demo's rows; 0 means all.
    """
    folder.mkdir(parents=True)
    header, *rows = (ROOT / "catalogs" / "demo.csv").read_text().splitlines()
    catalog = folder / "demo.csv"
    catalog.write_text("\n".join([header, *(rows[:products] if products else rows)]) + "\n")
    settings = SETTINGS.format(root=ROOT, batch=BATCH, price=PRICE, ledger=ledger)
    catalog.with_suffix(".toml").write_text(settings + checks(CHECKS))
    return catalog


def checks(chosen: dict[str, str]) -> str:
    """The settings of the checks: those that are chosen, and no other."""
    said = [f"[checks.{name}]\n{words}\n" for name, words in chosen.items()]
    others = [name for name in registry.checks() if name not in chosen]
    return "".join(said + [f"[checks.{name}]\nenabled = false\n" for name in others])


def change_checks(catalog: Path) -> None:
    """Ask more of the candidates: those that are stored are judged anew, and fewer pass."""
    file = catalog.with_suffix(".toml")
    text = file.read_text()
    for name, words in STRICTER.items():
        assert f"[checks.{name}]\n{CHECKS[name]}\n" in text
        text = text.replace(f"[checks.{name}]\n{CHECKS[name]}\n", f"[checks.{name}]\n{words}\n")
    file.write_text(text)


def change_rows(catalog: Path) -> None:
    """Take the first product off, and call the second something else."""
    header, _, second, *rows = catalog.read_text().splitlines()
    sku, title, *others = second.split(",")
    catalog.write_text("\n".join([header, ",".join([sku, f"fine {title}", *others]), *rows]) + "\n")
