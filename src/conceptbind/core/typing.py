"""Array aliases and the contract of an encoder.

A public array states its shape where it stands: `Float[Floats, "scenes width"]`, one axis with a
space before it (`" scenes"`, so that linters do not take it for a name), any shape as `" ..."`. The
same name is the same number within a signature or a dataclass; `_` is a number of its own. The
tests check it (`tests/shapes.py`); nothing that a user runs imports jaxtyping.

Words for axes, with the letters that docstrings use: `scenes` n, `slots` m, `concepts` C,
`values` V_k of a concept, `objects` |O|, `candidates` K (values or objects), `width` d. Where
something else is counted: `pairs`, `captions`, `pictures`, `queries`, `items` and `rows`. Of a map:
`width_out` and `width_in`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float, Shaped
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Ints: TypeAlias = NDArray[np.integer[Any]]
    Bools: TypeAlias = NDArray[np.bool_]

Modality = Literal["text", "image"]
Modalities = Literal["auto", "text", "image", "both"]
"""What a user asks for; `auto` is all that the encoder and the scenes can do."""
Precision = Literal["float32", "bf16", "fp16"]
"""Number format of an encoder: single precision, its weights in bfloat16, or products in half
precision (autocast).
"""
LongCaptions = Literal["truncate", "refuse"]
"""What becomes of captions with more tokens than a model reads."""
Executor = Literal["local", "ray", "dask"]
"""What runs many independent fits: processes of this machine, or a cluster."""
Effort = Literal["none", "short", "full", "operators", "networks"]
"""How much of a sweep is run."""


@runtime_checkable
class Encoder(Protocol):
    """What turns captions or pictures into rows. Features are raw: the toolkit applies and records
    normalisation.
    """

    @property
    def id(self) -> str:
        """What was asked for, for example `hf:openai/clip-vit-base-patch32`."""

    @property
    def revision(self) -> str:
        """Which weights these are: a commit, or a hash of the weight file. Rows of another revision
        are never reused.
        """

    @property
    def dimension(self) -> int:
        """d, the width of a row."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What it can encode."""

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Raw features (n, d) of n captions."""

    def encode_images(self, images: Sequence[Image]) -> Float[Floats, "pictures width"]:
        """Raw features (n, d) of n RGB pictures."""


@runtime_checkable
class Prepares(Protocol):
    """An encoder that prepares pictures apart from computing, so that threads can do so meanwhile:
    `encode_images(images)` equals `encode_prepared(prepare_images(images))`.
    """

    @property
    def picture_batch(self) -> int:
        """Pictures of one forward pass; 0 where they cannot be prepared one by one."""

    def prepare_images(self, images: Sequence[Image]) -> dict[str, Shaped[Tensor, "pictures ..."]]:
        """RGB pictures as the model takes them, on the processor: tensors (b, ...), by name."""

    def encode_prepared(
        self, prepared: dict[str, Shaped[Tensor, "pictures ..."]]
    ) -> Float[Floats, "pictures width"]:
        """Raw features (b, d) of prepared pictures."""
