"""`st:` any sentence-transformers model, with every modality that it has."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import (
    FileError,
    ModalityError,
    UnsafeFileError,
)
from conceptbind.core.limits import require_plain_files
from conceptbind.encoders.asked import chosen_prompt, split_name
from conceptbind.encoders.batching import BATCH, PICTURES, equal_length_batches
from conceptbind.encoders.brief import Brief
from conceptbind.encoders.captions import known_words, settle, too_long
from conceptbind.encoders.families import SIGLIP
from conceptbind.encoders.options import CPU, Opening
from conceptbind.encoders.told import pictures_told
from conceptbind.encoders.weights import (
    computing,
    folder_revision,
    hub_or_folder_json,
    importing,
    loading,
    one_line,
    quiet_loading,
    to_precision,
)
from conceptbind.encoders.width import asked_width

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image
    from sentence_transformers import SentenceTransformer

    from conceptbind.core.typing import Floats, Modality


ENDLESS = 1_000_000
"""A longest caption above this is the library's way to say that it knows none."""
CHOSEN = "chosen"
"""The name that a prompt gets which is chosen in the encoder's name."""


class SentenceTransformerEncoder(Brief):
    """A sentence-transformers pipeline as it stands, its own pooling, prompt and normalisation
    included. It embeds captions, pictures, or both, as `model.modalities` says.

    Args:
        name: a folder, or `ORG/NAME` on the hub; `?prompt_name=NAME` takes one of the model's
            prompts, and `?prompt=TEXT` puts a text before every caption.
        how: see `Opening`; its device is one of torch.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        UnknownNameError: the model has no such prompt.
        ValueRangeError: the prompt is empty, or two are asked for.
        FileError: the model cannot be loaded.
        ModalityError: it embeds neither captions nor pictures, or rows of both differ in width.
        UnsafeFileError: it asks for code of its own, or its weights are a pickle of more than
            tensors.
    """

    def __init__(self, name: str, how: Opening = CPU) -> None:
        what = f"the encoder 'st:{name}'"
        with importing("sentence_transformers", "sentence-transformers", "st", what):
            from sentence_transformers import SentenceTransformer
        self.id, self.long_captions = f"st:{name}", how.long_captions
        name, asked = split_name(name, ("prompt", "prompt_name"), "st")
        folder = Path(name).expanduser()
        local = folder.is_dir()
        if not local and (folder.is_absolute() or name.startswith((".", "~"))):
            raise FileError(
                f"no model folder at {folder}; expected a sentence-transformers folder with "
                "modules.json"
            )
        source = str(require_plain_files(folder)) if local else name
        if not how.trust_remote_code:
            refuse_own_code(source, local)
        with loading(f"'{self.id}'"):
            model = SentenceTransformer(
                source,
                device=how.device,
                local_files_only=local,
                trust_remote_code=how.trust_remote_code,
            )
        config = getattr(model[0], "auto_model", None)
        commit = getattr(getattr(config, "config", None), "_commit_hash", None)
        trusted = how.trust_remote_code
        self.revision = folder_revision(folder, trusted) if local else commit or "unknown"
        self._take(model, asked, how)

    def _take(self, model: SentenceTransformer, asked: dict[str, str], how: Opening) -> None:
        """Settle what is done to captions and pictures, and how wide a row is."""
        self.modalities: tuple[Modality, ...] = _modalities(model, self.id)
        self._prompt = _set_prompt(model, asked, self.id)
        longest = getattr(model, "max_seq_length", None)
        known = isinstance(longest, int) and longest < ENDLESS
        self.longest: int | None = longest if known else None
        self._precision = how.precision
        self._model: Any = to_precision(model, how.precision)
        tokenizer = getattr(model, "tokenizer", None)
        # Some pipelines (static vectors, bags of words) have tokenizers of another kind, and pad
        # nothing.
        self._tokenizer = (
            tokenizer if callable(tokenizer) and hasattr(tokenizer, "pad_token") else None
        )
        if self._tokenizer is not None and self._tokenizer.pad_token is None:
            # Captions are read in batches of one length, so that nothing is padded; the library
            # asks for the token all the same.
            self._tokenizer.pad_token = self._tokenizer.eos_token or self._tokenizer.unk_token
        self.details: dict[str, str] = {"precision": how.precision}
        self.details |= _done(model, self._prompt, self.longest, self.modalities)
        if "text" in self.modalities:
            self._say_as_it_was_not_trained()
        self.dimension = asked_width(self._row_of, self.modalities, self.id)

    def _say_as_it_was_not_trained(self) -> None:
        """Warn of a SigLIP, which the library reads in another way than it was trained."""
        configs = [getattr(part, "config", None) for part in self._model.modules()]
        if not SIGLIP & {getattr(config, "model_type", None) for config in configs}:
            return
        done = "without padding" if self._same_in_capitals() else "without padding, in capitals too"
        self.details["text"] = ", ".join(filter(None, (self.details.get("text"), done)))
        warnings.warn(
            f"'{self.id}' is a SigLIP model, trained on lower case padded to full length; "
            f"sentence-transformers reads captions {done}. Unless it was trained further so, use "
            f"hf:{self.id.removeprefix('st:')}",
            stacklevel=4,
        )

    def _same_in_capitals(self) -> bool:
        """Whether the tokenizer makes small letters of capitals."""
        if self._tokenizer is None:
            return False
        upper, lower = self._tokenizer(["A RED CIRCLE", "a red circle"])["input_ids"]
        return bool(upper == lower)

    def _row_of(self, item: Any, _: Modality) -> Floats:
        """(1, d) of one caption or picture."""
        with one_line(f"could not embed with '{self.id}'"):
            return np.asarray(self._encode([item], 1))

    def untrained(self, seed: int = 0) -> SentenceTransformerEncoder | None:
        """The same pipeline with random weights, as its libraries draw them: what probes find there
        owes nothing to training.

        Returns:
            None where a module has weights and no way to draw them.
        """
        import torch

        model = copy.deepcopy(self._model).float()
        with quiet_loading(), torch.random.fork_rng():
            torch.manual_seed(seed)
            if not all(_drawn_again(module) for module in model):
                return None
        twin = copy.copy(self)
        twin._model = to_precision(model, self._precision).eval()
        twin.id, twin.revision = f"{self.id} (random weights)", f"random:{seed}"
        return twin

    def find_long(self, texts: Sequence[str]) -> list[int]:
        """Positions of the captions that are longer than the model reads."""
        if self._tokenizer is None:
            return []
        return too_long([self._prompt + text for text in texts], self.longest, self._lengths)

    def knows(self, texts: Sequence[str]) -> list[bool]:
        """Whether the vocabulary has every word of each caption, as far as the pipeline tells."""
        if self._tokenizer is None:
            return [True] * len(texts)
        return known_words(self._tokenizer, texts)

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, before any is cut off."""
        if self._tokenizer is None:
            return [0] * len(texts)
        return [len(ids) for ids in self._tokenizer(list(texts), verbose=False)["input_ids"]]

    def encode_texts(self, texts: Sequence[str]) -> Float[Floats, "captions width"]:
        """Features (n, d), normalised if the pipeline normalises.

        Raises:
            ModalityError: the model reads no text.
            ValueRangeError: a caption is longer than the model reads, and those are to be refused.
        """
        if "text" not in self.modalities:
            raise ModalityError(f"'{self.id}' encodes image, not text")
        texts = list(texts)
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        if not texts:
            return rows
        with one_line(f"could not read captions with '{self.id}'"):
            lengths = self._lengths(texts)
        settle(texts, self.find_long(texts), self.longest, self.id, self.long_captions)
        for batch in equal_length_batches(lengths):
            with one_line(f"could not embed captions with '{self.id}'"):
                rows[batch] = self._encode([texts[i] for i in batch], BATCH)
        return rows

    def encode_images(self, images: Sequence[Image]) -> Float[Floats, "pictures width"]:
        """Features (n, d) of RGB pictures, normalised if the pipeline normalises.

        Raises:
            ModalityError: the model reads no pictures.
        """
        if "image" not in self.modalities:
            raise ModalityError(
                f"'{self.id}' encodes text, not images; for pictures load the model as hf: or "
                "open_clip:, or take an st: model whose modalities have 'image'"
            )
        rows = np.empty((len(images), self.dimension), dtype=np.float32)
        for start in range(0, len(images), PICTURES):
            some = list(images[start : start + PICTURES])
            with one_line(f"could not embed pictures with '{self.id}'"):
                rows[start : start + len(some)] = self._encode(some, PICTURES)
        return rows

    def _encode(self, items: list[Any], batch: int) -> Floats:
        """(n, d) of captions or pictures."""
        with computing(self._precision, self._model.device):
            found: Floats = self._model.encode(items, batch_size=batch, show_progress_bar=False)
        return found


def _modalities(model: SentenceTransformer, name: str) -> tuple[Modality, ...]:
    """Which of captions and pictures a pipeline embeds.

    Raises:
        ModalityError: neither; says what it embeds.
    """
    # before version 5.4 the class of the first part says that a pipeline reads pictures
    older = ["text", "image"] if type(model[0]).__name__ == "CLIPModel" else ["text"]
    said = list(getattr(model, "modalities", older))
    known: tuple[Modality, ...] = ("text", "image")
    found = tuple(part for part in known if part in said or (part == "text" and not said))
    if not found:
        raise ModalityError(
            f"'{name}' embeds {', '.join(map(str, said))}; conceptbind measures captions and "
            "pictures"
        )
    return found


def _set_prompt(model: SentenceTransformer, asked: dict[str, str], name: str) -> str:
    """Make the prompt that is asked for the pipeline's own, so that a copy that is saved has it
    too; returns what stands before every caption.

    Raises:
        UnknownNameError: the model has no such prompt.
        ValueRangeError: two are asked for.
    """
    prompts: dict[str, str] = getattr(model, "prompts", None) or {}
    prompt = chosen_prompt(asked, prompts, name)
    if asked:  # an empty one takes the place of the model's usual one
        model.prompts = {**prompts, CHOSEN: prompt}
        model.default_prompt_name = CHOSEN
        return prompt
    return str(prompts.get(getattr(model, "default_prompt_name", None) or "") or "")


def _done(
    model: SentenceTransformer, prompt: str, longest: int | None, modalities: tuple[Modality, ...]
) -> dict[str, str]:
    """What is done to captions and pictures, for the provenance."""
    told: dict[str, str] = {}
    prompts: dict[str, str] = getattr(model, "prompts", None) or {}
    others = [key for key, text in prompts.items() if text]
    if "text" in modalities:
        done = [f"after the prompt {prompt!r}"] if prompt else []
        if others and not prompt:
            done.append(f"without a prompt (the model has {', '.join(others)})")
        done += ["lower case"] if getattr(model[0], "do_lower_case", False) else []
        done += [f"at most {longest} tokens"] if longest else []
        told |= {"text": ", ".join(done)} if done else {}
    if "image" in modalities:
        told |= _done_to_pictures(model)
    told["parts"] = ", ".join(_part_told(part) for part in model)
    return told


def _done_to_pictures(model: SentenceTransformer) -> dict[str, str]:
    processor = getattr(model[0], "processor", None)
    pictures = getattr(processor, "image_processor", processor)
    as_dict = getattr(pictures, "to_dict", None)
    said = pictures_told(as_dict()) if callable(as_dict) else ""
    return {"pictures": said} if said else {}


def _part_told(part: Any) -> str:
    """A part of a pipeline, a pooling with how it pools."""
    kind = type(part).__name__
    modes = getattr(part, "get_pooling_mode_str", None)
    pooling = modes() if callable(modes) else getattr(part, "pooling_mode", None)
    if kind != "Pooling" or not pooling:
        return kind
    return f"{kind} ({pooling if isinstance(pooling, str) else '+'.join(map(str, pooling))})"


def refuse_own_code(source: str, local: bool) -> None:
    """Raise UnsafeFileError where a model asks for modules other than sentence-transformers' own;
    some versions would import them.

    Args:
        source: a folder, or a repository of the hub.
        local: it is a folder.
    """
    modules = hub_or_folder_json(source, "modules.json", {"local_files_only": local})
    types = (
        [str(module.get("type", "")) for module in modules if isinstance(module, dict)]
        if isinstance(modules, list)
        else []
    )
    foreign = [name for name in types if not name.startswith("sentence_transformers.")]
    if foreign:
        raise UnsafeFileError(
            f"'st:{source}' asks in modules.json for code of its own ({', '.join(foreign)}), which "
            "is not run; if you trust its author, "
            "add --trust-remote-code"
        )


def _drawn_again(module: Any) -> bool:
    """Draw the weights of one module of a pipeline; False where it has some and no way to."""
    towers = [(name, part) for name, part in module.named_children() if hasattr(part, "config")]
    for name, tower in towers:
        fresh = type(tower)(copy.deepcopy(tower.config))
        setattr(module, name, fresh.to(tower.device).eval())
    within = tuple(f"{name}." for name, _ in towers)
    drawn: set[str] = set()
    for path, part in module.named_modules():
        own = {
            f"{path}.{name}" if path else name for name, _ in part.named_parameters(recurse=False)
        }
        if hasattr(part, "reset_parameters") and not f"{path}.".startswith(within):
            part.reset_parameters()
            drawn |= own
    others = (name for name, _ in module.named_parameters() if not name.startswith(within))
    return all(name in drawn for name in others)
