"""The bench's plot: escape rate by strength, a small panel for each defect, as SVG; and what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from scoring.bench.table import DefectRow, Findings

_COLUMNS, _WIDE, _HIGH = 4, 250, 168
_LEFT, _TOP, _RIGHT, _BOTTOM = 34, 30, 10, 42
_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.t{font-weight:600;font-size:12px}"
    ".q{fill:#777;font-size:9.5px}.g{stroke:#e3e3e3}.i{stroke:#b8452f;stroke-width:1.5}.d{fill:#b8452f}.n{fill:#9a9a9a}.m{stroke:#9a9a9a;"
    "stroke-width:1.5}"
)
_TILE, _SHEET_COLUMNS = 200, 10


def escape_plot(found: Findings) -> str:
    """Small multiples: escape rate with its interval by strength, red where any is plain, grey elsewhere."""
    kinds: dict[str, list[DefectRow]] = {}
    for row in found.defects:
        kinds.setdefault(row.kind, []).append(row)
    rows = -(-len(kinds) // _COLUMNS)
    width, height = _COLUMNS * _WIDE, rows * _HIGH
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="Escape rate by defect and strength"><style>{_STYLE}</style>'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for number, (kind, own) in enumerate(kinds.items()):
        at = (number % _COLUMNS) * _WIDE, (number // _COLUMNS) * _HIGH
        parts.append(f'<g transform="translate({at[0]} {at[1]})">')
        parts.extend(_panel(kind, own))
        parts.append("</g>")
    return "".join([*parts, "</svg>\n"])


def contact_sheet(scores: pd.DataFrame, folder: Path, file: Path, most: int = 60) -> int:
    """Write a picture of the worst: plain escapes, other escapes by margin, then false rejects.

    Parameters
    ----------
    scores
        From `scoring.bench.table.read_scores`.
    folder
        The run's folder, which holds the small pictures.
    file
        A JPEG.

    Returns
    -------
    int
        How many are shown; nothing is written for none.
    """
    shards = sorted((folder / "looks").glob("*.parquet"))
    looks = pd.concat([pd.read_parquet(one) for one in shards]) if shards else pd.DataFrame()
    if looks.empty:
        return 0
    pictures = dict(zip(looks["specimen"], looks["jpeg"], strict=True))
    judged = scores[scores["verdict"] != "not applicable"]
    margin = (judged["score"] - judged["threshold"]).groupby(judged["specimen"]).min()
    each = scores.drop_duplicates("specimen").set_index("specimen")
    wrong = each.loc[[one for one in each.index if one in pictures]].assign(margin=margin)
    escapes = wrong[wrong["kind"].notna()]
    escapes = escapes.assign(obvious=escapes["plain"].astype(bool)).sort_values(
        ["obvious", "margin"], ascending=False
    )
    rejects = wrong[wrong["kind"].isna()].sort_values("margin")
    half = max(most // 2, most - len(rejects))
    chosen = [*escapes.index[:half], *rejects.index[: most - min(half, len(escapes))]]
    tiles = [_tile(pictures[one], _caption(one, each, scores)) for one in chosen]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _SHEET_COLUMNS)
    rows = [
        np.hstack(tiles[start : start + _SHEET_COLUMNS]) for start in range(0, len(tiles), _SHEET_COLUMNS)
    ]
    cv2.imwrite(str(file), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88])
    return len(chosen)


def _panel(kind: str, rows: Sequence[DefectRow]) -> Iterator[str]:
    right, bottom = _WIDE - _RIGHT, _HIGH - _BOTTOM
    yield f'<text class="t" x="{_LEFT}" y="18">{escape(kind)}</text>'
    for share in (0.0, 0.01, 0.1, 0.5, 1.0):
        y = _level(share)
        yield f'<line class="g" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="q" x="{_LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{100 * share:.0f} %</text>'
    step = (right - _LEFT) / len(rows)
    for number, row in enumerate(rows):
        x = _LEFT + (number + 0.5) * step
        one = row.escaped
        high, low, mid = _level(one.high), _level(one.low), _level(one.share)
        line, dot = ("i", "d") if row.plain else ("m", "n")
        yield f'<line class="{line}" x1="{x:.1f}" x2="{x:.1f}" y1="{high:.1f}" y2="{low:.1f}"/>'
        yield f'<circle class="{dot}" cx="{x:.1f}" cy="{mid:.1f}" r="3.2"/>'
        words = row.strength or "all"
        first, _, rest = words.partition(", ")
        yield f'<text class="q" x="{x:.1f}" y="{bottom + 13}" text-anchor="middle">{escape(first)}</text>'
        under = f"{rest}, " if rest else ""
        yield (
            f'<text class="q" x="{x:.1f}" y="{bottom + 25}" text-anchor="middle">'
            f"{escape(under)}n={row.escaped.of}</text>"
        )


def _level(share: float) -> float:
    """How far down a panel a share lies: by its square root, so that 1 % can be told from none."""
    return float(_HIGH - _BOTTOM - np.sqrt(share) * (_HIGH - _BOTTOM - _TOP))


def _caption(specimen: str, each: pd.DataFrame, scores: pd.DataFrame) -> tuple[str, str]:
    row = each.loc[specimen]
    name = str(row["product"]).split(" ", 1)[-1]
    if isinstance(row["kind"], str):
        return f"{row['kind']} {row['strength']}", f"{'PLAIN ' if row['plain'] else ''}escaped: {name}"
    own = scores[(scores["specimen"] == specimen) & scores["verdict"].isin(["fail", "error", "unverifiable"])]
    worst = own.assign(margin=own["score"] - own["threshold"]).sort_values("margin")
    said = f"{worst['check'].iloc[0]} {worst['verdict'].iloc[0]}" if len(worst) else "rejected"
    return f"good: {name}", said


def _tile(jpeg: bytes, words: tuple[str, str]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    tile = np.full((_TILE + 34, _TILE, 3), 255, np.uint8)
    if picture is not None:
        high, wide = min(picture.shape[0], _TILE), min(picture.shape[1], _TILE)
        tile[:high, :wide] = picture[:high, :wide]
    for line, text in enumerate(words):
        at = (2, _TILE + 13 + 14 * line)
        cv2.putText(tile, text[:32], at, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (0, 0, 0), 1, cv2.LINE_AA)
    return tile
