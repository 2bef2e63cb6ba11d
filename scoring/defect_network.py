"""The network behind `scoring.defect_map`: a small U-Net with a map and one number for the whole picture.

Import it inside functions only: it needs torch at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = 31
WIDTHS = (24, 40, 64, 96)


class Residual(nn.Module):
    """Two 3 x 3 convolutions, the second of few channels, beside the identity."""

    def __init__(self, width: int, groups: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=groups, bias=False),
            nn.BatchNorm2d(width),
            nn.SiLU(inplace=True),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.silu(x + self.body(x))


def _down(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outside),
        nn.SiLU(inplace=True),
    )


class _Up(nn.Module):
    """The coarser level laid over the finer one's features."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv2d(coarse + fine, fine, 1, bias=False), nn.BatchNorm2d(fine), nn.SiLU(inplace=True)
        )
        self.body = Residual(fine)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        grown = nn.functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        out: Tensor = self.body(self.mix(torch.cat([grown, fine], 1)))
        return out


class DefectNetwork(nn.Module):
    """Features of `scoring.defect_map.features` to a defect map and a verdict, both as logits."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.stem = nn.Sequential(_down(CHANNELS, a), Residual(a))
        self.level1 = nn.Sequential(_down(a, b), Residual(b), Residual(b))
        self.level2 = nn.Sequential(_down(b, c), Residual(c), Residual(c))
        self.level3 = nn.Sequential(_down(c, d), Residual(d), Residual(d))
        self.up2, self.up1 = _Up(d, c), _Up(c, b)
        self.map = nn.Conv2d(b, 1, 1)
        self.verdict = nn.Sequential(nn.Linear(len(TOP) + 2 * d + b, 48), nn.SiLU(), nn.Linear(48, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits.

        Parameters
        ----------
        x
            (N, CHANNELS, S, S).

        Returns
        -------
        map, verdict
            (N, S / 4, S / 4) and (N,); positive is wrong.
        """
        fine = self.level1(self.stem(x))
        middle = self.level2(fine)
        coarse = self.level3(middle)
        shaped = self.up1(self.up2(coarse, middle), fine)
        heat = self.map(shaped)[:, 0]
        ranked = heat.flatten(1).sort(dim=1, descending=True).values
        tops = torch.stack([ranked[:, :count].mean(1) for count in TOP], 1)
        # what the map's features look like where it is hottest
        attention = torch.softmax(heat.flatten(1), 1)[:, None]
        hot = (shaped.flatten(2) * attention).sum(2)
        parts = [tops, coarse.mean((2, 3)), coarse.amax((2, 3)), hot]
        # the base line is the map's own hottest place; the rest learns when that is right
        verdict = self.verdict(torch.cat(parts, 1))[:, 0] + tops[:, 1]
        return heat, verdict


#: Numbers of the hottest cells whose mean logits are pooled.
TOP = (1, 4, 16, 64)
