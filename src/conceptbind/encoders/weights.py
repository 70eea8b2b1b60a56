"""Which weights a folder holds, in which precision they compute, and loading them without noise."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.errors import UnknownNameError, nearest
from conceptbind.files import content_hash, file_hash

if TYPE_CHECKING:
    from conceptbind.typing import Precision


def folder_revision(folder: Path) -> str:
    """A short hash of every configuration, vocabulary and weight file of a model folder."""
    suffixes = {".json", ".safetensors", ".txt", ".model"}
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in suffixes)
    return content_hash(*(part for path in files for part in (path.relative_to(folder).as_posix(), file_hash(path))))[:16]


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


def to_precision(model: Any, precision: Precision) -> Any:
    """The model with its weights in the precision asked for.

    `bf16` is fast on GPUs, on processors with matrix units (AMX), and on some with AVX512-BF16 only; where a layer of a small transformer
    computes slower in it than in float32, that is warned of.
    """
    import torch

    if precision == "float32":
        return model.float()
    if precision == "bf16":
        if not torch.cuda.is_available() and (ratio := _bf16_speed()) < 1:
            warnings.warn(f"this processor computes {1 / ratio:.1f} times slower in bfloat16 than in float32", stacklevel=3)
        return model.to(torch.bfloat16)
    raise UnknownNameError(f"unknown precision '{precision}'; {nearest(precision, ('float32', 'bf16'))}")


@cache
def _bf16_speed() -> float:
    """How many times as fast as in float32 one linear layer is: processors with the same instructions differ threefold."""
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
