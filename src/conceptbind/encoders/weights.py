"""Which weights a folder holds, in which precision they compute, and loading them without noise and
without tracebacks.
"""

from __future__ import annotations

import pickle
import re
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    MissingExtraError,
    UnknownNameError,
    UnsafeFileError,
    cut,
    nearest,
)
from conceptbind.core.files import content_hash, file_hash, read_json
from conceptbind.core.typing import Precision

if TYPE_CHECKING:
    from torch import nn


READ_BY_LOADERS = frozenset(
    {
        "config.json",
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "adapter_config.json",
        "adapter_model.safetensors",
        "adapter_model.bin",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
        "spiece.model",
        "sentencepiece.bpe.model",
        "sentencepiece.model",
        "tokenizer.model",
        "spm.model",
        "source.spm",
        "target.spm",
        "bpe.codes",
        "entity_vocab.json",
        "vocab.bpe",
        "tekken.json",
        "tiktoken.model",
        "preprocessor_config.json",
        "processor_config.json",
        "video_preprocessor_config.json",
        "modules.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "router_config.json",
        "wordembedding_config.json",
        "whitespacetokenizer_config.json",
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "open_clip_pytorch_model.bin",
    }
)
"""Names of the files that transformers, sentence-transformers and open_clip read from a model
folder."""


def folder_revision(folder: Path, own_code: bool = False, also: Iterable[str] = ()) -> str:
    """A short hash of the files that decide a model's rows: configuration, vocabulary and weights,
    and what they refer to.

    A note, a picture or a training log beside them changes nothing. Of weights in several forms
    only those that are loaded count.

    Args:
        folder: of the model.
        own_code: the model's Python files are run, so they count too.
        also: further file names that its tokenizer reads.
    """
    names = READ_BY_LOADERS.union(also)
    folders = [folder, *(folder / path for path in _module_paths(folder))]
    found = {
        path
        for place in folders
        for path in place.glob("*")
        if path.name in names and path.is_file()
    }
    for index in [path for path in found if path.name.endswith(".index.json")]:
        parts = read_json(index).get("weight_map", {})
        found |= {
            path for name in set(parts.values()) if (path := index.parent / str(name)).is_file()
        }
    for place in folders:
        if any(
            place / name in found for name in ("model.safetensors", "model.safetensors.index.json")
        ):
            found -= {
                path
                for path in found
                if path.parent == place and path.name.startswith("pytorch_model")
            }
    if own_code:
        found |= {path for path in folder.rglob("*.py") if path.is_file()}
    named = sorted((path.relative_to(folder).as_posix(), path) for path in found)
    return content_hash(*(part for name, path in named for part in (name, file_hash(path))))[:16]


def _module_paths(folder: Path) -> list[str]:
    """The folders of a sentence-transformers pipeline's parts, in a model folder; none where it is
    no pipeline.
    """
    path = folder / "modules.json"
    modules = read_json(path) if path.is_file() else []
    paths = (
        [str(module.get("path") or "") for module in modules if isinstance(module, dict)]
        if isinstance(modules, list)
        else []
    )
    return sorted(
        {
            part
            for part in paths
            if part and not Path(part).is_absolute() and ".." not in Path(part).parts
        }
        | {"1_Pooling"}
    )


BY_CONTENT = ("hf", "st", "open_clip", "controlled", "file")
"""Schemes whose revision is a hash of the files themselves, where they are files of this
machine."""


def same_encoder(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two encoders, each a name and a revision, are one: by the content of their files,
    however their path is spelt.

    Names of the hub and of the shipped models are compared as they are; so is what the user's own
    code calls itself.
    """
    if one == other:
        return True
    kinds = {_kind(name) for name, _ in (one, other)}
    # a commit of the hub has 40
    content = re.fullmatch(r"[0-9a-f]{16}|[0-9a-f]{64}", one[1]) is not None
    return one[1] == other[1] and content and len(kinds) == 1 and None not in kinds


def _kind(name: str) -> str | None:
    """What else than the files decides an encoder's rows: the scheme, and the architecture that
    open_clip is given with a weight file.
    """
    scheme = "st" if name == "minilm" else name.partition(":")[0]
    if scheme not in BY_CONTENT:
        return None
    if scheme in ("hf", "st"):  # a prompt in the name makes other rows of the same files
        return scheme + "".join(name.partition("?")[1:])
    return (
        name.partition("@")[0]
        if scheme == "open_clip" and not name.startswith("open_clip:local-dir:")
        else scheme
    )


@contextmanager
def importing(module: str, package: str, extra: str, what: str) -> Iterator[None]:
    """A library that may lack is imported.

    Args:
        module: its name in Python.
        package: its name in the registry of packages.
        extra: of this package, which brings it.
        what: needs it.

    Raises:
        MissingExtraError: it is not installed.
        FileError: it is, and something that it needs is wrong.
    """
    try:
        yield
    except Exception as error:  # a torchvision that was built for another torch fails as it likes
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            raise MissingExtraError(package, extra, what) from error
        raise FileError(
            f"'{module}' is installed but cannot be imported: {reason_of(error)}"
        ) from error


@contextmanager
def one_line(doing: str) -> Iterator[None]:
    """Whatever a library raises becomes one line.

    Args:
        doing: what fails, for example `could not load 'hf:NAME'`.

    Raises:
        UnsafeFileError: weights are a pickle of more than tensors.
        FileError: anything else.
    """
    try:
        yield
    except ConceptBindError:
        raise
    except pickle.UnpicklingError as error:
        raise UnsafeFileError(f"{doing}: {PICKLE}") from error
    except (
        Exception
    ) as error:  # transformers, tokenizers, torch, safetensors and the hub raise what they like
        reason = reason_of(error)
        raise (UnsafeFileError if reason in (PICKLE, OWN_CODE) else FileError)(
            f"{doing}: {reason}"
        ) from error


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Load without noise; whatever a library raises becomes one line, see `one_line`.

    Args:
        what: is loaded, for example `'hf:NAME'`.
    """
    with one_line(f"could not load {what}"), quiet_loading():
        yield


def hub_or_folder_json(source: str, path: str, options: Mapping[str, Any]) -> Any:
    """A JSON file of a model folder or of a repository of the hub; None where it is not there.

    Args:
        source: a folder, or `ORG/NAME`.
        path: of the file inside.
        options: `local_files_only` and `revision`, as `from_pretrained` takes them.
    """
    folder = Path(source)
    if folder.is_dir():
        return (
            read_json(folder / path, "save the model again") if (folder / path).is_file() else None
        )
    with loading(f"{path} of '{source}'"):
        import transformers

        found = transformers.utils.cached_file(
            source,
            path,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
            **{key: value for key, value in options.items() if key != "trust_remote_code"},
        )
    return None if found is None else read_json(Path(found), "save the model again")


PICKLE = (
    "its weights hold more than tensors and could execute code, so they are not read; save them as "
    "model.safetensors (model.save_pretrained)"
)
OWN_CODE = (
    "it brings Python code of its own, which is not run; if you trust its author, add "
    "--trust-remote-code"
)
KNOWN_REASONS = (
    (
        r"torchvision::|operator torchvision|partially initialized module 'torchvision'",
        "the torchvision that is installed was built for another torch; install the one that fits, "
        "or remove it where nothing else needs it",
    ),
    (r"[Ww]eights only load failed|weights_only", PICKLE),
    (r"trust_remote_code|contains custom code|execute custom code", OWN_CODE),
    (
        r"torchvision",
        "its picture processor needs the package torchvision; run: pip install torchvision",
    ),
    (
        r"[Ss]entence[Pp]iece",
        "its tokenizer needs the package sentencepiece; run: pip install sentencepiece",
    ),
    (r"tiktoken", "its tokenizer needs the package tiktoken; run: pip install tiktoken"),
    (r"protobuf", "its tokenizer needs the package protobuf; run: pip install protobuf"),
    (
        r"does not have a padding token|[Pp]ad(ding)?[ _]token",
        "its tokenizer has no padding token; name one in tokenizer_config.json",
    ),
    (
        r"does not recognize this architecture|Unrecognized model|not recognized by "
        r"transformers|Unrecognized configuration",
        "transformers does not know its type (model_type in config.json); update transformers, or "
        "add --trust-remote-code where the model brings its own code and you trust it",
    ),
    (
        r"does not appear to have a file named config\.json|no file named config\.json",
        "there is no config.json; expected a folder written by save_pretrained",
    ),
    (
        r"[Cc]an't load tokenizer for",
        "it has no tokenizer: save the tokenizer beside the model (tokenizer.json)",
    ),
    (
        r"[Cc]an't load image processor|have a file named preprocessor_config\.json",
        "there is no preprocessor_config.json; save the image processor beside the model",
    ),
    (
        r"ignore_mismatched_sizes|size mismatch for",
        "its weights have other shapes than its configuration says; copy both again",
    ),
    (
        r"index out of range in self",
        "its tokenizer has tokens that the model lacks; they do not belong together",
    ),
    (
        r"deserializing "
        r"header|HeaderTooLarge|InvalidHeader|MetadataIncomplete|IncompleteMetadata|invalid header",
        "model.safetensors is cut or broken; copy it again",
    ),
    (
        r"offline|[Cc]ouldn't connect|[Cc]annot find the requested "
        r"files|LocalEntryNotFound|outgoing traffic",
        "it is not on this machine and the hub cannot be reached; check the name and the network, "
        "or give a folder",
    ),
)
"""(pattern of what a library says, what to tell the user)."""


def reason_of(error: BaseException) -> str:
    """One line that says why loading failed, in words where the cause is known."""
    chain: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(chain) < 8:
        chain.append(f"{type(seen).__name__}: {seen}")
        seen = seen.__cause__ or seen.__context__
    said = "\n".join(chain)
    for pattern, reason in KNOWN_REASONS:
        if re.search(pattern, said):
            return reason
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")
    return text if len(text) <= 300 else f"{text[:295]} ..."


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Silence the libraries' own progress bars and notices while a model loads."""
    import transformers

    noisy = transformers.utils.logging
    verbosity, bars = noisy.get_verbosity(), noisy.is_progress_bar_enabled()
    noisy.set_verbosity_error()
    noisy.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        noisy.set_verbosity(verbosity)
        if bars:
            noisy.enable_progress_bar()


@contextmanager
def computing(precision: str, device: Any) -> Iterator[None]:
    """Compute without gradients. With `fp16` torch chooses for each operation: products are
    computed in half precision, sums and normalisations in single.

    Args:
        precision: see `typing.Precision`.
        device: of the model.
    """
    import torch

    half = torch.autocast(
        torch.device(device).type, dtype=torch.float16, enabled=precision == "fp16"
    )
    with torch.inference_mode(), half:
        yield


def to_precision(model: nn.Module, precision: Precision) -> Any:
    """The model with its weights in the precision asked for.

    `fp16` leaves the weights in single precision; see `computing`. `bf16` is fast on GPUs, on
    processors with matrix units (AMX), and on some with AVX512-BF16 only. Where a layer of a small
    transformer computes slower in it than in float32, that is warned of.
    """
    import torch

    if precision in ("float32", "fp16"):
        return model.float()
    if precision == "bf16":
        if not torch.cuda.is_available() and (ratio := _bf16_speed()) < 1:
            warnings.warn(
                f"this processor computes {1 / ratio:.1f} times slower in bfloat16 than in float32",
                stacklevel=3,
            )
        return model.to(torch.bfloat16)
    raise UnknownNameError(
        f"unknown precision '{cut(precision)}'; {nearest(precision, get_args(Precision))}"
    )


@cache
def _bf16_speed() -> float:
    """How many times as fast as in float32 one linear layer is: processors with the same
    instructions differ threefold.
    """
    import torch

    seconds = {}
    for kind in (torch.float32, torch.bfloat16):
        rows, weight = torch.ones(704, 384, dtype=kind), torch.ones(1536, 384, dtype=kind)
        runs = []
        for _ in range(6):
            start = time.perf_counter()
            torch.nn.functional.linear(rows, weight)
            runs.append(time.perf_counter() - start)
        seconds[kind] = min(runs)
    return seconds[torch.float32] / seconds[torch.bfloat16]
