"""`open_clip:` any open_clip model and pretrained tag."""

from __future__ import annotations

import copy
import logging
import pickle
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import FileError, UnknownNameError, UnsafeFileError, cut, nearest
from conceptbind.core.files import file_hash, write_json
from conceptbind.core.limits import require_plain_files, require_tensors
from conceptbind.encoders.batching import InBatches, features_of, stacked
from conceptbind.encoders.brief import Brief
from conceptbind.encoders.captions import settle
from conceptbind.encoders.options import CPU, Opening
from conceptbind.encoders.weights import (
    computing,
    folder_revision,
    hub_or_folder_json,
    importing,
    one_line,
    reason_of,
    to_precision,
)

if TYPE_CHECKING:
    from types import ModuleType

    from jaxtyping import Float, Shaped
    from PIL.Image import Image
    from torch import Tensor

    from conceptbind.core.typing import Floats, Modality

CONFIG = "open_clip_config.json"
"""What open_clip writes beside the weights of a model folder, and of a repository of the hub."""
WEIGHTS, PT = "open_clip_model.safetensors", {"format": "pt"}
"""Its weights, and what safetensors says of weights of torch."""


class OpenClipEncoder(InBatches, Brief):
    """An open_clip model as an encoder of raw projected features.

    Args:
        name: `ARCH@TAG`, where TAG is a pretrained tag or a weight file (a state_dict as
            .safetensors or .pt); `ARCH` alone has random weights. Where a file is named like a tag,
            the tag is meant. `local-dir:FOLDER` and `hf-hub:ORG/NAME` are models with a
            configuration of their own (open_clip_config.json), in a folder or on the hub.
        how: see `Opening`; its device is one of torch. The code that a model brings is that of
            its tokenizer or text tower.

    Raises:
        MissingExtraError: open_clip is not installed.
        UnknownNameError: no such architecture or tag.
        UnsafeFileError: the weight file holds more than tensors, or the configuration asks for code
            of its own.
        FileError: the weights or the tokenizer cannot be loaded.
    """

    modalities: tuple[Modality, ...] = ("text", "image")

    def __init__(self, name: str, how: Opening = CPU) -> None:
        what = f"the encoder 'open_clip:{name}'"
        with importing("open_clip", "open_clip_torch", "open-clip", what):
            import open_clip
        import torch

        own = name.startswith(("local-dir:", "hf-hub:"))
        arch, tag, config, self.revision = (
            _own_model(name, how.trust_remote_code) if own else _named_model(open_clip, name)
        )
        file = (
            Path(tag).expanduser().resolve() if tag and tag not in _tags(open_clip, arch) else None
        )
        if file and file.suffix != ".safetensors":
            require_tensors(file)
        quick = bool(config.get("quick_gelu", False))
        warning = quickgelu_warning(
            arch, tag, quick, None if file or own else _trained_with_quickgelu(open_clip, arch, tag)
        )
        if warning:
            warnings.warn(warning, stacklevel=2)
        if not how.trust_remote_code:
            _refuse_own_code(config, name)
        try:
            with _quiet(), _asking_nobody(), torch.random.fork_rng():
                torch.manual_seed(0)  # random weights are the same in every run
                tags = _tags(open_clip, arch)
                prepared = _preprocessing(open_clip, arch, tags) if file else {}
                model, _, self._preprocess = open_clip.create_model_and_transforms(
                    arch,
                    pretrained=str(file) if file else tag or None,
                    force_quick_gelu=quick,
                    # no download of a text tower that the weights replace, or that is to be random
                    pretrained_hf=False,
                    **prepared,
                )
                self._tokenizer = open_clip.get_tokenizer(arch)
        except pickle.UnpicklingError as error:
            raise UnsafeFileError(
                f"{file or tag or name} is not a plain file of tensors, and reading more could "
                "execute code; save its state_dict as .safetensors"
            ) from error
        # open_clip, torch, safetensors and the hub raise what they like for a wrong file or no
        # network
        except Exception as error:
            reason = textwrap.shorten(reason_of(error), 300, placeholder=" ...").rstrip(":")
            expected = f"; expected a state_dict of {arch} as .safetensors or .pt" if file else ""
            raise FileError(f"could not load 'open_clip:{name}': {reason}{expected}") from error
        self.id, self.long_captions = f"open_clip:{name}", how.long_captions
        activation = "quick_gelu" if quick else "gelu"
        self.details = {"precision": how.precision, "activation": activation}
        self._precision = how.precision
        self._model: Any = to_precision(model, how.precision).to(how.device).eval()
        self._device, self._config, self._architecture = how.device, config, arch
        self.longest: int | None = int(self._tokenizer(["a"]).shape[1])
        self.dimension = int(self._text_rows(["a"]).shape[1])

    @property
    def module(self) -> Any:
        """Both towers."""
        return self._model

    def with_module(self, module: Any) -> OpenClipEncoder:
        """The same encoder with a module of the same architecture and other weights."""
        twin = copy.copy(self)
        twin._model = module
        return twin

    def untrained(self, seed: int = 0) -> OpenClipEncoder:
        """The same architecture with random weights, as open_clip draws them: what probes find
        there owes nothing to training.
        """
        import open_clip
        import torch

        with _quiet(), _asking_nobody(), torch.random.fork_rng():
            torch.manual_seed(seed + 1)  # 0 draws the weights of a name without a tag
            model = open_clip.create_model(
                self._architecture,
                load_weights=False,
                force_quick_gelu=self.details["activation"] == "quick_gelu",
                pretrained_text=False,
            )
        twin = self.with_module(to_precision(model, self._precision).to(self._device).eval())
        twin.id, twin.revision = f"{self.id} (random weights)", f"random:{seed}"
        return twin

    def write(self, folder: Path) -> None:
        """A folder with these weights as safetensors, that open_clip reads as `local-dir:FOLDER`.

        The file of options is the one that open_clip's `push_to_hf_hub` writes; tokenizers of
        transformers lie beside it, open_clip's own need no files.
        """
        from safetensors.torch import save_file

        visual = self._model.visual
        prepared = {"mean": visual.image_mean, "std": visual.image_std}
        more = getattr(visual, "preprocess_cfg", {})
        prepared |= {key: more[key] for key in ("interpolation", "resize_mode") if key in more}
        write_json(folder / CONFIG, {"model_cfg": self._config, "preprocess_cfg": prepared})
        weights = {name: part.cpu().clone() for name, part in self._model.state_dict().items()}
        save_file({name: part.contiguous() for name, part in weights.items()}, folder / WEIGHTS, PT)
        if hasattr(self._tokenizer, "save_pretrained"):
            self._tokenizer.save_pretrained(str(folder))

    def find_long(self, texts: Sequence[str]) -> list[int]:
        """Positions of the captions that are longer than the model reads."""
        assert self.longest is not None
        return cut_off(self._tokenizer, texts, self.longest)

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Raw features (n, d).

        Raises:
            ValueRangeError: a caption is longer than the model reads, and those are to be refused.
        """
        if not len(texts):
            return np.empty((0, self.dimension), dtype=np.float32)
        settle(texts, self.find_long(texts), self.longest, self.id, self.long_captions)
        return self._text_rows(texts)

    def _text_rows(self, texts: Sequence[str]) -> Floats:
        rows = []
        for start in range(0, len(texts), 64):
            ids = self._tokenizer(list(texts[start : start + 64]))
            with (
                one_line(f"could not embed captions with '{self.id}'"),
                computing(self._precision, self._device),
            ):
                rows.append(self._model.encode_text(ids.to(self._device)).float().cpu().numpy())
        return np.concatenate(rows)

    def prepare_images(self, images: Sequence[Image]) -> dict[str, Shaped[Tensor, "pictures ..."]]:
        """See `typing.Prepares`."""
        return stacked(images, self._preprocess, self.id)

    def encode_prepared(
        self, prepared: dict[str, Shaped[Tensor, "pictures ..."]]
    ) -> Float[Floats, "pictures width"]:
        """See `typing.Prepares`."""
        model, weight = self._model, next(self._model.parameters())
        return features_of(prepared["pixels"], model.encode_image, weight, self._precision, self.id)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence open_clip's notices while a model loads: what the user has to know, this module says
    itself.
    """
    # open_clip logs with `logging.warning`, which installs a handler for all of the user's program
    # where there is none.
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger().removeHandler(handler)


@contextmanager
def _asking_nobody() -> Iterator[None]:
    """Keep transformers from asking on standard input whether to run a model's own code, where
    open_clip leaves that open.
    """
    try:
        from transformers import dynamic_module_utils as dynamic
    except ImportError:
        yield
        return
    wait = getattr(dynamic, "TIME_OUT_REMOTE_CODE", None)
    dynamic.TIME_OUT_REMOTE_CODE = 0
    try:
        yield
    finally:
        dynamic.TIME_OUT_REMOTE_CODE = wait


def _own_model(name: str, trust_remote_code: bool) -> tuple[str, str, dict[str, Any], str]:
    """(what open_clip is asked for, no tag, the model's configuration, its revision) of a folder or
    a repository of the hub.
    """
    scheme, _, place = name.partition(":")
    folder = Path(place).expanduser()
    if scheme == "local-dir" and not (folder / CONFIG).is_file():
        what = "it has no " + CONFIG if folder.is_dir() else "there is no such folder"
        hint = (
            f"; for a folder of transformers write hf:{place}"
            if (folder / "config.json").is_file()
            else ""
        )
        raise FileError(
            f"could not load 'open_clip:{name}': {what}; expected one written by open_clip's "
            f"push_to_hf_hub{hint}"
        )
    source = str(require_plain_files(folder)) if scheme == "local-dir" else place
    config = hub_or_folder_json(source, CONFIG, {})
    model = config.get("model_cfg") if isinstance(config, dict) else None
    if not isinstance(model, dict):
        raise FileError(
            f"could not load 'open_clip:{name}': no {CONFIG} with a 'model_cfg' was found; check "
            "the name and the network"
        )
    if scheme == "hf-hub":
        return name, "", model, _commit(source)
    if (
        not any(folder.glob("*.safetensors"))
        and not any(folder.glob("*.bin"))
        and not any(folder.glob("*.pt"))
    ):
        raise FileError(
            f"could not load 'open_clip:{name}': the folder holds no weights; expected "
            "open_clip_model.safetensors"
        )
    return f"local-dir:{folder}", "", model, folder_revision(folder, trust_remote_code)


def _commit(source: str) -> str:
    """The commit of a repository of the hub that lies in its cache."""
    import transformers

    found = transformers.utils.cached_file(
        source,
        CONFIG,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return str(transformers.utils.hub.extract_commit_hash(found, None) or "unknown")


def _named_model(open_clip: ModuleType, name: str) -> tuple[str, str, dict[str, Any], str]:
    """(architecture, tag or file, the architecture's configuration, revision).

    Raises:
        UnknownNameError: no such architecture, tag or file.
    """
    arch, _, tag = name.partition("@")
    if arch not in open_clip.list_models():
        raise UnknownNameError(
            f"unknown open_clip architecture '{cut(arch)}'; "
            f"{nearest(arch, open_clip.list_models())}"
        )
    tags = _tags(open_clip, arch)
    file = Path(tag).expanduser() if tag and tag not in tags else None
    if file and not file.is_file():
        hint = nearest(tag, tags) if tags else f"{arch} has no pretrained tags"
        raise UnknownNameError(f"'{tag}' is neither a file nor a pretrained tag of {arch}; {hint}")
    revision = file_hash(file)[:16] if file else f"{open_clip.__version__}:{tag or 'random'}"
    return arch, tag, open_clip.get_model_config(arch) or {}, revision


def _tags(open_clip: ModuleType, arch: str) -> list[str]:
    return list(open_clip.list_pretrained_tags_by_model(arch))


def _refuse_own_code(config: object, name: str) -> None:
    """Raise UnsafeFileError where a configuration allows transformers to run a model's own code."""
    if isinstance(config, dict) and config.get("trust_remote_code"):
        raise UnsafeFileError(
            f"'open_clip:{name}' asks for Python code of its own (trust_remote_code in its "
            "configuration), which is not run; "
            "if you trust its author, add --trust-remote-code"
        )
    for part in _parts(config):
        _refuse_own_code(part, name)


def _parts(config: object) -> list[object]:
    """What a configuration holds, one level down."""
    if isinstance(config, dict):
        return list(config.values())
    return list(config) if isinstance(config, list) else []


def cut_off(tokenizer: Any, texts: Sequence[str], length: int) -> list[int]:
    """Positions of the texts that do not fit into `length` tokens, whatever the tokenizer pads
    with, and whatever it puts at the end.

    They are told by twice as many tokens: a text that fits differs there from the empty text in as
    many places as before. (The last token of `length` does not tell: SigLIP pads with the token
    that ends a text, and other tokenizers pad with a token that is not 0.)
    """
    found = []
    for start in range(0, len(texts), 1024):
        some = ["", *texts[start : start + 1024]]
        # (1 + n, size)
        short, wide = (tokenizer(some, context_length=size) for size in (length, 2 * length))
        told = [(rows[1:] != rows[:1]).sum(dim=1) for rows in (short, wide)]
        found += [start + i for i, less in enumerate((told[0] < told[1]).tolist()) if less]
    return found


def _preprocessing(open_clip: ModuleType, arch: str, tags: Sequence[str]) -> dict[str, Any]:
    """How to prepare pictures for a weight file, which does not say so: as for all tags of its
    architecture, if they agree.
    """
    names = ("mean", "std", "interpolation", "resize_mode")

    def prepared(tag: str) -> tuple[object, ...]:
        config = open_clip.get_pretrained_cfg(arch, tag)
        return tuple(config.get(name) for name in names)

    found = set(map(prepared, tags))
    if len(found) != 1:
        return {}
    return {
        f"image_{name}": value
        for name, value in zip(names, found.pop(), strict=True)
        if value is not None
    }


def _trained_with_quickgelu(open_clip: ModuleType, arch: str, tag: str) -> bool | None:
    """Whether the weights of a tag were trained with QuickGELU; None where it is not known."""
    if not tag:
        return None
    config = (
        open_clip.get_pretrained_cfg(arch.removesuffix("-quickgelu"), tag)
        or open_clip.get_pretrained_cfg(arch, tag)
        or {}
    )
    return True if tag == "openai" else config.get("quick_gelu")


def quickgelu_warning(
    arch: str, tag: str, model_quick: bool, weights_quick: bool | None
) -> str | None:
    """What to tell the user when an architecture's activation is not the one that its weights were
    trained with.

    OpenAI's weights, and files fine-tuned from them, need QuickGELU; with GELU every number is a
    little off.
    """
    if weights_quick is None or weights_quick == model_quick:
        return None
    better = (
        f"{arch}-quickgelu@{tag}" if weights_quick else f"{arch.removesuffix('-quickgelu')}@{tag}"
    )
    trained, used = ("QuickGELU", "GELU") if weights_quick else ("GELU", "QuickGELU")
    return (
        f"the weights '{tag}' were trained with {trained}, but {arch} computes {used}: the "
        f"embeddings will be wrong; use open_clip:{better}"
    )
