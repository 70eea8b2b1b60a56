"""`timm:` any timm backbone, as pooled features of pictures."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError, ModalityError, UnknownNameError, cut, nearest
from conceptbind.encoders.batching import InBatches, features_of, stacked
from conceptbind.encoders.brief import Brief
from conceptbind.encoders.options import CPU, Opening
from conceptbind.encoders.weights import importing, reason_of, to_precision

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped
    from PIL.Image import Image
    from torch import Tensor

    from conceptbind.core.typing import Floats, Modality


class TimmEncoder(InBatches, Brief):
    """A timm model without its classifier.

    Args:
        name: a timm model name, for example `vit_base_patch14_dinov2.lvd142m`; `NAME@random` has
            random weights.
        how: see `Opening`; its device is one of torch.

    Raises:
        MissingExtraError: timm is not installed.
        UnknownNameError: no such model, or no such pretrained tag of it.
        FileError: the weights cannot be loaded.
        ModalityError: the model does not give one vector per picture.
    """

    modalities: tuple[Modality, ...] = ("image",)

    def __init__(self, name: str, how: Opening = CPU) -> None:
        with importing("timm", "timm", "timm", f"the encoder 'timm:{name}'"):
            import timm
        import torch
        from PIL import Image as Pillow

        model_name, _, weights = name.partition("@")
        base, _, tag = model_name.partition(".")
        if not timm.is_model(base):
            raise UnknownNameError(
                f"unknown timm model '{cut(base)}'; {nearest(base, timm.list_models())}"
            )
        tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{base}.*")]
        if tag and tag not in tags:
            hint = nearest(tag, tags) if tags else f"{base} has no pretrained tags"
            raise UnknownNameError(
                f"'{tag}' is not a pretrained tag of the timm model {base}; {hint}"
            )
        if weights not in ("", "random"):
            raise UnknownNameError(f"expected timm:NAME or timm:NAME@random; got '{name}'")
        try:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                model = timm.create_model(model_name, pretrained=not weights, num_classes=0)
        # timm, torch and the hub raise what they like for missing weights or no network
        except Exception as error:
            raise FileError(f"could not load 'timm:{name}': {reason_of(error)}") from error
        data = timm.data.resolve_model_data_config(model)
        self._transform = timm.data.create_transform(**data, is_training=False)
        self.id = f"timm:{name}"
        self.revision = f"{timm.__version__}:{weights or model.pretrained_cfg.get('tag', '')}"
        self.details = {"precision": how.precision}
        self._model: Any = to_precision(model, how.precision).to(how.device).eval()
        self._device, self._architecture, self._precision = how.device, model_name, how.precision
        # Asked of the model: `num_features` is the width before its head, which in MobileNet,
        # EfficientViT, VGG, ... is not the last.
        shape = self._features(self.prepare_images([Pillow.new("RGB", (64, 64))])).shape
        if len(shape) != 2:
            raise ModalityError(
                f"'{self.id}' gives features of shape {shape[1:]}, not one vector per picture; use "
                "another model"
            )
        self.dimension = int(shape[1])

    def untrained(self, seed: int = 0) -> TimmEncoder:
        """The same architecture with random weights, as timm draws them: what probes find there
        owes nothing to training.
        """
        import timm
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(seed + 1)  # 0 draws the weights of NAME@random
            model = timm.create_model(self._architecture, pretrained=False, num_classes=0)
        twin = copy.copy(self)
        twin._model = to_precision(model, self._precision).to(self._device).eval()
        twin.id, twin.revision = f"{self.id} (random weights)", f"random:{seed}"
        return twin

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Refused: timm models see pictures only.

        Raises:
            ModalityError: always.
        """
        raise ModalityError(f"'{self.id}' encodes images, not text")

    def prepare_images(self, images: Sequence[Image]) -> dict[str, Shaped[Tensor, "pictures ..."]]:
        """See `typing.Prepares`."""
        return stacked(images, self._transform, self.id)

    def encode_prepared(
        self, prepared: dict[str, Shaped[Tensor, "pictures ..."]]
    ) -> Float[Floats, "pictures width"]:
        """Pooled features (b, d) of prepared pictures."""
        return self._features(prepared)

    def _features(self, prepared: dict[str, Tensor]) -> Floats:
        """(b, ...) of prepared pictures."""
        model, weight = self._model, next(self._model.parameters())
        return features_of(prepared["pixels"], model, weight, self._precision, self.id)
