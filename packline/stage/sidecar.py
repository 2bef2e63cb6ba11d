"""Writing labels: proposals beside a model, and the sidecar that they go into once a person accepts them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packline.errors import GiveUp
from packline.stage.files import model_digest, sidecar_of
from packline.stage.propose import Proposal


@dataclass(frozen=True)
class Accepted:
    """What was moved into a sidecar: its file, and the ids and texts of the labels."""

    file: Path
    labels: tuple[tuple[str, str], ...]


def proposals_of(model: Path, folder: Path | None = None) -> Path:
    """Where a model's proposals are written: beside it, or in `folder`."""
    return (folder or model.parent) / f"{model.stem}.truth.proposed.json"


def write_proposals(model: Path, proposals: Sequence[Proposal], folder: Path | None = None) -> Path:
    """Write proposals for a person to look at; nothing reads them but `accept`.

    Raises
    ------
    GiveUp
        Where the folder cannot be written.
    """
    file = proposals_of(model, folder)
    content = {
        "model": model.name,
        "of": _hash_of(model),
        "proposals": [
            {
                "id": one.label.id,
                "text": one.label.text,
                "material": one.label.material,
                "quad": [list(corner) for corner in one.label.quad],
                "confidence": one.confidence,
                "views": one.views,
                "known": one.known,
            }
            for one in proposals
        ],
    }
    _write(file, content, "give a folder with --out")
    return file


def accept(
    model: Path, ids: Sequence[str] = (), texts: Mapping[str, str] | None = None, folder: Path | None = None
) -> Accepted:
    """Move proposals into the model's sidecar, which keeps everything else that it says.

    Parameters
    ----------
    ids
        Which to accept; empty: all that are new.
    texts
        For an id what its label says, where the reader was wrong.
    folder
        Where the proposals lie and the sidecar is written; None: beside the model.

    Raises
    ------
    GiveUp
        Where there are no proposals, an id is unknown or taken, the model has changed since, or a file is
        malformed or cannot be written.
    """
    texts = dict(texts or {})
    file = proposals_of(model, folder)
    content = _read(file, f"propose labels first: packline truth propose {model}")
    proposals = {str(one["id"]): one for one in content.get("proposals", [])}
    if content.get("of") != _hash_of(model):
        raise GiveUp(f"{file.name} was made for another version of {model.name}; propose its labels anew.")
    new = [name for name, one in proposals.items() if not one.get("known")]
    for name in (*ids, *texts):
        if name not in proposals:
            known = ", ".join(proposals) or "none"
            raise GiveUp(
                f"Label {name!r} is not among the proposals in {file.name} ({known}); correct the id."
            )
        if name not in new:
            raise GiveUp(f"Label {name!r} is annotated already; change it in the sidecar.")
    chosen = list(dict.fromkeys(ids)) or new
    for name in texts:
        if name not in chosen:
            raise GiveUp(f"Label {name!r} is given a text but is not accepted; add --label {name}.")
    sidecar = sidecar_of(model) if folder is None else folder / sidecar_of(model).name
    # a folder of its own starts from what lies beside the model
    source = sidecar if sidecar.is_file() else sidecar_of(model)
    data = _read(source, "") if source.is_file() else {}
    labels = data.setdefault("labels", [])
    taken = {str(label.get("id")) for label in labels}
    moved = []
    for name in chosen:
        if name in taken:
            raise GiveUp(f"{source.name} has a label {name!r} already; change it there.")
        one = proposals[name]
        text = texts.get(name, str(one["text"])).strip()
        if not text:
            raise GiveUp(f"Label {name!r} has no text; give it with --text {name}=TEXT.")
        labels.append({"id": name, "text": text, "material": one["material"], "quad": one["quad"]})
        moved.append((name, text))
    if moved:
        _write(sidecar, data, "give a folder with --out")
        content["proposals"] = [one for name, one in proposals.items() if name not in chosen]
        _write(file, content, "give a folder with --out")
    return Accepted(sidecar, tuple(moved))


def _hash_of(model: Path) -> str:
    """Of the model without its sidecar, which accepting changes."""
    return model_digest(model, model.with_name(f"{model.stem}.no-sidecar"))


def _read(file: Path, mend: str) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise GiveUp(f"{file} is missing; {mend}.") from error
    except (OSError, ValueError) as error:
        raise GiveUp(f"{file} cannot be read ({error}); mend it or delete it.") from error
    if not isinstance(data, dict) or not isinstance(data.get("labels", []), list):
        raise GiveUp(f"{file} is malformed; see docs/models.md.")
    return data


def _write(file: Path, content: Mapping[str, Any], mend: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(_laid_out(content))
        part.replace(file)
    except OSError as error:
        raise GiveUp(f"{file} cannot be written ({error.strerror}); {mend}.") from error


def _laid_out(content: Mapping[str, Any]) -> str:
    """JSON that a person can edit: one line a corner list."""
    quads: list[str] = []

    def held(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: held(item) for name, item in value.items()}
        if isinstance(value, list):
            if value and all(
                isinstance(item, list) and all(isinstance(x, int | float) for x in item) for item in value
            ):
                quads.append(json.dumps(value))
                return f"\0{len(quads) - 1}\0"
            return [held(item) for item in value]
        return value

    text = json.dumps(held(dict(content)), indent=1, ensure_ascii=False)
    for number, quad in enumerate(quads):
        text = text.replace(f'"\\u0000{number}\\u0000"', quad)
    return text + "\n"
