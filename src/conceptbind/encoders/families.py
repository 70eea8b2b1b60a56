"""What a transformers model's author calls its embedding, for each family that `hf:` opens.

A family that is not named here is refused, not guessed at: a vector taken by its position (token 0,
the mean over whatever there is) is wrong for most of them without any error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError, ModalityError

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel
    from transformers.utils import ModelOutput

    from conceptbind.core.typing import Modality

DUAL = frozenset(
    {
        "aimv2",
        "align",
        "altclip",
        "blip",
        "chinese_clip",
        "clip",
        "clipseg",
        "flava",
        "groupvit",
        "metaclip_2",
        "owlv2",
        "owlvit",
        "siglip",
        "siglip2",
        "tipsv2",
        "vision-text-dual-encoder",
        "xclip",
    }
)
"""Two towers and a common space: `get_text_features` and `get_image_features` (X-CLIP:
`get_video_features`)."""

POOLED = frozenset(
    {
        "aimv2_vision_model",
        "beit",
        "bit",
        "chinese_clip_vision_model",
        "clip_vision_model",
        "convnext",
        "convnextv2",
        "dinov2",
        "dinov2_with_registers",
        "dinov3_convnext",
        "dinov3_vit",
        "efficientnet",
        "focalnet",
        "hiera",
        "levit",
        "metaclip_2_vision_model",
        "mlcd",
        "mlcd_vision_model",
        "mobilenet_v1",
        "mobilenet_v2",
        "mobilevit",
        "mobilevitv2",
        "regnet",
        "resnet",
        "siglip2_vision_model",
        "siglip_vision_model",
        "swin",
        "swinv2",
        "tipsv2_vision_model",
    }
)
"""Picture models that pool their features themselves: `pooler_output`."""

CLASS_TOKEN = frozenset({"deit", "vit", "vit_mae", "vit_msn"})
"""Picture models whose representation is the class token after the last normalisation (An Image is
Worth 16x16 Words, arXiv 2010.11929, equation 4). transformers' `pooler` of these is a layer of a
training head, which most published weights lack."""

PATCH_MEAN = frozenset({"ijepa"})
"""Picture models without a class token, of which the mean over all patches is taken."""

TEXT_TOWERS = frozenset(
    {
        "aimv2_text_model",
        "clip_text_model",
        "metaclip_2_text_model",
        "siglip2_text_model",
        "siglip_text_model",
        "tipsv2_text_model",
    }
)
"""Caption towers of dual models: `pooler_output`, or `text_embeds` where they were saved with their
projection."""

ENCODERS_ALONE = frozenset({"mt5", "t5", "umt5"})
"""Encoder-decoders whose encoder alone is an embedding model."""

NO_CAPTIONS = frozenset({"esm", "esmc", "layoutlm", "perceiver", "reformer", "tapas"})
"""Trained on masked words too, but of proteins, pages or tables, or without one vector for each
token."""

SIGLIP = frozenset({"siglip", "siglip2", "siglip2_text_model", "siglip_text_model"})
"""Trained on captions in lower case, padded to full length, without a mask."""

POOLINGS: Mapping[str, Callable[[Any], Any]] = {
    "mean": lambda hidden: hidden.mean(dim=1),
    "cls": lambda hidden: hidden[:, 0],
    "lasttoken": lambda hidden: hidden[:, -1],
    "max": lambda hidden: hidden.amax(dim=1),
    "mean_sqrt_len_tokens": lambda hidden: hidden.sum(dim=1) / hidden.shape[1] ** 0.5,
    "weightedmean": lambda hidden: (hidden * _ramp(hidden)).sum(dim=1) / _ramp(hidden).sum(),
}
"""(b, t, d) -> (b, d), for captions of one length, by the names that sentence-transformers uses."""


BY_SIGHT = "by sight"
"""The mean over tokens that see each other, the last of tokens that see only those before them; see
`sees_what_follows`."""


def _ramp(hidden: Tensor) -> Any:
    import torch

    return torch.arange(1, hidden.shape[1] + 1, device=hidden.device, dtype=hidden.dtype)[:, None]


@dataclass(frozen=True)
class Family:
    """How a model is loaded and which of its outputs is read."""

    loader: str
    """Name of the class in transformers."""
    modalities: tuple[Modality, ...]
    pooling: str
    """`features` of a dual model, a field of the output, a pooling of `POOLINGS`, `class token`,
    `mean of patches`, or `BY_SIGHT`, which the loaded model settles."""

    def vector(self, output: ModelOutput) -> Any:
        """(b, d) from what the model returns.

        Raises:
            ModalityError: the model was saved without the part that pools.
        """
        if self.pooling in POOLINGS:
            return POOLINGS[self.pooling](output.last_hidden_state)
        if self.pooling == "class token":
            return output.last_hidden_state[:, 0]
        if self.pooling == "mean of patches":
            return output.last_hidden_state.mean(dim=1)
        found = getattr(output, self.pooling, None)
        if found is None:
            raise ModalityError(
                f"it gives one vector for each token and none for the whole (its {self.pooling} is "
                "empty)"
            )
        return found.flatten(1)  # convolutional networks keep (b, d, 1, 1)


def family_of(
    config: PretrainedConfig, pooling: str | None, name: str, foreign: bool = False
) -> Family:
    """The family of a configuration.

    Args:
        config: transformers' configuration of the model.
        pooling: of its tokens, as its sentence-transformers files say; None where there are none.
        name: of the encoder, for messages.
        foreign: the model brings code of its own, with the user's consent.

    Raises:
        ModalityError: the family has no embedding that is known here; says what to use instead.
        FileError: the configuration does not name the class of a tower that is loaded by it.
    """
    from transformers.models.auto import modeling_auto as auto

    kind = str(config.model_type)
    if kind in DUAL:
        return Family("AutoModel", ("text", "image"), "features")
    if kind in CLASS_TOKEN or kind in PATCH_MEAN:
        return Family(
            "AutoModel", ("image",), "class token" if kind in CLASS_TOKEN else "mean of patches"
        )
    if kind in TEXT_TOWERS or kind in POOLED:
        saved_as = _saved_as(config)
        projected = saved_as.endswith("WithProjection")
        modality: Modality = "text" if kind in TEXT_TOWERS else "image"
        known = kind in auto.MODEL_MAPPING_NAMES and not projected
        if not known:
            _require_tower(saved_as, kind, name)
        field = f"{modality}_embeds" if projected else "pooler_output"
        return Family("AutoModel" if known else saved_as, (modality,), field)
    if kind in ENCODERS_ALONE:
        return Family("AutoModelForTextEncoding", ("text",), pooling or "mean")
    if foreign:
        return (
            Family("AutoModel", ("text",), pooling)
            if pooling
            else Family("AutoModel", ("text", "image"), "features")
        )
    chosen = pooling or _text_pooling(auto, kind)
    if (
        chosen
        and not getattr(config, "is_encoder_decoder", False)
        and not hasattr(config, "vision_config")
    ):
        return Family("AutoModel", ("text",), chosen)
    raise unknown_family(name, kind)


def unknown_family(name: str, kind: str) -> ModalityError:
    """The error for a model that has no embedding which is known here; says what to use instead."""
    other = {
        "timm_wrapper": "load it as timm:NAME",
        "timm_backbone": "load it as timm:NAME",
    }.get(
        kind,
        "load it as st:NAME if sentence-transformers reads it, or wrap it as py:module:factory",
    )
    return ModalityError(
        f"'{name}' is a model of the type '{kind}', for which hf: knows no embedding of a whole "
        f"caption or picture; {other}"
    )


def _saved_as(config: PretrainedConfig) -> str:
    """The class that wrote a checkpoint, as its configuration says; empty where it does not."""
    said = getattr(config, "architectures", None)
    return str(said[0]) if isinstance(said, list) and said else ""


def _require_tower(saved_as: str, kind: str, name: str) -> None:
    """Raise FileError unless transformers has the class under which a tower was saved, which alone
    says whether it is projected.
    """
    import transformers

    made = getattr(transformers, saved_as, None) if saved_as.isidentifier() else None
    if getattr(getattr(made, "config_class", None), "model_type", None) != kind:
        said = f"'{saved_as:.60}', which is none of type '{kind}'," if saved_as else "no class"
        raise FileError(
            f"config.json of '{name}' names {said} under architectures; name the class that the "
            "model was saved with, or save it again with save_pretrained"
        )


def _text_pooling(auto: ModuleType, kind: str) -> str | None:
    """`BY_SIGHT` for models that write text, the mean over tokens for those trained on masked
    words; None for what is no text model.
    """
    if kind in NO_CAPTIONS:
        return None
    if kind in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return "mean"
    return BY_SIGHT if kind in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES else None


def sees_what_follows(model: PreTrainedModel, ids: Sequence[int]) -> bool:
    """Whether the first token of a caption sees those behind it, by trying: its vector changes with
    the last token, or does not.

    Configurations say it under many names (`is_causal`, `is_decoder`,
    `use_bidirectional_attention`), and not all models heed theirs.

    Args:
        model: of text.
        ids: tokens of a caption. Of fewer than two kinds nothing can be seen, and the answer is no.
    """
    import torch

    first = list(ids)
    other = next((one for one in first if one != first[-1]), None)
    if other is None:
        return False
    with torch.inference_mode():
        one, two = (
            model(input_ids=torch.tensor([row], device=model.device))
            .last_hidden_state[0, 0]
            .float()
            for row in (first, [*first[:-1], other])
        )
    return bool((one - two).abs().max() > 1e-4 * one.abs().max())
