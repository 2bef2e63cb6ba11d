"""Does the picture show what the prompt asked for? An open_clip model chooses among right and wrong words.

A bare similarity says little (it depends on the picture more than on the words), so the score is the
probability that the model gives to the right caption against the strongest distractor: other products' words,
other scenes' words. A small model is asked only about words that it was taught, and about a product that it
recognises in the 3D model's own render; of others it cannot tell, and says so: ``unverifiable`` in
``[checks.alignment]`` decides what the shot then needs.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from packline.errors import FixSettings
from packline.fingerprint import file_digest
from packline.reference import Picture
from packline.scorecard import CheckResult, Evidence, Verdict
from scoring.check import Check, CheckInput, CheckSettings, Floats

if TYPE_CHECKING:
    import torch

EMBEDDED = "assets/models/aligner"
# how many captions are encoded at a time
BATCH = 64
# captions whose vectors agree this much say the same to the model: it cannot tell one from the other
SAME_WORDS = 0.97
# where a small model gives the right words less than this of the render itself, it does not know the product
RECOGNISED = 0.25
_ROOT = Path(__file__).resolve().parents[1]


class AlignmentSettings(CheckSettings):
    """``[checks.alignment]``.

    Parameters
    ----------
    model
        A folder with open_clip_config.json and open_clip_model.safetensors; or a model on the hub, such as
        "hf-hub:timm/ViT-B-16-SigLIP2"; or an open_clip name and tag, such as "ViT-L-14/openai".
    product_prompt, scene_prompt
        Captions; ``{}`` is where the words go.
    crop
        The product's words are judged on the mask's box and this share of its size around it; 0 takes the
        whole picture.
    device
        Where the model runs: "cpu", "cuda", or "auto", which takes a GPU where there is one.
    """

    model: str = EMBEDDED
    product_prompt: str = Field("a photo of a {}", pattern=r"\{\}")
    scene_prompt: str = Field("a product on {}", pattern=r"\{\}")
    crop: float = Field(0.25, ge=0)
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")

    @field_validator("product_prompt", "scene_prompt")
    @classmethod
    def _takes_the_words(cls, prompt: str) -> str:
        # what cannot be filled in would fail for every candidate, after they were paid for
        try:
            prompt.format("x")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError("it should have one placeholder, {}, and no other braces") from error
        return prompt

    def facts(self) -> dict[str, Any]:
        """The settings, and the hash of a local model's weights: other weights, other scores."""
        folder = next((f for f in (Path(self.model), _ROOT / self.model) if f.is_dir()), None)
        files = sorted(folder.glob("*.safetensors")) if folder else []
        return {**super().facts(), "weights": [file_digest(file) for file in files]}


@dataclass(frozen=True)
class Vocabulary:
    """What a small model was taught, from its folder's ``training.json``; a large one knows everything.

    Parameters
    ----------
    products, colours
        Kinds and colours, each with the words that mean it.
    scenes
        Whole descriptions.
    """

    products: Mapping[str, tuple[str, ...]] = field(hash=False)
    colours: Mapping[str, tuple[str, ...]] = field(hash=False)
    scenes: frozenset[str]

    def __contains__(self, asked: tuple[str, str]) -> bool:
        what, words = asked
        return words in self.scenes if what == "scene" else bool(self.of(words)[0])

    def of(self, title: str) -> tuple[str, str]:
        """The kind and the colour that a title names; empty where it names none that is known.

        The longest word wins, so that a candle tin is no tin alone and navy blue no blue; the kind's own
        words name no colour (a tube of cream). A word before the kind's that says neither colour nor material
        makes another thing of it: a wine bottle is not what it was taught a bottle to be, nor a yoghurt cup a
        cup. Brands in capitals do not.
        """
        kind, before, after = _named(self.products, title.lower())
        colour = _named(self.colours, before + after)[0]
        said = re.findall(r"[\w'-]+", title[: len(before)])
        if said and not said[-1].isupper() and said[-1].isalpha() and not self._says_little(said[-1].lower()):
            kind = ""
        return kind, colour

    def _says_little(self, word: str) -> bool:
        return word in _MATERIALS or any(
            word == way.split()[-1] for ways in self.colours.values() for way in ways
        )

    def apart(self, what: str, one: str, other: str) -> bool:
        """Whether it was taught to tell these words apart."""
        if what == "scene":
            return one != other and other in self.scenes
        (kind, colour), (other_kind, other_colour) = self.of(one), self.of(other)
        if not other_kind:
            return False
        return kind != other_kind or bool(colour and other_colour and colour != other_colour)


# what a thing is made of, its finish, size, filling and colours: it stays the thing that it is
_MATERIALS = frozenset(
    """a an the aluminium aluminum cardboard ceramic clay coated cotton enamel glass glazed glossy kraft
    lacquered leather linen matt matte metal metallic paper plain plastic porcelain printed satin
    shiny silicone steel stoneware striped textured tinted wooden small large big tall short slim
    new light dark pale bright organic herbal honey fresh classic anthracite apricot aqua azure
    bronze charcoal chrome copper coral crimson cyan emerald fuchsia indigo ivory jade khaki
    lavender lilac lime magenta mint ochre peach rose ruby salmon scarlet silver taupe violet""".split()
)


def _named(known: Mapping[str, tuple[str, ...]], words: str) -> tuple[str, str, str]:
    """What the longest known word among `words` means, and what stands before and after it."""
    ways = sorted(((way, name) for name, them in known.items() for way in them), key=lambda w: -len(w[0]))
    for way, name in ways:
        place = re.search(rf"(?<!\w){re.escape(way)}(?!\w)", words)
        if place:
            return name, words[: place.start()], words[place.end() :]
    return "", words, ""


@dataclass(frozen=True)
class Aligner:
    """An open_clip model with its preprocessing, ready to encode."""

    name: str
    model: torch.nn.Module
    tokenize: object
    size: int
    mean: Floats
    std: Floats
    scale: float
    device: str
    knows: Vocabulary | None = None

    def pictures(self, pictures: Sequence[Picture]) -> Floats:
        """Encode RGB pictures, uint8 (H, W, 3), to unit vectors, float32 (N, D), in one batch."""
        # torch takes seconds to import, and a run with nothing to do must not wait for it
        import torch

        batch = np.stack([self._prepared(picture) for picture in pictures])
        with torch.inference_mode():
            encoded = self.model.encode_image(torch.from_numpy(batch).to(self.device))  # type: ignore[operator]
            return _unit(encoded)

    def _prepared(self, picture: Picture) -> Floats:
        # OpenCV's area filter is fifty times as fast as PIL's here, and as good when shrinking
        small = cv2.resize(picture, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return np.asarray((small.astype(np.float32) / 255 - self.mean) / self.std, np.float32).transpose(
            2, 0, 1
        )

    def captions(self, captions: Iterable[str]) -> Floats:
        """Encode captions to unit vectors, float32 (N, D); each is encoded once a process."""
        asked = list(captions)
        new = list(dict.fromkeys(one for one in asked if (self.name, one) not in _CAPTIONS))
        if new:
            import torch

            for start in range(0, len(new), BATCH):
                part = new[start : start + BATCH]
                with torch.inference_mode():
                    tokens = self.tokenize(part).to(self.device)  # type: ignore[operator]
                    vectors = _unit(self.model.encode_text(tokens))  # type: ignore[operator]
                _CAPTIONS.update({(self.name, one): v for one, v in zip(part, vectors, strict=True)})
        return np.stack([_CAPTIONS[self.name, one] for one in asked])

    def references(self, pictures: Sequence[Picture]) -> Floats:
        """Encode references' pictures as `pictures` does; each is encoded once, by its content."""
        keys = [(self.name, hashlib.sha1(p.tobytes(), usedforsecurity=False).digest()) for p in pictures]
        new = {key: picture for key, picture in zip(keys, pictures, strict=True) if key not in _REFERENCES}
        if new:
            _REFERENCES.update(zip(new, self.pictures(list(new.values())), strict=True))
        found = np.stack([_REFERENCES[key] for key in keys])
        while len(_REFERENCES) > _KEPT:
            _REFERENCES.popitem(last=False)
        return found


# caches of pure values: the same model and caption or picture always give the same vector
_CAPTIONS: dict[tuple[str, str], Floats] = {}
_REFERENCES: OrderedDict[tuple[str, bytes], Floats] = OrderedDict()
_KEPT = 512


def _unit(vectors: torch.Tensor) -> Floats:
    import torch

    return np.asarray(torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy(), np.float32)


@lru_cache(maxsize=2)
def load(model: str, device: str = "cpu") -> Aligner:
    """Load a model through open_clip; never one without its weights.

    Raises
    ------
    FixSettings
        With a sentence, where folder, configuration or weights are missing or do not fit each other.
    """
    # slow to import, and only this check needs it
    import open_clip  # type: ignore[import-untyped]
    import torch

    name = _open_clip_name(model)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        base, _, tag = name.partition("/") if ":" not in name else (name, "", "")
        # open_clip only warns where weights are missing, and scores noise: require them
        made, _, preprocess = open_clip.create_model_and_transforms(
            base, pretrained=tag or None, device=device, require_pretrained=True
        )
        tokenize = open_clip.get_tokenizer(base)
    except Exception as error:
        raise FixSettings(
            f"Settings: [checks.alignment] model = {model!r} cannot be loaded ({_first_line(error)}); "
            "give a folder with open_clip_config.json and its weights, or a model open_clip can download."
        ) from error
    made.eval()
    normalise = preprocess.transforms[-1]
    size = made.visual.image_size
    return Aligner(
        name=name,
        model=made,
        tokenize=tokenize,
        size=int(size[0] if isinstance(size, tuple | list) else size),
        mean=np.asarray(normalise.mean, np.float32),
        std=np.asarray(normalise.std, np.float32),
        scale=float(made.logit_scale.detach().exp().clamp(max=100)),
        device=device,
        knows=_vocabulary(name),
    )


def _vocabulary(name: str) -> Vocabulary | None:
    file = Path(name.removeprefix("local-dir:")) / "training.json"
    if not name.startswith("local-dir:") or not file.is_file():
        return None
    knows = json.loads(file.read_text()).get("knows")
    if not knows:
        return None
    products, colours = ({k: tuple(v) for k, v in knows[name].items()} for name in ("products", "colours"))
    return Vocabulary(products, colours, frozenset(knows["scenes"]))


def _open_clip_name(model: str) -> str:
    """The settings' model as open_clip spells it."""
    if model.startswith(("hf-hub:", "local-dir:")):
        return model
    for folder in (Path(model), _ROOT / model):
        if folder.is_dir():
            config = folder / "open_clip_config.json"
            if not config.is_file():
                raise FixSettings(
                    f"Settings: [checks.alignment] model = {model!r}: {config.name} is missing there."
                )
            try:
                json.loads(config.read_text())["model_cfg"]
            except (ValueError, KeyError) as error:
                raise FixSettings(
                    f"Settings: [checks.alignment] model = {model!r}: {config.name} is no open_clip "
                    f"configuration ({error}); write it anew."
                ) from error
            if not any(folder.glob("*.safetensors")):
                raise FixSettings(
                    f"Settings: [checks.alignment] model = {model!r}: its weights "
                    "(open_clip_model.safetensors) are missing there; copy them, or name another model."
                )
            return f"local-dir:{folder}"
    if "/" in model and not model.startswith((".", "/", "assets")):
        return model
    raise FixSettings(
        f"Settings: [checks.alignment] model = {model!r}: there is no such folder; give one, or a hub name "
        "such as hf-hub:timm/ViT-B-16-SigLIP2, or a name and tag such as ViT-L-14/openai."
    )


def _first_line(error: Exception) -> str:
    logging.getLogger(__name__).debug("open_clip could not load a model", exc_info=error)
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def judge(inputs: Sequence[CheckInput], settings: AlignmentSettings) -> list[CheckResult]:
    """Judge all candidates with one batch of pictures and cached captions; see `Check.judge`."""
    for one in inputs:
        if one.problem:
            raise ValueError(one.problem)
    if not any(one.words.product or one.words.scene for one in inputs):
        return [_unasked(settings) for _ in inputs]
    aligner = load(settings.model, settings.device)
    encoded = aligner.pictures(
        [picture for one in inputs for picture in (one.candidate, _close(one.candidate, one, settings.crop))]
    )
    own = aligner.references([_close(one.scene.colour, one, settings.crop) for one in inputs])
    return [
        _judge(one, encoded[2 * i], encoded[2 * i + 1], own[i], aligner, settings)
        for i, one in enumerate(inputs)
    ]


def _unasked(settings: AlignmentSettings) -> CheckResult:
    said = "There are no other words of products or scenes that these could be told from."
    return CHECK.result(1.0, settings.threshold, said, verdict=Verdict.NOT_APPLICABLE)


def _untold(unknown: Sequence[str]) -> str:
    words = " and ".join(f"'{one}'" for one in unknown)
    return (
        f"The alignment model does not know {words}; name a larger one in [checks.alignment] model, or let "
        'such pictures pass with unverifiable = "pass" there.'
    )


def _close(picture: Picture, one: CheckInput, margin: float) -> Picture:
    """A square of a picture around the product."""
    left, top, right, bottom = one.box
    if margin == 0 or right <= left:
        return picture
    side = round(max(right - left, bottom - top) * (1 + 2 * margin))
    height, width = picture.shape[:2]
    side = min(side, height, width)
    x = int(np.clip((left + right - side) // 2, 0, width - side))
    y = int(np.clip((top + bottom - side) // 2, 0, height - side))
    return picture[y : y + side, x : x + side]


def _judge(
    one: CheckInput, whole: Floats, close: Floats, own: Floats, aligner: Aligner, settings: AlignmentSettings
) -> CheckResult:
    words = one.words
    asked = (
        ("product", words.product, words.other_products, settings.product_prompt, close),
        ("scene", words.scene, words.other_scenes, settings.scene_prompt, whole),
    )
    found = []
    unknown = []
    for what, right, others, prompt, vector in asked:
        # one product in one scene: the catalogue itself has nothing that it could be taken for
        if not right or not any(other and other != right for other in others):
            continue
        if aligner.knows is not None and (what, right) not in aligner.knows:
            unknown.append(right)
            continue
        distractors = _rivals(aligner, what, right, others, prompt)
        if not distractors:
            unknown += _strange(aligner, what, right, others)[:1]
            continue
        captions = prompt.format(right), [prompt.format(other) for other in distractors]
        # a wine bottle is named after a bottle that it does not look like: the render tells
        if (
            what == "product"
            and aligner.knows is not None
            and choice(own, aligner, *captions)[0] < RECOGNISED
        ):
            unknown.append(right)
            continue
        share, rival = choice(vector, aligner, *captions)
        found.append((share, what, right, distractors[rival]))
    if not found and not unknown:
        return _unasked(settings)
    if not found:
        # where the settings let that pass it has no say in which candidate is chosen
        return CHECK.result(1.0, settings.threshold, _untold(unknown), verdict=Verdict.UNVERIFIABLE)
    score, what, right, rival_words = min(found)
    evidence = tuple(
        Evidence("text", f"{name}: {share:.0%}", (), {"expected": wanted, "rival": other})
        for share, name, wanted, other in found
    )
    measures = {f"{name}_words": share for share, name, _, _ in found}
    measures["reference_likeness"] = float(own @ close)
    verdict = None
    sentence = f"It looks like {words.product or right}."
    if score < settings.threshold:
        sentence = f"The {what} looks more like '{rival_words}' than like '{right}'."
    elif unknown:
        # the scene that was told says nothing of the product that was not
        sentence, verdict = f"It looks like '{right}'. {_untold(unknown)}", Verdict.UNVERIFIABLE
    return CHECK.result(score, settings.threshold, sentence, evidence, verdict, measures)


def _rivals(aligner: Aligner, what: str, right: str, others: Sequence[str], prompt: str) -> tuple[str, ...]:
    """The other words that a picture might be taken for, without those that say the same."""
    known = aligner.knows
    distinct = tuple(
        dict.fromkeys(
            other
            for other in others
            if other and other != right and (known is None or known.apart(what, right, other))
        )
    )
    if not distinct:
        return ()
    vectors = aligner.captions([prompt.format(right), *(prompt.format(other) for other in distinct)])
    alike = vectors[1:] @ vectors[0]
    return tuple(other for other, same in zip(distinct, alike, strict=True) if same < SAME_WORDS)


def _strange(aligner: Aligner, what: str, right: str, others: Sequence[str]) -> list[str]:
    """The other words that say something else than the right ones, for all that a small model cannot tell."""
    known = aligner.knows
    if known is None:
        return []
    if what == "scene":
        return [other for other in others if other and other != right and (what, other) not in known]
    return [other for other in others if other and known.of(other) != known.of(right)]


def choice(
    picture: NDArray[np.float32], aligner: Aligner, right: str, distractors: Sequence[str]
) -> tuple[float, int]:
    """The right caption's probability against its strongest rival, and which rival that is.

    Only the strongest rival counts, so that the score does not sink with the number of products in a catalog.
    """
    vectors = aligner.captions([right, *distractors])
    logits = aligner.scale * (vectors @ picture)
    rival = int(np.argmax(logits[1:]))
    margin = float(logits[0] - logits[1 + rival])
    return float(1 / (1 + np.exp(-np.clip(margin, -30, 30)))), rival


# the embedded model calls one right picture in four hundred less likely than this
CHECK = Check("alignment", "6", AlignmentSettings, {"threshold": 0.02}, judge)
