"""Settings of a run: a TOML file beside the catalog."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from packline.errors import FixSettings


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# part of a key and of a file's name
UseName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)]


class RunSettings(_Table):
    """``[run]``"""

    name: str = Field(min_length=1, description="name of the catalog run, part of keys and reports")
    tenant: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$", description="whose pictures these are; first part of every key"
    )
    environment: Literal["dev", "staging", "prod"] = "dev"
    work: Path = Field(
        description="folder for references, candidates and the report; may be cleaned when idle"
    )
    chunk: int = Field(8, ge=1, le=500, description="shots a task takes at a time")
    size: int = Field(1024, ge=256, le=4096, description="pixels on a side of a delivered picture")
    seed: int = Field(1, ge=0, description="first seed; every candidate's seed is derived from it")


class PathSettings(_Table):
    """``[paths]``, relative to the settings file"""

    models: Path
    scenes: Path
    loras: Path = Field(description="presets.json")


class EngineSettings(_Table):
    """``[engine]``"""

    name: str = Field("embedded", description="name for reports and the ledger")
    architecture: str = Field(description="flux2-klein-embedded, flux2-klein-4b, ... (packline models list)")
    model: str = Field(
        description="folder (relative to the settings file) or hub name of the pipeline's weights"
    )
    device: str = "auto"
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    size: int = Field(256, ge=64, multiple_of=16, description="pixels on a side that the engine edits at")
    steps: int = Field(4, ge=1, le=100)
    guidance: float = Field(1.0, ge=0)
    batch: int = Field(4, ge=1, description="candidates edited together; halved when memory runs out")
    refine: Literal["off", "labels", "product"] = "product"
    price: float = Field(0.0, ge=0, description="dollars a candidate")


class CandidateSettings(_Table):
    """``[candidates]``: waves of tries for each shot"""

    wave: int = Field(2, ge=1, le=64, description="candidates in a wave")
    waves: int = Field(3, ge=1, le=16, description="waves before the shot is flagged")
    enough: int = Field(1, ge=1, description="passing candidates after which a shot stops")


class PromptSettings(_Table):
    """``[prompt]``"""

    template: str


class BucketSettings(_Table):
    """``[bucket]``"""

    url: str = Field(description="a folder (relative to the settings file) or s3://bucket/prefix")
    endpoint: str = Field("", description="another S3 API than Amazon's")
    region: str = ""
    addressing: Literal["auto", "path", "virtual"] = Field(
        "auto",
        description="whether the bucket is in the address's path or in its host; auto: path with endpoint",
    )
    parallel: int = Field(16, ge=1, le=128, description="uploads at a time")
    readers: str = Field(
        "", description="for a folder: the address under which the review desk hands its objects out"
    )


class LedgerSettings(_Table):
    """``[ledger]``"""

    url: str = Field(description="SQLAlchemy URL, or a file for SQLite (relative to the settings file)")


class ReviewSettings(_Table):
    """``[review]``: the review desk; docs/review.md explains each key"""

    auth: Literal["local", "header"] = Field(
        "local", description="local: passwords in the ledger; header: a proxy vouches for the name"
    )
    header: str = Field(
        "X-Forwarded-User", min_length=1, description="header in which the proxy names a person"
    )
    proxies: tuple[str, ...] = Field((), description="addresses or networks whose header is believed")
    role: Literal["", "viewer", "reviewer"] = Field(
        "", description="of people whom the proxy names and the users table does not; empty: refused"
    )
    url: str = Field("", description="where people reach the desk, such as https://review.example.com")
    idle_minutes: int = Field(60, ge=1, description="after which an unused session ends")
    session_hours: int = Field(12, ge=1, description="after which every session ends")
    lease_seconds: int = Field(90, ge=10, description="a shot is kept for a reviewer whose page fell silent")
    prefect: str = Field("", description="Prefect's API; empty: PREFECT_API_URL; decisions stand without it")
    settle_seconds: float = Field(
        20, ge=0, description="quiet after the last decision before it is carried out, for free undoing"
    )


class FormatSettings(_Table):
    """``[formats.<use>]``: a file that the shop gets of every select; docs/delivery.md explains each key"""

    format: Literal["png", "jpeg", "webp", "avif"] = "png"
    crop: Literal["whole", "fill", "product", "square"] = Field(
        "whole", description="all of the picture; its largest part of width x height; around the product"
    )
    width: int | None = Field(None, ge=16, le=8192, description="pixels; less where the picture has less")
    height: int | None = Field(None, ge=16, le=8192, description="pixels, likewise")
    longest: int | None = Field(None, ge=16, le=8192, description="pixels of the longer side, likewise")
    margin: float = Field(0.12, ge=0, le=1, description="around the product, share of its longer side")
    background: str = Field(
        "#ffffff", pattern=r"^#[0-9a-fA-F]{6}$", description="where width x height is more than the picture"
    )
    quality: int | None = Field(None, ge=1, le=100, description="of what is not lossless; 100 is, for WebP")

    @model_validator(mode="after")
    def _agree(self) -> FormatSettings:
        if self.format == "png" and self.quality is not None:
            raise ValueError("a PNG is lossless; leave quality out")
        if self.longest is not None and (self.width is not None or self.height is not None):
            raise ValueError("give longest, or width and height")
        both = self.width is not None and self.height is not None
        if self.crop == "fill" and not both:
            raise ValueError('crop = "fill" needs width and height')
        if self.crop == "square" and both and self.width != self.height:
            raise ValueError('crop = "square" needs a width that is the height')
        if "margin" in self.model_fields_set and self.crop not in ("product", "square"):
            raise ValueError('margin is for crop = "product" and "square"')
        return self


class ProvenanceSettings(_Table):
    """``[provenance]``: what a delivered file says of itself"""

    embed: Literal["c2pa", "xmp", "off"] = Field(
        "c2pa", description="XMP and a signed C2PA manifest; XMP alone; nothing"
    )
    certificate: Path | None = Field(
        None, description="PEM: the signer's certificate, then its issuers; absent: one of our own making"
    )
    key: Path | None = Field(None, description="PEM: the private key of the first certificate")
    timestamps: str = Field(
        "", pattern=r"^(https?://.+)?$", description="an RFC 3161 authority that attests when it was signed"
    )

    @model_validator(mode="after")
    def _agree(self) -> ProvenanceSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("give certificate and key, or neither")
        return self


class RuleSettings(_Table):
    """A rule of ``[rules]``: a question about measured values (docs/checks.md lists them)"""

    rule: str = Field(min_length=1, description="such as margin_left >= 0.05 and margin_right >= 0.05")
    say: str = Field(min_length=1, description="what is wrong where it is broken, for a merchandiser")
    sku: str = Field("", description="only these products: a name or a pattern such as SHOE-*; commas")
    scene: str = Field("", description="only these scenes, likewise")


class Settings(_Table):
    """All settings of a run. Paths are absolute after `load_settings`."""

    run: RunSettings
    paths: PathSettings
    engine: EngineSettings
    candidates: CandidateSettings = CandidateSettings()
    prompt: PromptSettings
    bucket: BucketSettings
    ledger: LedgerSettings
    formats: dict[UseName, FormatSettings] = Field(
        default_factory=lambda: {"hero": FormatSettings()},
        min_length=1,
        description="files of a select by use; the whole picture as PNG otherwise",
    )
    provenance: ProvenanceSettings = ProvenanceSettings()
    review: ReviewSettings = ReviewSettings()
    checks: dict[str, Any] = Field(default_factory=dict, description="validated by scoring")
    rules: dict[str, RuleSettings] = Field(default_factory=dict, description="house rules by name")
    file: Path = Path()


def load_settings(file: Path) -> Settings:
    """Read and validate a settings file.

    Raises
    ------
    FixSettings
        With one sentence for each key that is absent, unknown or wrong.
    """
    try:
        data = tomllib.loads(file.read_text())
    except FileNotFoundError as error:
        raise FixSettings(f"Settings file {file} is missing; every catalog needs one beside it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FixSettings(f"Settings file {file} is not valid TOML: {error}.") from error
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        raise FixSettings(_sentences(file, error)) from error
    return _absolute(settings, file)


def _absolute(settings: Settings, file: Path) -> Settings:
    base = file.resolve().parent

    def under(path: Path | str) -> Path:
        return (base / path).resolve()

    engine, bucket, ledger = settings.engine, settings.bucket, settings.ledger
    if "/" in engine.model and under(engine.model).exists():
        engine = engine.model_copy(update={"model": str(under(engine.model))})
    if "://" not in bucket.url:
        bucket = bucket.model_copy(update={"url": str(under(bucket.url))})
    if "://" not in ledger.url:
        ledger = ledger.model_copy(update={"url": f"sqlite:///{under(ledger.url)}"})
    checks = settings.checks
    if isinstance(calibrated := checks.get("thresholds"), str):
        checks = {**checks, "thresholds": str(under(calibrated))}
    paths, provenance = settings.paths, settings.provenance
    return settings.model_copy(
        update={
            "run": settings.run.model_copy(update={"work": under(settings.run.work)}),
            "paths": PathSettings(
                models=under(paths.models), scenes=under(paths.scenes), loras=under(paths.loras)
            ),
            "engine": engine,
            "bucket": bucket,
            "ledger": ledger,
            "provenance": provenance.model_copy(
                update={
                    "certificate": provenance.certificate and under(provenance.certificate),
                    "key": provenance.key and under(provenance.key),
                }
            ),
            "checks": checks,
            "file": file.resolve(),
        }
    )


def _sentences(file: Path, error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "missing":
            lines.append(f"Settings file {file}: key {key} is absent; add it.")
        elif problem["type"] == "extra_forbidden":
            lines.append(f"Settings file {file}: key {key} is unknown; remove it or mend its spelling.")
        else:
            said = problem["msg"].removeprefix("Value error, ")
            lines.append(f"Settings file {file}: key {key} is wrong: {said}.")
    return " ".join(lines)
