"""The growth of planning's cost, as SVG: seconds of CPU and MiB over the catalog's size, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.plan_scale import Cost, Finding

_WIDE, _HIGH, _LEFT, _RIGHT, _TOP, _BOTTOM = 420, 300, 52, 16, 34, 46
_COLOURS = ("#1f5f8b", "#b8452f", "#6a8f3c", "#8a6bb0")
_STYLE = (
    "text{font:11px system-ui,sans-serif;fill:#333}.t{font-weight:600;font-size:12px}"
    ".g{stroke:#e3e3e3}.l{fill:none;stroke-width:1.8}.a{stroke:#777;stroke-dasharray:4 3}"
)


def growth_plot(findings: Sequence[Finding]) -> str:
    """Two panels side by side and a legend; the dashed lines are what was aimed at."""
    names = list(findings[0].costs)
    height = _HIGH + 18 * len(names) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDE} {height}" role="img" '
        f'aria-label="Cost of planning by catalog size"><style>{_STYLE}</style>'
        f'<rect width="{2 * _WIDE}" height="{height}" fill="#fff"/>'
    ]
    parts += _panel(0, "CPU seconds", findings, lambda cost: cost.cpu, ((100_000, 10.0), (1_000_000, 120.0)))
    aims = ((100_000, 500.0), (1_000_000, 1024.0))
    parts += _panel(_WIDE, "peak memory, MiB", findings, lambda cost: cost.memory, aims)
    for number, name in enumerate(names):
        y = _HIGH + 14 + 18 * number
        parts.append(
            f'<line x1="{_LEFT}" x2="{_LEFT + 24}" y1="{y - 4}" y2="{y - 4}" class="l" '
            f'stroke="{_COLOURS[number]}"/><text x="{_LEFT + 32}" y="{y}">{name}</text>'
        )
    parts.append(f'<text x="{_WIDE + _LEFT}" y="{_HIGH + 14}">diamonds: what issue 4 aims at, as wall time</text>')
    return "".join([*parts, "</svg>\n"])


def _panel(left, title, findings, value, aims) -> list[str]:  # type: ignore[no-untyped-def]
    return []
