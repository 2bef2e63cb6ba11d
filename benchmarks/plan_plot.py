"""The growth of planning's cost, as SVG: seconds of CPU and MiB over the catalog's size, logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

_WIDE, _HIGH, _LEFT, _RIGHT, _TOP, _BOTTOM = 420, 300, 52, 34, 34, 46
_COLOURS = ("#1f5f8b", "#b8452f", "#6a8f3c", "#8a6bb0")
_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.t{font-weight:600;font-size:12px}"
    ".g{stroke:#e3e3e3}.l{fill:none;stroke-width:1.8}"
)

Series = Mapping[str, Sequence[tuple[int, float]]]
"""By name: the catalog's size and what was measured."""


def growth_plot(seconds: Series, memory: Series, aims: Mapping[int, tuple[float, float]]) -> str:
    """Two panels side by side and a legend.

    Parameters
    ----------
    aims
        What was aimed at, by the catalog's size: seconds (of a clock) and MiB; drawn as diamonds.
    """
    height = _HIGH + 18 * (len(seconds) + 1) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDE} {height}" role="img" '
        f'aria-label="What planning costs by the size of the catalog"><style>{_STYLE}</style>'
        f'<rect width="{2 * _WIDE}" height="{height}" fill="#fff"/>'
    ]
    parts += _panel(0, "CPU seconds", seconds, [(skus, aim[0]) for skus, aim in aims.items()])
    parts += _panel(_WIDE, "peak memory, MiB", memory, [(skus, aim[1]) for skus, aim in aims.items()])
    for number, name in enumerate(seconds):
        y = _HIGH + 14 + 18 * number
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<line x1="{_LEFT}" x2="{_LEFT + 24}" y1="{y - 4}" y2="{y - 4}" class="l" ')
        parts.append(f'stroke="{colour}"/><text x="{_LEFT + 32}" y="{y}">{name}</text>')
    y = _HIGH + 14 + 18 * len(seconds)
    parts.append(
        f'{_diamond(_LEFT + 12, y - 4)}<text x="{_LEFT + 32}" y="{y}">aimed at (seconds by the clock)</text>'
    )
    return "".join([*parts, "</svg>\n"])


def _panel(left: int, title: str, series: Series, aims: Sequence[tuple[int, float]]) -> list[str]:
    points = [point for own in series.values() for point in own]
    sizes = sorted({skus for skus, _ in points})
    values = [value for _, value in (*points, *aims)]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = math.log10(sizes[0]), math.log10(max(sizes[-1], sizes[0] * 10))

    def x(skus: float) -> float:
        return left + _LEFT + (math.log10(skus) - first) / (last - first) * (_WIDE - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HIGH - _BOTTOM - (math.log10(value) - low) / (high - low) * (_HIGH - _TOP - _BOTTOM)

    parts = [f'<text class="t" x="{left + _LEFT}" y="20">{title}</text>']
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<line class="g" x1="{x(10**first)}" x2="{x(10**last)}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{left + _LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{10**power:g}</text>')
    for skus in sizes:
        where = f'x="{x(skus):.1f}" y="{_HIGH - _BOTTOM + 18}" text-anchor="middle"'
        parts.append(f"<text {where}>{skus:,}</text>")
    parts.append(
        f'<text x="{left + (_WIDE + _LEFT) / 2:.1f}" y="{_HIGH - 10}" text-anchor="middle">SKUs</text>'
    )
    parts += [_diamond(x(skus), y(value)) for skus, value in aims if skus in sizes]
    for number, own in enumerate(series.values()):
        colour = _COLOURS[number % len(_COLOURS)]
        line = " ".join(f"{x(skus):.1f},{y(value):.1f}" for skus, value in own)
        parts.append(f'<polyline class="l" stroke="{colour}" points="{line}"/>')
        parts += [
            f'<circle cx="{x(skus):.1f}" cy="{y(value):.1f}" r="2.5" fill="{colour}"/>' for skus, value in own
        ]
    return parts


def _diamond(x: float, y: float) -> str:
    shape = f"M{x:.1f},{y - 6:.1f} L{x + 6:.1f},{y:.1f} L{x:.1f},{y + 6:.1f} L{x - 6:.1f},{y:.1f} Z"
    return f'<path d="{shape}" fill="none" stroke="#777"/>'
