"""The embedded aligner's exam: what it tells apart on products and photos that it was not taught."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from training.captions import COLOURS, PRODUCTS, plain_caption
from training.lessons import Lessons
from training.set_dressing import Bases, close_up, whole

AMONG = 20
CLEAR = 0.5  # of what the view shows goes by one name
NEARLY = 0.7  # a colour that covers this much of what the dominant one covers describes the product as well


@torch.inference_mode()
def examine(model: Any, lessons: Lessons, known: Bases, unseen: Bases) -> dict[str, float]:
    """Shares of right answers with the check's own prompts, without augmentation.

    Returns
    -------
    dict
        "product of 20", "scene of 20": right against 19 random other captions, the scene being one of the
        known photos; "unseen scene of 20" a photo never seen. "kind" of all ten in the right colour; "colour
        of 20" of all twenty of the right kind, where the dominant name must win; "colour as good" where a
        nearly equal one may; "clear ..." the same of pictures whose dominant name covers half of the
        product, as a title's colour does. "wrong passed at 1 %": share of pictures of another product that
        the check's score lets through when it rejects 1 % of the right ones.
    """
    from training.aligner import SIZE, batch, tokenizer

    tokenize = tokenizer()
    model.eval()
    rng = np.random.default_rng(5)
    count = len(lessons.chips)
    behind, at, new = (
        rng.integers(0, n, count) for n in (len(known.photos), len(known.photos), len(unseen.photos))
    )
    close = [
        close_up(lessons.chips[i], lessons.boxes[i], known.photos[behind[i]], SIZE, None)
        for i in range(count)
    ]
    placed = [
        whole(lessons.chips[i], lessons.boxes[i], known.photos[at[i]], SIZE, None) for i in range(count)
    ]
    strange = [
        whole(lessons.chips[i], lessons.boxes[i], unseen.photos[new[i]], SIZE, None) for i in range(count)
    ]

    def encode(pictures: list[Any]) -> torch.Tensor:
        parts = [batch(pictures[i : i + 128]) for i in range(0, len(pictures), 128)]
        return torch.cat([model.encode_image(part, normalize=True) for part in parts])

    texts = model.encode_text(tokenize([plain_caption(one) for one in PRODUCTS]), normalize=True)
    descriptions = tuple(dict.fromkeys((*known.descriptions, *unseen.descriptions)))
    places = model.encode_text(tokenize([f"a product on {words}" for words in descriptions]), normalize=True)
    scale = float(model.logit_scale.exp().clamp(max=100))
    by_product = scale * (encode(close) @ texts.T).numpy()
    colour, kind = lessons.colours.argmax(1), lessons.kinds
    right = kind * len(COLOURS) + colour
    said = np.array([descriptions.index(known.descriptions[w]) for w in known.words])
    new_said = np.array([descriptions.index(unseen.descriptions[w]) for w in unseen.words])
    out = {
        "product of 20": _among(by_product, right, rng),
        "scene of 20": _among((encode(placed) @ places.T).numpy(), said[at], rng),
        "unseen scene of 20": _among((encode(strange) @ places.T).numpy(), new_said[new], rng),
    }
    table = by_product.reshape(count, -1, len(COLOURS))
    every = np.arange(count)
    out["kind"] = float((table[every, :, colour].argmax(1) == kind).mean())
    named = table[every, kind].argmax(1)
    out["colour of 20"] = float((named == colour).mean())
    as_good = lessons.colours[every, named] >= NEARLY * lessons.colours[every, colour]
    out["colour as good"] = float(as_good.mean())
    clear = lessons.colours.max(1) >= CLEAR
    out["clear product of 20"] = _among(by_product[clear], right[clear], rng)
    out["clear colour of 20"] = float((named == colour)[clear].mean())
    out["clear share"] = float(clear.mean())
    out["wrong passed at 1 %"] = _wrong_passed(by_product, lessons, right, rng)
    model.train()
    return out


def _among(likeness: NDArray[Any], truth: NDArray[Any], rng: np.random.Generator) -> float:
    hits = []
    for row, right in zip(likeness, truth, strict=True):
        others = np.delete(np.arange(len(row)), right)
        rivals = rng.choice(others, AMONG - 1, replace=False)
        hits.append(row[right] > row[rivals].max())
    return float(np.mean(hits))


def _wrong_passed(
    likeness: NDArray[Any], lessons: Lessons, right: NDArray[Any], rng: np.random.Generator
) -> float:
    """A catalog of twelve titles: the right one asked for, and another one while the right one is a rival."""
    honest, wrong = [], []
    for i, row in enumerate(likeness):
        weak = np.flatnonzero(lessons.colours[i] < 0.25 * lessons.colours[i].max())
        unlike = [
            k for k in range(len(row)) if k // len(COLOURS) != lessons.kinds[i] or k % len(COLOURS) in weak
        ]
        rivals = rng.choice(unlike, 11, replace=False)
        honest.append(row[right[i]] - row[rivals].max())
        wrong.append(row[rivals[0]] - max(row[right[i]], row[rivals[1:]].max()))
    return float((np.array(wrong) >= np.quantile(honest, 0.01)).mean())
