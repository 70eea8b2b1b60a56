"""An adapter inside a CLIP: the text projection is linear, so the map disappears into it.

A (W h + b) = (A W) h + A b, with W, b the projection of the text tower and A the adapter. The
result is the same architecture with other numbers: `save_pretrained` and `state_dict` write an
ordinary checkpoint, and nothing is slower. The picture tower keeps its every bit. Rows come out as
the model gives them, not normalised; the model normalises where it compares, which is all that
LABCLIP asks. The model's own temperature stays as it was: ranking does not depend on it.
Probabilities that the model makes of its scores do, and are not calibrated for the map; the
adapter's `log_temperature` is the one it was fitted with.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import MismatchError, ValueRangeError, counted

if TYPE_CHECKING:
    from torch import Tensor, nn

    from conceptbind.repairs.labclip.adapter import Adapter

TRANSFORMERS = ("text_projection", "text_model.head")
"""Where transformers keeps the last linear step of captions: CLIP and its kin, SigLIP."""
OPEN_CLIP = ("text_projection", "text.text_projection", "text.proj")
"""Where open_clip keeps it: CLIP, models with a text tower of their own (CoCa, SigLIP), towers of
transformers."""


@explains_arguments
def wrap_transformers_clip(model: nn.Module, adapter: Adapter) -> Any:
    """A copy of a transformers model (CLIP, SigLIP, or their text tower with projection) that gives
    mapped captions.

    Args:
        model: as `CLIPModel.from_pretrained` gives it; left as it is.
        adapter: a square map of the width of its features.

    Raises:
        MismatchError: another width, or a model whose captions do not end in a linear projection.
        ValueRangeError: the product does not fit into the model's number format.
    """
    return _repaired(model, adapter, TRANSFORMERS)


@explains_arguments
def wrap_open_clip(model: nn.Module, adapter: Adapter) -> Any:
    """A copy of an open_clip model that gives mapped captions; see `wrap_transformers_clip`.

    Args:
        model: as `open_clip.create_model` gives it; left as it is.
        adapter: a square map of the width of its features.
    """
    return _repaired(model, adapter, OPEN_CLIP)


def _repaired(model: nn.Module, adapter: Adapter, places: tuple[str, ...]) -> Any:
    from torch import nn

    repaired = copy.deepcopy(model)
    name = type(model).__name__
    for place in places:
        projection = _at(repaired, place)
        if isinstance(projection, nn.Sequential) and len(projection):
            projection = projection[-1]
        if isinstance(projection, nn.Parameter):  # open_clip: h @ projection, (width, d)
            _require_width(adapter, projection.shape[-1], f"{name}.{place}")
            projection.data = _mapped(adapter, projection.data.T).T.contiguous()
            return repaired
        if isinstance(projection, nn.Linear):  # projection.weight @ h + bias, weight (d, width)
            _require_width(adapter, projection.weight.shape[0], f"{name}.{place}")
            for part in (projection.weight, projection.bias):
                if part is not None:
                    part.data = _mapped(adapter, part.data)
            return repaired
    raise MismatchError(
        f"{name} has no linear projection of captions to fold the adapter into (looked for "
        f"{', '.join(places)}); map its features with conceptbind apply, or export the adapter to "
        "onnx (of a text encoder, also to sentence-transformers)"
    )


def _at(model: object, place: str) -> Any:
    """What stands at a dotted place, or None."""
    for part in place.split("."):
        model = getattr(model, part, None)
    return model


def _require_width(adapter: Adapter, width: int, place: str) -> None:
    d_out, d_in = adapter.weight.shape
    if (d_out, d_in) != (width, width):
        raise MismatchError(
            f"the adapter maps {counted(d_in, 'dimension')} to {d_out}, but {place} gives "
            f"{width}, as wide as "
            "the pictures it is compared with; "
            "use the model that the adapter was fitted on"
        )


def _mapped(adapter: Adapter, part: Tensor) -> Any:
    """A @ part, of shape (d, width) or (d,), in double precision and then in the part's own, so
    that it is rounded once.
    """
    import torch

    product = torch.from_numpy(adapter.weight).double() @ part.cpu().double()
    mapped = product.to(part)
    if not torch.isfinite(mapped).all():
        raise ValueRangeError(
            f"the repaired projection does not fit into {part.dtype}; convert the model with "
            ".float() first"
        )
    return mapped
