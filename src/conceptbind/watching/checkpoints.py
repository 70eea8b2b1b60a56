"""Checkpoints on disk: which there are, whether one is whole, and whether two are of one model."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from conceptbind.controlled.store import CONFIG, require_whole_model
from conceptbind.core.errors import ConceptBindError, FileError, MismatchError
from conceptbind.core.files import ASIDE, content_hash, file_hash, json_hash, read_json
from conceptbind.core.kept import differences
from conceptbind.core.limits import open_tensors, require_archive, require_regular
from conceptbind.core.streams import one_line

CheckpointKind = Literal["hf", "st", "open_clip", "controlled"]
OPEN_CLIP = "open_clip_config.json"
LOADED = (".pt", ".pth", ".bin")
"""Endings of files of torch."""
NO_MATTER = frozenset(
    {
        *("transformers_version", "_name_or_path", "torch_dtype", "dtype", "use_cache"),
        *("_commit_hash", "_attn_implementation_autoset", "return_dict", "output_attentions"),
        *("output_hidden_states", "initializer_factor", "initializer_range"),
    }
)
"""Options of a configuration that say nothing of the shape of its weights."""
VOCABULARIES = (
    *("vocab.json", "merges.txt", "vocab.txt", "spiece.model", "sentencepiece.bpe.model"),
    "words.csv",
)
TOKENIZER = "tokenizer.json"
SPLITTING = ("model", "normalizer", "pre_tokenizer", "added_tokens")
"""Parts of `tokenizer.json` that decide what becomes of a caption."""

Signature = tuple[tuple[str, int, int], ...]
"""Names, sizes and times of the files of a checkpoint. Times are compared for being the same, never
for being later, since clocks jump."""


@dataclass(frozen=True)
class Checkpoint:
    """A file or a folder that may hold a model."""

    path: Path
    name: str
    """Its path below the folder that is watched."""
    step: int | None
    """The last number in its name; None without one."""


def step_in(name: str) -> int | None:
    """The step that a name ends with: `checkpoint-500` is 500, `epoch_3.pt` is 3.

    Args:
        name: of a checkpoint.
    """
    found = re.findall(r"\d+", re.sub(r"\.(pt|pth|bin|safetensors)$", "", name.rsplit("/", 1)[-1]))
    return int(found[-1]) if found else None


def found_checkpoints(place: str, kind: CheckpointKind) -> list[Checkpoint]:
    """The checkpoints of a folder, or of a pattern with `*`, by their steps.

    Args:
        place: a folder, which may be a checkpoint itself; or a pattern of paths.
        kind: of the models.
    """
    home = Path(place).expanduser()
    if glob.has_magic(place) and not home.exists():
        paths = [Path(path) for path in glob.glob(str(home), recursive=True)]
        base = Path(glob.escape(str(home)).split("[", 1)[0]).parent
    else:
        base = home
        paths = [home, *_inside(home)]
    found = {path for path in paths if not ASIDE.fullmatch(path.name) and _may_be(path, kind)}
    known = [Checkpoint(path, _name(path, base), None) for path in found]
    numbered = [Checkpoint(one.path, one.name, step_in(one.name)) for one in known]
    return sorted(numbered, key=_order)


def _order(one: Checkpoint) -> tuple[bool, int, str]:
    return one.step is None, one.step or 0, one.name


def _inside(folder: Path) -> Iterable[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except OSError:
        return ()


def _name(path: Path, base: Path) -> str:
    name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
    return one_line(path.name if name == "." else name)


def _may_be(path: Path, kind: CheckpointKind) -> bool:
    """Whether a path looks as a checkpoint of a kind does, whole or not."""
    if kind == "open_clip":
        return path.suffix in (*LOADED, ".safetensors") or (path / OPEN_CLIP).is_file()
    if kind == "st":
        return (path / "modules.json").is_file()
    return (path / CONFIG).is_file()


def signature(path: Path) -> Signature:
    """Names, sizes and times of the files of a checkpoint.

    Args:
        path: a file or a folder.

    Raises:
        FileNotFoundError: it is gone.
    """
    if not path.is_dir():
        told = path.stat()
        return ((path.name, told.st_size, told.st_mtime_ns),)
    found = []
    for place, _, names in os.walk(path):
        for name in names:
            told = (Path(place) / name).stat()
            inner = os.path.relpath(os.path.join(place, name), path)
            found.append((inner, told.st_size, told.st_mtime_ns))
    if not found:
        raise FileNotFoundError(path)
    return tuple(sorted(found))


def require_whole(path: Path, kind: CheckpointKind) -> None:
    """See that every file of a checkpoint is whole, without loading it.

    Args:
        path: a file or a folder.
        kind: of the model.

    Raises:
        FileError: a file is half-written, or the weights are not there yet.
    """
    if kind == "controlled":
        require_whole_model(path)
        return
    if not path.is_dir():
        _require_weights(path)
        return
    files = [file for file in path.rglob("*") if file.is_file()]
    for file in files:
        if file.suffix == ".json":
            read_json(file, "wait until it is written")
    weights = [file for file in files if file.suffix in (".safetensors", *LOADED)]
    models = [file for file in weights if _of_model(file)]
    missing = [name for file in files for name in _named_shards(file) if not (path / name).exists()]
    if missing:
        raise FileError(f"{path / missing[0]} is not there yet")
    if not models:
        raise FileError(f"no weights lie in {path} yet")
    for file in models:
        _require_weights(file)


def _of_model(file: Path) -> bool:
    """Whether a file holds weights of the model, and not the state of its training."""
    return not re.match(r"(optimizer|scheduler|rng_state|scaler|training_args)", file.name)


def _named_shards(file: Path) -> set[str]:
    """Files that an index names."""
    if not file.name.endswith(".index.json"):
        return set()
    told = read_json(file, "wait until it is written")
    named = told.get("weight_map") if isinstance(told, dict) else None
    return {str(name) for name in named.values()} if isinstance(named, dict) else set()


def _require_weights(file: Path) -> None:
    from safetensors import SafetensorError

    require_regular(file, "weights")
    if file.suffix != ".safetensors":
        require_archive(file)
        return
    try:
        with open_tensors(file):
            pass
    except (SafetensorError, OSError) as error:
        raise FileError(f"{file} is not whole ({error})") from error


def shape_of(path: Path, kind: CheckpointKind) -> dict[str, Any]:
    """What two checkpoints of one model have in common: the configuration that decides the shape of
    its weights, and a hash of its tokenizer.

    Args:
        path: a file or a folder.
        kind: of the model.

    Raises:
        FileError: its configuration cannot be read.
    """
    if not path.is_dir():
        return {"architecture": {}, "tokenizer": None}
    name = OPEN_CLIP if kind == "open_clip" else CONFIG
    config = read_json(path / name) if (path / name).is_file() else {}
    if not isinstance(config, dict):
        raise FileError(f"{path / name} is not a configuration")
    if kind == "controlled":
        recipe = config.get("recipe")
        shape = recipe.get("shape") if isinstance(recipe, dict) else None
        return {"architecture": {"shape": shape}, "tokenizer": None}
    told = config.get("model_cfg", config)
    return {"architecture": _plain(told), "tokenizer": _tokenizer(path)}


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in NO_MATTER}
    return {k: _plain(v) if isinstance(v, Mapping) else v for k, v in kept.items()}


def _tokenizer(folder: Path) -> str | None:
    """A hash of what becomes of a caption; None where no file tells."""
    if (folder / TOKENIZER).is_file():
        told = read_json(folder / TOKENIZER)
        if isinstance(told, dict):
            return json_hash({part: told.get(part) for part in SPLITTING})
    there = [folder / name for name in VOCABULARIES if (folder / name).is_file()]
    return content_hash(*map(file_hash, there)) if there else None


def require_alike(first: Mapping[str, Any], now: Mapping[str, Any], name: str) -> None:
    """See that a checkpoint is of the model that the watch began with.

    Args:
        first: what `shape_of` told of the first checkpoint.
        now: of this one.
        name: of the first one.

    Raises:
        MismatchError: it is of another architecture, or has another tokenizer.
    """
    other = differences(first["architecture"], now["architecture"])
    if other:
        raise MismatchError(f"it is of another architecture than {name} ({other:.200})")
    if first["tokenizer"] != now["tokenizer"]:
        raise MismatchError(f"it has another tokenizer than {name}")


def reason_of(error: BaseException) -> str:
    """An error in one line, without advice that is for a command of its own.

    Args:
        error: that a checkpoint raised.
    """
    if isinstance(error, ConceptBindError):
        return one_line(str(error), 300)
    return one_line(f"{type(error).__name__}: {error}", 300)
