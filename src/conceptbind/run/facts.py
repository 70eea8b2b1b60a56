"""Where numbers come from: versions, seed, hashes, resolved configuration, command."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.files import content_hash
from conceptbind.core.version import __version__

if TYPE_CHECKING:
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.scenes.split import Split
    from conceptbind.scenes.table import Scenes

PACKAGES = (
    "torch",
    "numpy",
    "scikit-learn",
    "safetensors",
    "pillow",
    "transformers",
    "sentence-transformers",
    "open_clip_torch",
    "timm",
)
"""Packages whose version can change a number."""


@explains_arguments
def provenance(
    config: Mapping[str, Any],
    scenes: Scenes,
    split: Split | None,
    embeddings: Sequence[Embeddings],
    command: Sequence[str],
) -> dict[str, Any]:
    """Everything needed to cite a run and to make it again. Reads no clock: the same run gives the
    same bytes.

    Args:
        config: the resolved options.
        scenes: the table.
        split: which rows were fitted on, chosen with, and scored; None where nobody asked.
        embeddings: one for each modality.
        command: the command line, `sys.argv`.
    """
    seed = {} if split is None else {"seed": split.seed}
    return plain_provenance({**config, **seed}, command) | {
        "config": dict(config),
        "scenes": scenes_facts(scenes),
        "split": split_facts(split),
        "encoders": [
            {
                "modality": rows.modality,
                "encoder": rows.encoder,
                "revision": rows.revision,
                "dimension": int(rows.values.shape[1]),
                **rows.details,
            }
            for rows in embeddings
        ],
    }


@explains_arguments
def scenes_facts(scenes: Scenes) -> dict[str, Any]:
    """What names a scene table.

    Args:
        scenes: the scene table.
    """
    return {
        "name": scenes.name,
        "hash": scenes.content_hash,
        "n": len(scenes),
        "slots": scenes.n_slots,
        "concepts": dict(zip(scenes.space.concepts, scenes.space.sizes, strict=True)),
        "example": scenes.caption(0),
    }


@explains_arguments
def split_facts(split: Split | None) -> dict[str, Any] | None:
    """What names a split; None of none.

    Args:
        split: the split of the table.
    """
    if split is None:
        return None
    return {
        "by": split.by,
        "seed": split.seed,
        "train": len(split.train),
        "validation": len(split.validation),
        "test": len(split.test),
        "hash": content_hash(
            *(part.astype("<i8").tobytes() for part in (split.train, split.validation, split.test))
        ),
    }


def plain_provenance(config: Mapping[str, Any], command: Sequence[str]) -> dict[str, Any]:
    """The part of `provenance` that does not need scenes: for runs on arrays.

    Args:
        config: all options of the command; `seed` is one of them.
        command: the words of the command line, the program first.
    """
    return {
        "conceptbind": __version__,
        "command": shlex.join(["conceptbind", *command[1:]])
        if Path(command[0]).stem in ("conceptbind", "__main__")
        else "Python",
        "config": dict(config),
        "seed": config["seed"],
        "versions": {
            "python": platform.python_version(),
            "platform": platform.machine(),
            **_versions(),
        },
        "threads": _threads(),
    }


def _threads() -> dict[str, Any]:
    """How many threads libraries used: probes give the same digits for any number, an encoder or a
    fitted map may not.
    """
    import torch
    from threadpoolctl import threadpool_info

    pools = {str(pool["internal_api"]): int(pool["num_threads"]) for pool in threadpool_info()}
    return {"torch": torch.get_num_threads(), **dict(sorted(pools.items())), "cpus": os.cpu_count()}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
