"""The demo catalogue on a small scale: real products, scenes, LoRAs, renders, weights and checks at 256 pixels."""

from __future__ import annotations

import re
from pathlib import Path

from scoring import registry

ROOT = Path(__file__).parents[2]
NAME = "demo"
PRICE = 0.01
BATCH = 2
# quick, and between them they pass and fail: the others are tested on their own
CHECKS = {"artifacts": "threshold = 0.02", "scene_kept": "threshold = 0.15", "colour": ""}
STRICTER = {"scene_kept": "threshold = 0.2"}
FORMATS = """
[formats.hero]
format = "png"
[formats.thumbnail]
format = "jpeg"
width = 96
height = 96
crop = "fill"

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
    catalog = folder / f"{NAME}.csv"
    catalog.write_text("\n".join([header, *(rows[:products] if products else rows)]) + "\n")
    settings = (ROOT / "catalogs" / "demo.toml").read_text()
    settings = re.split(r"(?m)^\[checks\.", settings)[0]
    settings = settings.replace('"../assets/', f'"{ROOT}/assets/')
    for key, value in (
        ("work", '"work"'),
        ("chunk", "4"),
        ("size", "256"),
        ("batch", str(BATCH)),
        ("price", str(PRICE)),
        ("wave", "1"),
        ("url", '"bucket"'),
        ("device", '"cpu"'),
    ):
        settings, found = re.subn(rf"(?m)^{key} = \S+", f"{key} = {value}", settings, count=1)
        assert found, key
    settings = re.sub(r'(?m)^url = "../work/ledger.db"', f'url = "{ledger}"', settings)
    assert f'url = "{ledger}"' in settings
    catalog.with_suffix(".toml").write_text(settings + FORMATS + checks(CHECKS))
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
