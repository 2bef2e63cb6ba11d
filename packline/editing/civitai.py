"""CivitAI: what it says of a model's version, and which of the version's files is the LoRA."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from packline.editing.air import ADAPTERS, Air
from packline.editing.web import PATIENCE, Patience, Web
from packline.errors import GiveUp

BASE = "https://civitai.com"
BASE_NAME, KEY_NAME = "CIVITAI_BASE_URL", "CIVITAI_API_KEY"
_LONGEST_ANSWER = 8_000_000
# CivitAI calls LyCORIS adapters by the name of one of their kinds
_TYPES = {*ADAPTERS, "locon"}


def _printable(text: str) -> str:
    """What a stranger wrote, without the letters that would steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


Words = Annotated[str, AfterValidator(_printable)]


def _or_nothing(value: Any) -> Any:
    return [] if value is None else value


class _Answer(BaseModel):
    # a service may add what it likes to its answers
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Hashes(_Answer):
    """Of a file; only SHA-256 is of use."""

    sha256: str = Field("", alias="SHA256", pattern=r"^([0-9a-fA-F]{64})?$")


class FileMetadata(_Answer):
    """How a file is written."""

    format: Words | None = None


class VersionFile(_Answer):
    """One file of a version."""

    id: int = 0
    name: Words = ""
    type: Words = "Model"
    primary: bool = False
    hashes: Hashes = Hashes()
    pickle_scan: Words | None = Field(None, alias="pickleScanResult")
    virus_scan: Words | None = Field(None, alias="virusScanResult")
    metadata: FileMetadata = FileMetadata()
    address: str = Field("", alias="downloadUrl")

    @property
    def sha256(self) -> str:
        """In lower case; empty where CivitAI does not say it."""
        return self.hashes.sha256.lower()


class Model(_Answer):
    """The model that a version belongs to."""

    name: Words = ""
    type: Words = ""


class ModelVersion(_Answer):
    """``GET /api/v1/model-versions/{id}``"""

    id: int
    model_id: int | None = Field(None, alias="modelId")
    name: Words = ""
    base_model: Words = Field("", alias="baseModel")
    trained_words: Annotated[tuple[Words, ...], BeforeValidator(_or_nothing)] = Field(
        (), alias="trainedWords"
    )
    files: Annotated[tuple[VersionFile, ...], BeforeValidator(_or_nothing)] = ()
    model: Model = Model()

    @property
    def trigger(self) -> str:
        """The trained words, as a prompt takes them."""
        words = (" ".join(word.split()).strip(" ,") for word in self.trained_words)
        return ", ".join(dict.fromkeys(word for word in words if word))


def open_civitai(environment: Mapping[str, str] = os.environ, patience: Patience = PATIENCE) -> Web:
    """CivitAI, or what stands for it, as the environment says.

    Raises
    ------
    FixSettings
        The address or the key in it cannot be.
    """
    key = environment.get(KEY_NAME, "").strip()
    base = environment.get(BASE_NAME, "").strip() or BASE
    return Web("CivitAI", base, SecretStr(key) if key else None, KEY_NAME, patience)


def read_version(civitai: Web, air: Air) -> ModelVersion:
    """Ask for the version that an AIR names.

    Raises
    ------
    GiveUp
        There is no such version, it is of another model, or no adapter; or the AIR names no version.
    TryAgain, FixSettings
        As `Web.get` says.
    """
    if air.version is None:
        raise GiveUp(
            f"AIR {air} names no version, so that it could be another file tomorrow; add @ and the version's "
            f"number, which its page on CivitAI shows."
        )

    def ask() -> bytes:
        with civitai.get(f"api/v1/model-versions/{air.version}", f"AIR {air}") as answer:
            said = bytearray()
            for part in answer.iter_raw():
                said += part
                if len(said) > _LONGEST_ANSWER:
                    raise GiveUp(f"AIR {air}: CivitAI's answer is too long to be one; try again later.")
            return bytes(said)

    try:
        version = ModelVersion.model_validate(json.loads(civitai.patience.insist(ask)))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"]) or "answer"
        raise GiveUp(f"AIR {air}: CivitAI's answer is not as documented: {key}: {problem['msg']}.") from error
    except (ValueError, RecursionError) as error:
        raise GiveUp(
            f"AIR {air}: CivitAI answered no JSON, perhaps a page for browsers; try again later."
        ) from error
    if version.id != air.version or version.model_id not in (None, air.id):
        raise GiveUp(
            f"AIR {air}: version {air.version} belongs to model {version.model_id} on CivitAI, not to "
            f"{air.id}; correct air."
        )
    if version.model.type and version.model.type.lower() not in _TYPES:
        raise GiveUp(f"AIR {air}: CivitAI calls it a {version.model.type}, which is no LoRA; correct air.")
    return version


def choose_file(version: ModelVersion, air: Air, sha256: str = "") -> VersionFile:
    """The file of a version that is to be pulled.

    Parameters
    ----------
    sha256
        What a preset says that the file is; empty: it says nothing.

    Returns
    -------
    The one that the AIR names; else the one with that hash; else the primary one.

    Raises
    ------
    GiveUp
        There is none, or none that is safe to open.
    """
    if not version.files:
        raise GiveUp(
            f"AIR {air}: CivitAI lists no files for it; it is archived or only usable there. Name "
            f"another LoRA."
        )
    candidates = [file for file in version.files if air.file in (None, file.id)]
    if not candidates:
        known = ", ".join(f"{file.id} ({file.name})" for file in version.files)
        raise GiveUp(f"AIR {air}: the version has no file {air.file}; it has {known}. Correct air.")
    safe = [file for file in candidates if not _unsafe(file)]
    if not safe:
        first = next((file for file in candidates if file.primary), candidates[0])
        raise GiveUp(f"AIR {air}: {first.name} {_unsafe(first)}.")
    same = [file for file in safe if sha256 and file.sha256 == sha256.lower()]
    if sha256 and not same:
        held = ", ".join(f"{file.name} ({file.sha256})" for file in safe)
        raise GiveUp(
            f"AIR {air}: the preset says SHA-256 {sha256.lower()}, but CivitAI has {held}; correct air, or "
            f"take sha256 out of the preset to accept what CivitAI has."
        )
    among = same or safe
    return next((file for file in among if file.primary), among[0])


def _unsafe(file: VersionFile) -> str:
    """Why a file may not be pulled; empty where it may."""
    if not file.name.lower().endswith(".safetensors") or file.metadata.format not in (None, "SafeTensor"):
        return (
            f"is a {file.metadata.format or 'file of another format'}; only .safetensors is ever opened, "
            f"other formats can run code"
        )
    if file.type.lower() not in ("model", "pruned model"):
        return f"is its {file.type}, not the LoRA"
    for scan, said in (("pickle", file.pickle_scan), ("virus", file.virus_scan)):
        if said != "Success":
            return f"did not pass CivitAI's {scan} scan ({said or 'not scanned yet'}); it is not pulled"
    if not file.sha256:
        return "has no SHA-256 on CivitAI, so that nothing could be checked; it is not pulled"
    if not file.address:
        return "cannot be downloaded from CivitAI, only used there"
    return ""
