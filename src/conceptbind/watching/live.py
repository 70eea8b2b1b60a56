"""A model in the middle of its training, as an encoder; and scoring that leaves it as it was."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from conceptbind.core.errors import ModalityError, ValueRangeError
from conceptbind.core.typing import Encoder
from conceptbind.encoders.brief import Brief
from conceptbind.rows.encoding import single_precision

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image

    from conceptbind.core.typing import Floats, Modality

    Embeds = Callable[[Any, list[Any]], Any]

BATCH = 64
"""Captions or pictures of one call."""
EXPECTED = (
    "expected an encoder, a sentence-transformers model, a function of captions, or a module with "
    "like=, processor= or texts= and pictures= (see docs/howto/watch.md)"
)


class LiveEncoder(Brief):
    """A model in memory, and how it embeds.

    Args:
        model: what is given to both functions.
        texts: of (model, captions) to (n, d) rows; None where it embeds no captions.
        pictures: of (model, RGB pictures) to (n, d) rows; None where it embeds none.
        name: of the model.
    """

    revision = "in memory"

    def __init__(
        self, model: Any, texts: Embeds | None, pictures: Embeds | None, name: str = "model"
    ) -> None:
        self._model, self._texts, self._pictures, self.id = model, texts, pictures, name
        both = {"text": texts, "image": pictures}
        self.modalities: tuple[Modality, ...] = tuple(k for k, v in both.items() if v)  # type: ignore[misc]
        self.dimension = self._width()

    def _width(self) -> int:
        from PIL import Image as Pillow

        if self._texts is not None:
            return int(self._rows(self._texts, ["a red circle"], "captions").shape[1])
        picture = Pillow.new("RGB", (32, 32), (200, 30, 30))
        return int(self._rows(self._pictures, [picture], "pictures").shape[1])

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Raw features (n, d).

        Raises:
            ModalityError: it embeds no captions.
        """
        return self._rows(self._texts, list(texts), "captions")

    def encode_images(self, images: Sequence[Image]) -> Float[Floats, "pictures width"]:
        """Raw features (n, d).

        Raises:
            ModalityError: it embeds no pictures.
        """
        return self._rows(self._pictures, list(images), "pictures")

    def _rows(self, embeds: Embeds | None, items: list[Any], what: str) -> Floats:
        if embeds is None:
            raise ModalityError(f"'{self.id}' embeds no {what}")
        parts = []
        for start in range(0, len(items), BATCH):
            some = items[start : start + BATCH]
            with torch.no_grad():
                found = embeds(self._model, some)
            rows = found.detach().float().cpu().numpy() if hasattr(found, "detach") else found
            rows = np.asarray(rows)
            if rows.ndim != 2 or len(rows) != len(some):
                raise ValueRangeError(
                    f"'{self.id}' was given {len(some)} {what} and returned the shape "
                    f"{rows.shape}; expected ({len(some)}, width)"
                )
            parts.append(single_precision(rows, f"the rows of '{self.id}'"))
        return np.concatenate(parts)


def encoder_of(
    model: Any,
    *,
    like: Any = None,
    processor: Any = None,
    texts: Embeds | None = None,
    pictures: Embeds | None = None,
) -> Encoder:
    """A model in memory as an encoder.

    Args:
        model: an encoder, a module, or a function of captions.
        like: an encoder of the same architecture, which prepares captions and pictures as
            `measure` does.
        processor: of transformers: a processor, or a tokenizer for a model of captions; of
            open_clip a pair of its tokenizer and its transform of pictures.
        texts: of (model, captions) to rows.
        pictures: of (model, pictures) to rows.

    Raises:
        ValueRangeError: it cannot be told how it embeds.
    """
    name = type(model).__name__
    inner = getattr(model, "module", None)
    bare = inner if isinstance(inner, torch.nn.Module) and _wrapped(model) else model
    if texts is not None or pictures is not None:
        return LiveEncoder(bare, texts, pictures, name)
    if like is not None:
        if not hasattr(like, "with_module"):
            raise ValueRangeError(
                f"like= is {like!r:.60}, which takes no other weights; {EXPECTED}"
            )
        found: Encoder = like.with_module(bare)
        return found
    if isinstance(model, Encoder):
        return model
    if processor is not None:
        return _of_processor(bare, processor, name)
    if hasattr(bare, "encode") and hasattr(bare, "tokenize"):
        return LiveEncoder(bare, _sentences, None, name)
    if callable(model) and not isinstance(model, torch.nn.Module):
        return LiveEncoder(model, _called, None, getattr(model, "__name__", name))
    raise ValueRangeError(f"cannot tell how {name} embeds; {EXPECTED}")


def _wrapped(model: Any) -> bool:
    """Whether a module is a wrapper of another: for several GPUs, say."""
    return type(model).__name__ in ("DataParallel", "DistributedDataParallel")


def _of_processor(model: Any, processor: Any, name: str) -> Encoder:
    if isinstance(processor, tuple) and hasattr(model, "encode_text"):
        tokenizer, transform = processor

        def said(model: Any, captions: list[str]) -> Any:
            return model.encode_text(tokenizer(captions).to(_device(model)))

        def shown(model: Any, images: list[Image]) -> Any:
            pixels = torch.stack([transform(image) for image in images])
            return model.encode_image(pixels.to(_device(model)))

        return LiveEncoder(model, said, shown, name)

    def read(model: Any, captions: list[str]) -> Any:
        ids = processor(text=captions, padding=True, truncation=True, return_tensors="pt")
        return ids.to(_device(model))

    def features(model: Any, captions: list[str]) -> Any:
        return _pooled(model.get_text_features(**read(model, captions)))

    def seen(model: Any, images: list[Image]) -> Any:
        pixels = processor(images=images, return_tensors="pt").to(_device(model))
        return _pooled(model.get_image_features(**pixels))

    def averaged(model: Any, captions: list[str]) -> Any:
        ids = read(model, captions)
        hidden = model(**ids).last_hidden_state
        mask = ids["attention_mask"][..., None].to(hidden)
        return (hidden * mask).sum(dim=1) / mask.sum(dim=1)

    if hasattr(model, "get_text_features"):
        return LiveEncoder(model, features, seen, name)
    return LiveEncoder(model, averaged, None, name)


def _pooled(found: Any) -> Any:
    """The features themselves, which newer versions of transformers put into an output."""
    return found if isinstance(found, torch.Tensor) else found.pooler_output


def _sentences(model: Any, captions: list[str]) -> Any:
    return model.encode(captions, convert_to_numpy=True, show_progress_bar=False)


def _called(model: Any, captions: list[str]) -> Any:
    return model(captions)


def _device(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device


@contextmanager
def as_it_was(model: Any) -> Iterator[None]:
    """Score a model in evaluation mode. Afterwards its modes, and all random numbers, are as they
    were, so that a training goes on to the same weights.

    Args:
        model: whatever is trained; modules are found in it where it is none itself.
    """
    found = model if isinstance(model, torch.nn.Module) else getattr(model, "module", None)
    modules = list(found.modules()) if isinstance(found, torch.nn.Module) else []
    modes = [module.training for module in modules]
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's own
    try:
        with torch.random.fork_rng(_cuda()):
            if modules:
                modules[0].eval()
            yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002


def _cuda() -> list[int]:
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
