"""``packline provenance``: what a delivered file says of itself, and what the ledger knows of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from packline.candidate import refine_words
from packline.cli.table import console, table
from packline.provenance.reading import Manifest, Told, read_file
from packline.report.figures import plain_view
from packline.shots import number_of

if TYPE_CHECKING:
    from packline.ledger.origins import Origin
    from packline.ledger.presets import PresetVersion
    from packline.line.order import Order

_SOURCES = {
    "compositeWithTrainedAlgorithmicMedia": "a photo into which a trained model put something",
    "trainedAlgorithmicMedia": "made by a trained model",
    "digitalCapture": "taken with a camera",
}


def show_provenance(file: Path, order: Order | None) -> bool:
    """Print what a file says, and with an order what the ledger knows of it.

    Returns
    -------
    bool
        Whether the file says where it came from, nothing in it contradicts that, and the ledger, where one
        was asked, knows it.

    Raises
    ------
    GiveUp
        Where the file is no picture.
    FixSettings
        Where the settings, the certificate or the ledger cannot be read.
    """
    out = console()
    told = read_file(file, _anchors(order))
    _say(out, file, told)
    holds = bool(told.manifest.holds if told.manifest else told.words)
    if order is None:
        return holds
    from packline.ledger import Ledger

    ledger = Ledger(order.read_settings().ledger.url)
    try:
        data = file.read_bytes()
        origin = ledger.origin(hashlib.sha256(data).hexdigest(), told.lineage)
        presets = ledger.presets.of_candidate(origin.candidate) if origin else []
    finally:
        ledger.close()
    if origin is None:
        out.print(f"The ledger does not know it: {ledger.url}", highlight=False, markup=False)
        return False
    _trace(out, origin, presets)
    return holds and origin.whole


def _anchors(order: Order | None) -> str:
    """The tenant's own chain is trusted; without settings nobody is."""
    if order is None:
        return ""
    from packline.provenance.certificate import identity

    settings = order.read_settings()
    development = settings.run.work / "provenance" / "development.pem"
    # nothing is made here: who only reads a file leaves nothing behind
    known = settings.provenance.certificate is not None or development.is_file()
    return identity(settings).chain if known else ""


def _say(out: Console, file: Path, told: Told) -> None:
    width, height = told.size
    rows = [("file", f"{file.name}: {told.kind}, {width} x {height} pixels")]
    words = told.words
    if words:
        source = words.get("source", "")
        rows.append(("product", words.get("title", "not said")))
        rows.append(("made by", words.get("tool", "not said")))
        rows.append(("what it is", _source(source)))
        rows.append(("candidate", words.get("candidate", "not said")))
    else:
        rows.append(("words", "none: the file has no XMP"))
    rows += [("signature", line) for line in _signature(told.manifest)]
    if told.manifest and told.manifest.said:
        rows += _hashes(told.manifest.said)
    out.print(table("What the file says", ("", ""), rows))


def _signature(manifest: Manifest | None) -> list[str]:
    if manifest is None:
        return ["none: the file has no C2PA manifest"]
    if not manifest.holds:
        return [f"DOES NOT HOLD: {fault}" for fault in manifest.faults]
    by = " of ".join(name for name in (manifest.signer, manifest.organisation) if name)
    when = f" on {manifest.signed}" if manifest.signed else ""
    trust = "" if manifest.trusted else "; nobody you named vouches for the certificate"
    return [f"holds: signed by {by}{when}, and picture and words are as they were then{trust}"]


def _hashes(said: Mapping[str, Any]) -> list[tuple[str, str]]:
    engine = said.get("engine") or {}
    rows = [
        ("catalog row", str(said.get("row", ""))),
        ("3D model", str(said.get("model", ""))),
        ("scene", str(said.get("scene", ""))),
        ("engine", " ".join(str(one) for one in engine.values())),
        *(("LoRA", f"{one.get('sha256')} at {one.get('strength')}") for one in said.get("loras") or []),
        ("prompt", str(said.get("prompt", ""))),
        ("seed", str(said.get("seed", ""))),
        ("scorecard", str(said.get("scorecard", ""))),
        (
            "decided",
            str(said.get("decided", "")) + (", against the checks" if said.get("overridden") else ""),
        ),
        ("lineage", str(said.get("lineage", ""))),
    ]
    return [(name, value) for name, value in rows if value]


def _source(uri: str) -> str:
    if not uri:
        return "not said"
    meaning = _SOURCES.get(uri.rpartition("/")[2])
    return f"{meaning} ({uri})" if meaning else uri


def _trace(out: Console, origin: Origin, presets: Sequence[PresetVersion]) -> None:
    facts = origin.lineage
    file = origin.file
    rows = [
        (
            "published",
            f"on {origin.when:%Y-%m-%d %H:%M} UTC by run {origin.run} of catalogue {origin.catalog}",
        ),
        ("as", f"{file.use}, {file.key}" if file else "other bytes than these: the file was changed since"),
        ("shot", f"{origin.shot}, candidate {origin.candidate}"),
    ]
    if facts:
        rows += _lineage(facts)
    for preset in presets:
        said = f"{preset.facts.label}, version {preset.id} of {preset.when:%Y-%m-%d %H:%M} UTC by {preset.by}"
        rows.append(("LoRA preset", f"{said}, from {preset.file}"))
    for one in origin.decisions:
        words = f": {one.words}" if one.words else ""
        rows.append(("decision", f"{one.decision} by {one.by} on {one.when:%Y-%m-%d %H:%M} UTC{words}"))
    if not origin.whole:
        rows.append(
            ("but", "THE LEDGER'S LINEAGE WAS CHANGED: it has not the digest under which it was noted")
        )
    out.print()
    out.print(table("What the ledger knows", ("", ""), rows))
    if facts:
        out.print()
        out.print(_scores(facts["scores"]))


def _lineage(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    engine = facts["engine"]
    view = plain_view(facts["view"], number_of(facts["shot"]))
    rows = [
        ("catalog row", f"{facts['row']} ({facts['product']})"),
        ("3D model", f"{facts['model']} ({facts['parts'].get('the 3D model', '')})"),
        ("scene", f"{facts['scene']}, view {view} ({facts['parts'].get('the scene', '')})"),
        ("engine", ", ".join(f"{name} {value}" for name, value in engine.items())),
    ]
    for one in facts["loras"]:
        rows.append(("LoRA", f"{one.get('label')} at {one.get('strength')} ({one.get('sha256')})"))
    if facts.get("refine"):
        rows.append(("refine", refine_words(facts["refine"], facts.get("refined", {}))))
    rows += [
        ("prompt", facts["prompt"]),
        ("seed", str(facts["seed"])),
        ("cost", f"${facts['cost']:.4f}, {facts['seconds']:.1f} s"),
        (
            "decided by",
            ("the checks" if facts["decided"] in ("", "checks") else facts["decided"])
            + (", against the checks" if facts["overridden"] else ""),
        ),
    ]
    rows += [("note", note) for note in facts["notes"]]
    return rows


def _scores(scores: Mapping[str, Mapping[str, Any]]) -> Any:
    rows: Sequence[Sequence[str]] = [
        (
            name.replace("_", " "),
            f"{one['score']:.3f}",
            f"{one['threshold']:.3f}",
            one["verdict"],
            one["version"],
        )
        for name, one in scores.items()
    ]
    return table("Scores", ("check", "score", "threshold", "verdict", "version"), rows, right=(1, 2))
