"""Checkpoints on disk: which there are, whether one is whole, and whether two are of one model."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from conceptbind.controlled.store import CONFIG, require_whole_model
from conceptbind.core.errors import ConceptBindError, FileError, MismatchError, ValueRangeError
from conceptbind.core.files import ASIDE, content_hash, file_hash, json_hash, read_json
from conceptbind.core.kept import differences
from conceptbind.core.limits import open_tensors, require_archive, require_regular
from conceptbind.core.streams import one_line

CheckpointKind = Literal["hf", "st", "open_clip", "controlled"]
OPEN_CLIP = "open_clip_config.json"
MOST_STEPS = 10**12
"""Numbers from here on are no steps: a hash, or a time."""
STEP_WORDS = (r"steps?[-_=]?", r"(?:checkpoint|ckpt|iter|iteration)[-_=]?", r"epoch[-_=]?")
"""What stands before the step in a name, the surest first."""
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
ADVICE = re.compile(
    r"( or choose another folder( with --out)?| with --out)?(, then run the same command again)?$"
    r"|; delete it and run again$|; wait until it is written$|; copy it again$"
)
"""Ends of messages that are for a command of its own, while a watch goes on by itself."""

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
    """The step in its name; None without one."""


def step_in(name: str, plain: bool = True) -> int | None:
    """The step that a name tells: the number after `step`, else after `checkpoint` or `epoch`, else
    the last number. `checkpoint-500-a1b3` is 500, `epoch=3-step=40.pt` is 40, `model_7` is 7.

    Args:
        name: of a checkpoint.
        plain: whether a number behind no such word is a step too. It is none beside names that have
            one: next to `checkpoint-100` the 32 of `clip-vit-b-32` is the name of a model.

    Returns:
        None where there is no number, or one that no training reaches.
    """
    last = re.sub(r"\.(pt|pth|bin|safetensors)$", "", name.rsplit("/", 1)[-1])
    for before in (*STEP_WORDS, *([r"(?<!\d[a-z])(?<!\d)"] if plain else [])):
        found = re.findall(rf"(?i){before}(\d+)(?![a-z0-9])", last)  # 1e5 and 0x1f are no steps
        if found:
            step = int(found[-1])
            return step if step < MOST_STEPS else None
    return None


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
    names = {path: _name(path, base) for path in _each_once(found)}
    inside = [name for path, name in names.items() if path != home]
    worded = any(step_in(name, plain=False) is not None for name in inside)

    def step(path: Path, name: str) -> int | None:
        # the folder that is watched has the name of the training, unless it is all there is
        if path == home:
            return None if inside else step_in(name, plain=False)
        return step_in(name, plain=not worded)

    numbered = [Checkpoint(path, name, step(path, name)) for path, name in names.items()]
    return sorted(numbered, key=_order)


def _each_once(paths: Iterable[Path]) -> list[Path]:
    """Paths without links to one of them: `latest` leads to a checkpoint that is there itself."""
    real = {path for path in paths if not path.is_symlink()}
    known = {path.resolve() for path in real}
    return [path for path in paths if path in real or path.resolve() not in known]


def training_of(name: str) -> str:
    """What the checkpoints of one training have in common: the folder that they lie in.

    Args:
        name: of a checkpoint.
    """
    return name.rpartition("/")[0]


def require_one_training(place: str, kind: CheckpointKind) -> None:
    """See that a pattern names the checkpoints of one training.

    Args:
        place: a folder or a pattern.
        kind: of the models.

    Raises:
        ValueRangeError: it names those of several folders.
    """
    if Path(place).exists():
        return
    homes = sorted({one.path.parent.as_posix() for one in found_checkpoints(place, kind)})
    if len(homes) > 1:
        raise ValueRangeError(
            f"{place} names checkpoints of {len(homes)} folders ({homes[0]}, {homes[1]}"
            f"{', ...' if len(homes) > 2 else ''}), and a watch draws one training; start one "
            "watch for each folder, each with its own --out"
        )


def _order(one: Checkpoint) -> tuple[bool, int, str]:
    return one.step is None, one.step or 0, one.name


def _inside(folder: Path) -> Iterable[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except OSError:
        return ()


def _name(path: Path, base: Path) -> str:
    name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.as_posix()
    return one_line((path.name or path.resolve().name) if name == "." else name)


def _may_be(path: Path, kind: CheckpointKind) -> bool:
    """Whether a path looks as a checkpoint of a kind does, whole or not."""
    if kind == "open_clip":
        return path.suffix in (*LOADED, ".safetensors") or (path / OPEN_CLIP).is_file()
    if kind == "st":
        return (path / "modules.json").is_file()
    return (path / CONFIG).is_file()


def signature(path: Path) -> Signature:
    """Names, sizes and times of the files of a checkpoint, without links that lead nowhere.

    Args:
        path: a file or a folder.

    Raises:
        FileNotFoundError: it is gone.
    """
    if not path.is_dir():
        told = path.stat()
        return ((path.name, told.st_size, _times(told)),)
    found = []
    for place, _, names in os.walk(path):
        for name in names:
            file = os.path.join(place, name)
            try:
                told = os.stat(file)
            except OSError:  # a link that leads nowhere, or a file that is just being replaced
                continue
            found.append((os.path.relpath(file, path), told.st_size, _times(told)))
    if not found:
        raise FileNotFoundError(path)
    return tuple(sorted(found))


def _times(told: os.stat_result) -> int:
    """When a file was written or its permissions were changed, as one number to compare."""
    return hash((told.st_mtime_ns, told.st_ctime_ns, told.st_mode))


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
    models = _models_own([file for file in weights if _of_model(file)])
    missing = [name for file in files for name in _named_shards(file) if not (path / name).exists()]
    if missing:
        raise FileError(f"{path / missing[0]} is not there yet")
    if not models:
        raise FileError(f"no weights lie in {path} yet")
    for file in models:
        _require_weights(file)


def _of_model(file: Path) -> bool:
    """Whether a file holds weights of the model, and not the state of its training."""
    states = r"(optimizer|scheduler|rng_state|scaler|training_args|mp_rank|zero_pp_rank)"
    return not re.match(states, file.name) and not file.parent.name.startswith("global_step")


def _models_own(files: Sequence[Path]) -> list[Path]:
    """The weights that are loaded: where some are called as those of a model are, no others."""
    own = [file for file in files if re.match(r"(model|pytorch_model|open_clip_)", file.name)]
    return own or list(files)


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
            return tokenizer_hash(told)
    there = [folder / name for name in VOCABULARIES if (folder / name).is_file()]
    return content_hash(*map(file_hash, there)) if there else None


def tokenizer_hash(told: Mapping[str, Any]) -> str:
    """A hash of what becomes of a caption.

    Args:
        told: what `tokenizer.json` holds.
    """
    return json_hash({part: told.get(part) for part in SPLITTING})


def loaded_tokenizer_hash(encoder: Any) -> str | None:
    """A hash of what an encoder's tokenizer makes of a caption; None where it does not tell.

    Args:
        encoder: of transformers, of open_clip, or a shipped one.
    """
    held: Any = getattr(encoder, "_tokenizer", None)
    held = getattr(held, "tokenizer", held)  # open_clip wraps those of transformers
    fast = getattr(held, "backend_tokenizer", None)
    if fast is not None:
        return tokenizer_hash(json.loads(fast.to_str()))
    words = held.get_vocab() if hasattr(held, "get_vocab") else getattr(held, "encoder", None)
    if isinstance(words, dict):
        return json_hash({str(word): place for word, place in words.items()})
    folder = getattr(encoder, "folder", None)
    return None if folder is None else _tokenizer(Path(folder))


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


def require_one_folder(first: str, name: str) -> None:
    """See that a checkpoint lies beside the one that the watch began with.

    Args:
        first: name of the first checkpoint.
        name: of this one.

    Raises:
        MismatchError: it lies in another folder.
    """
    if training_of(first) != training_of(name):
        raise MismatchError(
            f"it lies in another folder than {first}, and a watch draws one training; watch that "
            "folder into its own --out"
        )


def reason_of(error: BaseException) -> str:
    """An error in one line, without advice that is for a command of its own.

    Args:
        error: that a checkpoint raised.
    """
    if isinstance(error, ConceptBindError):
        return one_line(ADVICE.sub("", str(error)), 300)
    return one_line(f"{type(error).__name__}: {error}", 300)
