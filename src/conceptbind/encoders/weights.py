"""Which weights a folder holds, in which precision they compute, and loading them without noise."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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

    `bf16` is fast where matrix units compute it (AMX, GPUs) and slower than float32 elsewhere, AVX512-BF16 included, which is warned of.
    """
    import torch

    if precision == "float32":
        return model.float()
    if precision == "bf16":
        if not torch.cuda.is_available() and not _cpu_is_fast_at_bf16():
            warnings.warn(
                "this processor has no matrix units for bfloat16, so --precision bf16 will be slower than float32", stacklevel=3
            )
        return model.to(torch.bfloat16)
    raise UnknownNameError(f"unknown precision '{precision}'; {nearest(precision, ('float32', 'bf16'))}")


def _cpu_is_fast_at_bf16() -> bool:
    import torch

    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("amx_bf16", "bf16"))  # x86 and Arm
