"""What all drivers share: one pipeline, its caches, its LoRAs, and a decode that can wait. Imports torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from packline.editing.architectures import Architecture
from packline.editing.engine import EditRequest, Picture
from packline.editing.loading import Recent, fit, load_pipeline, picture_key, resize
from packline.editing.lora_slot import LoraSlot
from packline.editing.loras import Lora, Presets, guidance_of, negative_of
from packline.editing.weights import Weights
from packline.settings import EngineSettings

# a 1024 px reference is 1 MiB of latents in 16 bits
_MOST_LATENTS = 256
_MOST_PROMPTS = 64
# a reference of half a megapixel shows what a megapixel shows, but for small text
_EASED_REFERENCE = 512
_OFFLOAD = "model offload"


@dataclass(frozen=True)
class Undecoded:
    """Latents of a batch as the VAE wants them.

    Parameters
    ----------
    ready
        On a GPU, when they are there.
    """

    latents: torch.Tensor
    ready: torch.cuda.Event | None = None


class PipelineDriver:
    """Calls one kind of pipeline; the kinds are its subclasses.

    A call ends before the VAE decodes: `denoise` gives latents and `decode`, perhaps in another thread and
    while the next batch is denoised, makes pictures of them.
    """

    pipelines: ClassVar[dict[str, type[Any]]] = {}
    """By the name that `Architecture.pipeline` gives."""

    def __init__(
        self, settings: EngineSettings, architecture: Architecture, weights: Weights, presets: Presets
    ) -> None:
        self.settings = settings
        self.architecture = architecture
        self.presets = presets
        self.card = weights.card
        self.shares = weights.shares or architecture.reference_shares
        self.pipe = load_pipeline(self.pipelines[architecture.pipeline], settings, architecture, weights)
        self.latents: Recent[Any] = Recent(_MOST_LATENTS)
        self.prompts: Recent[Any] = Recent(_MOST_PROMPTS)
        self.eased: list[str] = []
        self._undo: list[Callable[[], object]] = []
        self._longest_reference: int | None = None
        # asked by two threads: Qwen's keeps what it has seen of a video between the calls of its parts, the
        # others keep nothing, and encode references while a batch is decoded
        stateful = hasattr(self.pipe.vae, "clear_cache")
        self._vae: AbstractContextManager[object] = threading.RLock() if stateful else nullcontext()
        self._decode = self.pipe.vae.decode
        self.pipe.vae.decode = self._catch
        self._caught: torch.Tensor | None = None
        self._stream: Any = None
        self.open_loras()
        self._speed_up()

    # what a kind of pipeline says of itself

    def count_tokens(self, prompt: str) -> int:
        """Tokens of a prompt as the text encoder gets it."""
        raise NotImplementedError

    def batch_key(self, request: EditRequest) -> Hashable:
        """Requests with equal keys may share a call."""
        raise NotImplementedError

    def call(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> None:
        """Call the pipeline; the VAE's part of it only takes the latents."""
        raise NotImplementedError

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Latents of a picture, (1, 3, height, width) from -1 to 1, as the pipeline's denoiser wants them."""
        return torch.as_tensor(self.pipe._encode_vae_image(image=pixels, generator=None))

    @property
    def guided(self) -> bool:
        """Whether guidance acts."""
        return self.architecture.guided

    # LoRAs

    def open_loras(self) -> None:
        """Make ready for LoRAs."""
        # where the model is compiled or stored in 8 bits, before it is: what changes later are numbers, not
        # shapes, a stack of any two presets included
        for_good = self.settings.compile != "off" or self.settings.precision != "full"
        self.slot = LoraSlot(self.pipe, self.presets, self.architecture.lora, at_once=2 if for_good else 1)
        if for_good:
            self.slot.open()

    def use_loras(self, stack: Sequence[Lora]) -> None:
        """Load LoRAs, each at its strength; an empty stack is the plain model."""
        self.slot.use(stack)

    # pictures

    @property
    def device(self) -> str:
        """ "cuda" or "cpu"."""
        return str(self.pipe._execution_device.type)

    @property
    def card_or_cpu(self) -> str:
        """`device` with the card's number where it is known, such as "cuda:1"."""
        return str(self.pipe._execution_device)

    @torch.no_grad()
    def denoise(self, requests: Sequence[EditRequest], stack: Sequence[Lora]) -> Undecoded:
        """Everything but the decoding, with what `use_loras` loaded."""
        self._caught = None
        self.call(requests, stack)
        caught, self._caught = self._caught, None
        if caught is None:
            raise RuntimeError(f"{self.architecture.pipeline} ended without asking its VAE to decode")
        if caught.device.type != "cuda":
            return Undecoded(caught)
        ready = torch.cuda.Event()
        # of the engine's own card, which may be another than the thread's current one
        ready.record(torch.cuda.current_stream(caught.device))
        return Undecoded(caught, ready)

    @torch.no_grad()
    def decode(self, undecoded: Undecoded) -> NDArray[np.float32]:
        """Pictures, (n, height, width, 3), 0 to 1, sRGB. May be called by another thread."""
        with self._vae, self._beside(undecoded):
            image = self._decode(undecoded.latents.to(self.pipe.vae.dtype), return_dict=False)[0]
            if image.ndim == 5:  # Qwen's VAE is for videos
                image = image[:, :, 0]
            return np.asarray(self.pipe.image_processor.postprocess(image, output_type="np"), np.float32)

    def _catch(self, latents: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor]:
        """In the VAE's place; what the pipeline makes of the answer is thrown away."""
        self._caught = latents
        return (latents,)

    def _beside(self, undecoded: Undecoded) -> AbstractContextManager[object]:
        """On a GPU a stream of its own, so that decoding does not queue behind the next batch."""
        if undecoded.ready is None:
            return nullcontext()
        if self._stream is None:
            self._stream = torch.cuda.Stream(undecoded.latents.device)  # type: ignore[no-untyped-call]
        self._stream.wait_event(undecoded.ready)
        undecoded.latents.record_stream(self._stream)
        return torch.cuda.stream(self._stream)

    # references

    def shape_of(self, request: EditRequest, number: int) -> tuple[int, int]:
        """Height and width at which a reference is shown to the model."""
        shares = self.shares
        longest = round(self.settings.size * shares[min(number, len(shares) - 1)])
        if self._longest_reference is not None:
            longest = min(longest, self._longest_reference)
        return fit(request.references[number].shape, longest, self.architecture.multiple_of)

    def size_of(self, request: EditRequest) -> tuple[int, int]:
        """Height and width of the edit."""
        return fit(request.references[0].shape, self.settings.size, self.architecture.multiple_of)

    def reference(self, picture: Picture, height: int, width: int) -> torch.Tensor:
        """Latents of a reference; computed once and kept over candidates and waves."""
        key = (picture_key(picture), height, width)
        known = self.latents.get(key)
        if known is None:
            pixels = torch.from_numpy(resize(picture, height, width)).permute(2, 0, 1)[None]
            image = (pixels.float() / 127.5 - 1).to(self.pipe._execution_device, self.pipe.vae.dtype)
            with torch.no_grad(), self._vae:
                known = self.latents.put(key, self.encode(image))
        return torch.as_tensor(known)

    # memory and speed

    def free_memory(self) -> None:
        """Let go of what can be computed again."""
        self.latents.clear()
        self.prompts.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @property
    def offloaded(self) -> bool:
        """Whether only the part at work is on the card."""
        return self.settings.offload == "model" or _OFFLOAD in self.eased

    def ease(self) -> str | None:
        """Give something up to fit into memory; None where nothing is left to give up."""
        for name, step in self._steps().items():
            if name not in self.eased:
                self._undo.append(step())
                self.eased.append(name)
                return name
        return None

    def undo_easing(self) -> None:
        """Take back what `ease` gave up, the last first; where memory runs out at that, the rest stays."""
        while self._undo:
            self._undo[-1]()
            self._undo.pop()
            self.eased.pop()

    def _steps(self) -> dict[str, Callable[[], Callable[[], object]]]:
        """Each does its part and gives what undoes it."""
        steps: dict[str, Callable[[], Callable[[], object]]] = {"VAE tiling": self._tile}
        if self.resizes_references:
            steps[f"references of {self._eased_side} px"] = self._shrink_references
        if self.device == "cuda" and self.settings.offload == "off":
            steps[_OFFLOAD] = self._offload
        return steps

    resizes_references: ClassVar[bool] = True
    """Whether we, not the pipeline, say how large it sees references."""

    @property
    def _eased_side(self) -> int:
        return min(_EASED_REFERENCE, self.settings.size // 2)

    def _tile(self) -> Callable[[], object]:
        self.pipe.vae.enable_tiling()
        return self.pipe.vae.disable_tiling  # type: ignore[no-any-return]

    def _shrink_references(self) -> Callable[[], object]:
        self._longest_reference = self._eased_side

        def undo() -> None:
            self._longest_reference = None

        return undo

    def _offload(self) -> Callable[[], object]:
        device = self.pipe._execution_device
        self.pipe.enable_model_cpu_offload(device=device)

        def undo() -> None:
            self.pipe.remove_all_hooks()
            try:
                self.pipe.to(device)
            except Exception:
                # some parts are there and some are not; so all of them are where they were
                self.pipe.enable_model_cpu_offload(device=device)
                raise

        return undo

    @property
    def denoiser(self) -> Any:
        """The module that all the time goes into."""
        return getattr(self.pipe, "transformer", None) or self.pipe.unet

    def _speed_up(self) -> None:
        if self.settings.precision == "fp8":
            keep = getattr(self.denoiser, "_skip_layerwise_casting_patterns", None) or ()
            self.denoiser.enable_layerwise_casting(
                storage_dtype=torch.float8_e4m3fn,
                compute_dtype=self.denoiser.dtype,
                # a LoRA is small, and its numbers change
                skip_modules_pattern=(*keep, "norm", "pos_embed", "patch_embed", "lora_"),
            )
        if self.settings.compile == "regional":
            self.denoiser.compile_repeated_blocks()

    # what is said of a candidate

    def ignored(self, request: EditRequest, stack: Sequence[Lora]) -> list[str]:
        """What a request or its LoRAs ask for and this model cannot do, a sentence each."""
        found = self._ignored_negative(stack)
        if not self.guided and guidance_of(stack, self.settings.guidance) != 1.0:
            found.append("the guidance: this model is distilled and has its own")
        if any(lora.preset.settings.clip_skip is not None for lora in stack):
            found.append("clip_skip: this model has no CLIP whose layers could be skipped")
        if request.denoise is not None:
            found.append("denoise: this model does not start from a picture")
        return found

    @property
    def negative_above(self) -> float | None:
        """The guidance above which a negative prompt acts; None: never."""
        return 1.0 if self.architecture.negative_prompt else None

    def _ignored_negative(self, stack: Sequence[Lora]) -> list[str]:
        above = self.negative_above
        if not negative_of(stack) or (
            above is not None and guidance_of(stack, self.settings.guidance) > above
        ):
            return []
        if above is None:
            return ["the negative prompt: this model takes none"]
        return [f"the negative prompt: it acts where guidance is above {above:g}"]

    def acting(self, request: EditRequest, stack: Sequence[Lora]) -> dict[str, Any]:
        """Numbers as they act, where they may differ from the settings'."""
        return {"guidance": guidance_of(stack, self.settings.guidance)} if self.guided else {}
