"""The embedded editor's image codec: a VAE whose encoder is an exact linear PCA, written into the weights.

A VAE trained from nothing was too slow on a CPU, and a small editor needs no more than 8x8 patches on their
principal axes. `pca_codec` writes that projection into an `AutoencoderKLFlux2` (so the production pipeline
runs it unchanged): stride-2 convolutions gather 2x2 cells, residual blocks are switched off, and the final
GroupNorm and SiLU are undone by carrying each component twice, as +x and -x, beside a large constant.
The decoder is then trained as usual (`train_decoder`).
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLFlux2
from numpy.typing import NDArray

LATENT = 16  # principal components kept of the 192 values of an 8x8 patch
WIDTHS = (16, 32, 48, 64)
GROUPS = 8
MIDDLE = 32  # components kept of each 4x4 cell on the way
LAST = 24  # components carried into the last level; the first LATENT of them leave
CONSTANT = 60.0  # dwarfs every component, so GroupNorm's divisor is a constant


def pca_codec(pictures: NDArray[np.uint8], decoder: tuple[int, ...] = (16, 32, 64, 96)) -> AutoencoderKLFlux2:
    """A VAE whose encoder projects 8x8 patches to their principal components.

    Parameters
    ----------
    pictures
        sRGB uint8 (N, H, W, 3), sides a multiple of 8: what the axes are fitted on.
    """
    torch.manual_seed(0)
    count, height, width, _ = pictures.shape
    patches = pictures.reshape(count, height // 8, 8, width // 8, 8, 3).transpose(0, 1, 3, 2, 4, 5)
    x = torch.from_numpy(patches.reshape(-1, 8, 8, 3).astype(np.float32) / 127.5 - 1)
    vae = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=WIDTHS,
        decoder_block_out_channels=decoder,
        layers_per_block=1,
        latent_channels=LATENT,
        norm_num_groups=GROUPS,
        sample_size=256,
        mid_block_add_attention=False,
    )
    encoder = vae.encoder
    with torch.no_grad():
        for parameter in (
            *encoder.parameters(),
            *vae.quant_conv.parameters(),
            *vae.post_quant_conv.parameters(),
        ):
            parameter.zero_()
        for block in encoder.down_blocks:
            for resnet in block.resnets:
                _plain_norms(resnet)
        for resnet in encoder.mid_block.resnets:
            _plain_norms(resnet)
        for channel in range(3):
            encoder.conv_in.weight[channel, channel, 1, 1] = 1
        down = encoder.down_blocks
        _gather(down[0].downsamplers[0].conv, torch.eye(12))
        cells = _cells(x)
        _embed(down[1].resnets[0], 12)
        cells = _cells(cells)
        axes = torch.linalg.eigh(_second_moment(cells))[1].flip(1)[:, :MIDDLE].T
        _gather(down[1].downsamplers[0].conv, axes)
        cells = _cells(cells @ axes.T)
        _embed(down[2].resnets[0], MIDDLE)
        flat = cells.reshape(-1, cells.shape[-1])
        mean = flat.mean(0)
        power, axes = torch.linalg.eigh(_second_moment(flat - mean))
        power, axes = power.flip(0), axes.flip(1)[:, :LAST].T
        _gather(down[2].downsamplers[0].conv, axes)
        centre = axes @ mean
        _pairs(encoder, down[3].resnets[0], centre)
        for i in range(2 * LATENT):
            vae.quant_conv.weight[i, i, 0, 0] = 1
        spread = power[:LATENT].sqrt()
        for i in range(LATENT):
            vae.post_quant_conv.weight[i, i, 0, 0] = spread[i] ** -0.75
        # three-quarter whitening: enough for the flow, without blowing up the faint components
        whitening = spread**0.75 * spread.mean() ** 0.25
        vae.bn.running_mean.zero_()
        vae.bn.running_var.copy_(whitening.repeat_interleave(4) ** 2)
    return vae.eval()


def train_decoder(
    vae: AutoencoderKLFlux2,
    batch: Callable[[], NDArray[np.uint8]],
    cpu_minutes: float,
    log: Callable[[str], None] = print,
) -> None:
    """Train the decoder alone, on 64 px crops.

    Parameters
    ----------
    batch
        Gives sRGB uint8 (N, 64, 64, 3).
    """
    for name, parameter in vae.named_parameters():
        parameter.requires_grad_(name.startswith("decoder"))
    optimiser = torch.optim.AdamW(vae.decoder.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=1e-3)
    noise = torch.sqrt(vae.bn.running_var).view(LATENT, 4).mean(1).view(1, -1, 1, 1) * 0.05
    start, step, smooth = time.process_time(), 0, 0.0
    while (done := (time.process_time() - start) / (60 * cpu_minutes)) < 1:
        optimiser.param_groups[0]["lr"] = 3e-3 * min(1.0, (step + 1) / 40) * (0.02 + 0.98 * (1 - done))
        x = to_tensor(batch())
        with torch.no_grad():
            z = vae.encode(x).latent_dist.mean
            z = z + torch.randn_like(z) * noise
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = vae.decode(z).sample
        y = y.float()
        loss = F.l1_loss(y, x) + 2 * F.mse_loss(y, x)
        loss = loss + 0.5 * (
            F.l1_loss(y.diff(dim=-1), x.diff(dim=-1)) + F.l1_loss(y.diff(dim=-2), x.diff(dim=-2))
        )
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(vae.decoder.parameters(), 1.0)
        optimiser.step()
        error = F.mse_loss(y.detach().clamp(-1, 1), x).item() / 4
        smooth = error if step == 0 else 0.97 * smooth + 0.03 * error
        step += 1
        if step % 100 == 0:
            log(
                f"decoder step {step} cpu {time.process_time() - start:.0f}s "
                f"psnr {-10 * np.log10(smooth):.2f}"
            )
    vae.requires_grad_(False).eval()


@torch.no_grad()
def projection(vae: AutoencoderKLFlux2) -> tuple[torch.Tensor, torch.Tensor]:
    """The encoder as what it is, a projection of 8x8 patches: matrix (LATENT, 192) and offset (LATENT,).

    Probed with one picture a basis vector; a matrix product is far quicker than the convolutions.
    """
    basis = torch.zeros(193, 192)
    basis[1:] = torch.eye(192)
    seen = vae.encode(basis.view(193, 8, 8, 3).permute(0, 3, 1, 2)).latent_dist.mean.view(193, LATENT)
    return (seen[1:] - seen[0]).T.contiguous(), seen[0]


@torch.no_grad()
def encode(vae: AutoencoderKLFlux2, pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Normalised latents as the pipeline packs them, float32 (N, 4*LATENT, H/16, W/16)."""
    if not hasattr(vae, "packline_projection"):
        vae.packline_projection = projection(vae)
    matrix, offset = vae.packline_projection
    mean = vae.bn.running_mean.view(1, -1, 1, 1)
    spread = torch.sqrt(vae.bn.running_var.view(1, -1, 1, 1) + vae.config.batch_norm_eps)
    n, height, width, _ = pictures.shape
    h, w = height // 8, width // 8
    patches = (
        torch.from_numpy(np.ascontiguousarray(pictures)).view(n, h, 8, w, 8, 3).permute(0, 1, 3, 2, 4, 5)
    )
    z = (patches.reshape(n, h, w, 192).float() / 127.5 - 1) @ matrix.T + offset
    z = z.permute(0, 3, 1, 2)
    z = (
        z.view(n, LATENT, h // 2, 2, w // 2, 2)
        .permute(0, 1, 3, 5, 2, 4)
        .reshape(n, LATENT * 4, h // 2, w // 2)
    )
    return (z - mean) / spread


def to_tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """sRGB uint8 (N, H, W, 3) to float32 (N, 3, H, W) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _plain_norms(resnet: torch.nn.Module) -> None:
    # zeroed norm weights would give zero gradients nowhere (the branch is off) but keep them sane
    resnet.norm1.weight.fill_(1)  # type: ignore[union-attr, operator]
    resnet.norm2.weight.fill_(1)  # type: ignore[union-attr, operator]


def _cells(x: torch.Tensor) -> torch.Tensor:
    """Gather 2x2 cells into channels: (N, H, W, C) to (N, H/2, W/2, 4C) in the order dy, dx, c."""
    n, h, w, c = x.shape
    return x.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4 * c)


def _second_moment(x: torch.Tensor) -> torch.Tensor:
    flat = x.reshape(-1, x.shape[-1])
    return flat.T @ flat / len(flat)


def _gather(conv: torch.nn.Conv2d, matrix: torch.Tensor) -> None:
    """Write a cell projection (out, 4C) into a 3x3 stride-2 convolution padded right and below."""
    out, four = matrix.shape
    taps = matrix.view(out, 2, 2, four // 4)
    for dy in range(2):
        for dx in range(2):
            conv.weight[:out, : four // 4, dy, dx] = taps[:, dy, dx]


def _embed(resnet: torch.nn.Module, channels: int) -> None:
    for i in range(channels):
        resnet.conv_shortcut.weight[i, i, 0, 0] = 1  # type: ignore[union-attr, index]


def _pairs(encoder: torch.nn.Module, resnet: torch.nn.Module, centre: torch.Tensor) -> None:
    """Carry each component as +x and -x, three a group of eight beside +-CONSTANT, and undo norm and SiLU.

    In each group the mean is 0 and the standard deviation CONSTANT/2, so the norm's weight CONSTANT/2 gives
    x back; and SiLU(x) - SiLU(-x) = x.
    """
    shortcut: torch.nn.Conv2d = resnet.conv_shortcut  # type: ignore[assignment]
    for i in range(LAST):
        at = (i // 3) * 8 + 2 * (i % 3)
        shortcut.weight[at, i, 0, 0], shortcut.weight[at + 1, i, 0, 0] = 1, -1
        shortcut.bias[at], shortcut.bias[at + 1] = -centre[i], centre[i]  # type: ignore[index]
        if i < LATENT:
            encoder.conv_out.weight[i, at, 1, 1] = 1  # type: ignore[union-attr, index]
            encoder.conv_out.weight[i, at + 1, 1, 1] = -1  # type: ignore[union-attr, index]
    for group in range(GROUPS):
        shortcut.bias[group * 8 + 6], shortcut.bias[group * 8 + 7] = CONSTANT, -CONSTANT  # type: ignore[index]
    encoder.conv_norm_out.weight.fill_(CONSTANT / 2)  # type: ignore[union-attr, operator]
    encoder.conv_out.bias[LATENT:] = -12  # type: ignore[union-attr, index] # log variance: next to none
