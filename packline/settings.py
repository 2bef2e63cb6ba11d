"""Settings of a run: a TOML file beside the catalog."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from packline.editing.architectures import ARCHITECTURES, Dtype
from packline.errors import FixSettings


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# part of a key and of a file's name
UseName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=40)]


class BudgetSettings(_Table):
    """``[run] budget``: what a run may spend; what is over it stays to do for the next run"""

    candidates: int | None = Field(None, ge=1, description="candidates that a run may make")
    dollars: float | None = Field(None, gt=0, description="what they may cost, by their engine's price")


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
    budget: BudgetSettings = BudgetSettings()


class PathSettings(_Table):
    """``[paths]``, relative to the settings file"""

    models: Path
    scenes: Path
    loras: Path = Field(description="presets.json")


class EngineSettings(_Table):
    """``[engine]``; what is left out and differs from model to model is as its architecture says"""

    name: str = Field("", description="for reports, the ledger and prompts; the architecture's own")
    architecture: str = Field(description="flux2-klein-embedded, flux2-klein-4b, ... (packline models list)")
    model: str = Field(
        description="folder (relative to the settings file), one .safetensors file, or hub name"
    )
    rest: str = Field(
        "",
        description="where model is one file: folder or hub name of what that lacks; the architecture's own",
    )
    device: str = "auto"
    # `_as_its_architecture` fills these in where they are left out
    dtype: Dtype = Field(description="the architecture's own")
    size: int = Field(
        ge=64,
        multiple_of=16,
        description="pixels on a side that the engine edits at; the architecture's own",
    )
    steps: int = Field(ge=1, le=100, description="the architecture's own")
    guidance: float = Field(ge=0, description="the architecture's own")
    batch: int = Field(
        4,
        ge=0,
        description="candidates edited together, halved when memory runs out; 0: as many as memory takes",
    )
    precision: Literal["full", "fp8"] = Field(
        "full", description="fp8: the denoiser's weights in 8 bits, its arithmetic in dtype"
    )
    compile: Literal["off", "regional"] = Field(
        "off", description="regional: torch.compile of the repeated blocks; minutes at the first picture"
    )
    overlap: Literal["auto", "on", "off"] = Field(
        "auto", description="decode a batch while the next is denoised; auto: on a GPU"
    )
    offload: Literal["off", "model"] = Field(
        "off", description="model: only the part at work is on the GPU; slower, for small cards"
    )
    long_prompt: Literal["refuse", "trim"] = Field(
        "refuse", description="of more tokens than the model reads; trim: cut sentences, never a trigger"
    )
    refine: Literal["off", "labels", "product"] = "product"
    price: float = Field(0.0, ge=0, description="dollars a candidate")

    @model_validator(mode="before")
    @classmethod
    def _as_its_architecture(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        # an unknown one is refused by its own key, and nothing else is said to be absent then
        known = ARCHITECTURES.get(str(data.get("architecture")), ARCHITECTURES["flux2-klein-embedded"])
        own = {name: getattr(known, name) for name in ("dtype", "size", "steps", "guidance")}
        return {"name": known.engine or known.name, **own, **data}

    @field_validator("architecture")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in ARCHITECTURES:
            raise ValueError(f"{name!r} is unknown; known are {', '.join(sorted(ARCHITECTURES))}")
        return name


def _wave(value: Any) -> Any:
    # a union's own messages name its parts
    if value == "adaptive" or (type(value) is int and 1 <= value <= 64):
        return value
    raise ValueError('give "adaptive" or a whole number from 1 to 64')


class CandidateSettings(_Table):
    """``[candidates]``: waves of tries for each shot"""

    wave: Annotated[Literal["adaptive"] | int, BeforeValidator(_wave)] = Field(
        "adaptive", description="candidates in a wave; adaptive: by the pass rate that the ledger has seen"
    )
    waves: int = Field(4, ge=1, le=16, description="waves before the shot is flagged")
    enough: int = Field(1, ge=1, description="passing candidates after which a shot stops")
    most: int | None = Field(None, ge=1, description="candidates of a shot in all its waves")
    ladder: tuple[str, ...] = Field(
        ("seeds", "adherence", "refine"),
        description="what later waves change, in order: seeds, adherence, refine, or a table of [engines]",
    )
    sure: float = Field(
        0.8, gt=0, lt=1, description="adaptive: probability with which a wave is to bring enough"
    )
    worth: float = Field(20.0, ge=1, description="adaptive: candidates that one more select may cost")
    largest: int = Field(4, ge=1, le=64, description="adaptive: candidates in a wave at most")

    @model_validator(mode="after")
    def _agree(self) -> CandidateSettings:
        if self.most is not None and self.most < self.enough:
            raise ValueError("most must not be less than enough")
        if len(set(self.ladder) - {"seeds"}) < len([one for one in self.ladder if one != "seeds"]):
            raise ValueError("a rung of the ladder but seeds stands there once")
        # of the usual ladder as much is climbed as there are waves
        if "ladder" in self.model_fields_set and len(self.ladder) > self.waves - 1:
            raise ValueError(
                f"the ladder has {len(self.ladder)} rung{'s'[: len(self.ladder) > 1]}, but of {self.waves} "
                f"wave{'s'[: self.waves > 1]} the first is as asked; set waves to {len(self.ladder) + 1} at "
                f"least, or shorten the ladder"
            )
        return self

    @property
    def fixed(self) -> int | None:
        """Candidates in every wave; None: each wave has as many as it is worth."""
        return None if self.wave == "adaptive" else self.wave

    @property
    def highest(self) -> int:
        """Candidates of a wave at most."""
        return self.fixed or self.largest

    @property
    def total(self) -> int:
        """Candidates of a shot at most, in all its waves."""
        return min(self.most or self.highest * self.waves, self.highest * self.waves)


class LoraSettings(_Table):
    """``[loras]``"""

    least_effect: float = Field(
        0.5, ge=0, description="mean CIEDE2000 that a LoRA must change a picture by (1 is just seen)"
    )


class PromptSettings(_Table):
    """``[prompt]``"""

    template: str | None = Field(None, description="what the engine is told; absent: its architecture's own")


class NamedPromptSettings(_Table):
    """``[prompts.<name>]``: a recipe for some shots; the first that is meant wins"""

    template: str
    sku: str = Field("", description="only these products: a name or a pattern such as SHOE-*; commas")
    scene: str = Field("", description="only these scenes, likewise")
    engine: str = Field("", description="only for these engines, by engine.name, likewise")


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
    engines: dict[UseName, EngineSettings] = Field(
        default_factory=dict, description="further engines by name, for candidates.ladder and for failures"
    )
    candidates: CandidateSettings = CandidateSettings()
    loras: LoraSettings = LoraSettings()
    prompt: PromptSettings = PromptSettings()
    prompts: dict[UseName, NamedPromptSettings] = Field(
        default_factory=dict, description="recipes by name, in order; prompt is for all other shots"
    )
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

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        own = {"asked", "seeds", "adherence", "refine"}
        if taken := own & set(self.engines):
            raise ValueError(f"an engine cannot be called {min(taken)}; give its table another name")
        if unknown := [one for one in self.candidates.ladder if one not in own | set(self.engines)]:
            raise ValueError(
                f"candidates.ladder names {unknown[0]!r}, which is neither seeds, adherence nor refine nor a "
                "table of [engines]"
            )
        if "asked" in self.candidates.ladder:
            raise ValueError("candidates.ladder names 'asked', which the first wave is anyway; leave it out")
        budget, highest = self.run.budget, self.candidates.highest
        if budget.candidates is not None and budget.candidates < highest:
            raise ValueError(
                f"run.budget.candidates must be {highest} at least, so that one wave fits into it"
            )
        prices = [engine.price for engine in (self.engine, *self.engines.values())]
        # multiples of prices are not exact
        if budget.dollars is not None and budget.dollars + 1e-9 < highest * max(prices):
            raise ValueError(
                f"run.budget.dollars must be {highest * max(prices):g} at least, so that a wave fits into it"
            )
        return self


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

    def found(engine: EngineSettings) -> EngineSettings:
        for key in ("model", "rest"):
            named = getattr(engine, key)
            # a hub name is no folder here
            if named and under(named).exists():
                engine = engine.model_copy(update={key: str(under(named))})
        return engine

    bucket, ledger = settings.bucket, settings.ledger
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
            "engine": found(settings.engine),
            "engines": {name: found(engine) for name, engine in settings.engines.items()},
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
            # what several tables must agree on belongs to no key
            lines.append(f"Settings file {file}: {f'key {key} is wrong: ' if key else ''}{said}.")
    return " ".join(lines)
