"""The repair as an artifact: one matrix on the text side, in a folder or in a published file."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, runtime_checkable

import msgspec
import numpy as np
from msgspec import Meta

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import (
    FileError,
    MismatchError,
    ShapeError,
    UnsafeFileError,
    ValueRangeError,
    counted,
    cut_left,
)
from conceptbind.core.escape import markdown
from conceptbind.core.files import (
    content_hash,
    file_hash,
    read_json,
    user_path,
    write_json,
    write_whole,
)
from conceptbind.core.kept import as_struct
from conceptbind.core.limits import open_tensors, require_regular, require_tensors
from conceptbind.encoders.weights import same_encoder
from conceptbind.metrics.checks import refuse_non_finite

if TYPE_CHECKING:
    from jaxtyping import Float, Num

    from conceptbind.core.typing import Floats
    from conceptbind.rows.indexes.contract import Rows

WEIGHTS, CONFIG, CARD = "adapter.safetensors", "config.json", "README.md"
OF_A_RUN = "adapter"
"""Where `measure` keeps the adapter that it fitted."""
PRECISIONS = ("F16", "F32", "F64")
"""Numbers of a folder's tensors that are read, in safetensors' names; ours are written as F32."""
BLOCK = 65_536
"""Rows that are mapped at once."""
AGAIN = "fit the adapter again with conceptbind repair"


@dataclass(frozen=True, eq=False, repr=False)
class Adapter:
    """A linear map of captions that makes an encoder's binding usable between pictures and captions
    (arXiv 2502.03566, section 5).

    score(picture, caption) = cos(picture, A caption). Pictures stay as they are, so an index of
    them stays valid.
    """

    weight: Num[Floats, "width_out width_in"]
    """(d_out, d_in) A; d_out is the width of the picture rows, d_in of the caption rows."""
    log_temperature: float
    """t: the contrastive loss multiplied cosines by exp(t). Ranking does not depend on it."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """What it was fitted on and what it does: encoder, revision, protocol, data hash, before,
    after."""

    def __repr__(self) -> str:
        out, into = self.weight.shape
        whose = str(self.config.get("encoder") or "unknown")
        return f"<Adapter of {cut_left(whose, 40)}: captions of width {into} to {out}>"

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or 0 in self.weight.shape:
            raise ShapeError(
                f"an adapter's weight must be (d_out, d_in); got shape {self.weight.shape}"
            )
        if self.weight.dtype.kind not in "fiu":
            raise ValueRangeError(
                f"an adapter's weight must hold real numbers; got {self.weight.dtype}"
            )
        refuse_non_finite(self.weight, "the adapter's weight")
        if not self.weight.any():
            raise ValueRangeError(
                "the adapter's weight is all zeros, so it would map every caption to zero"
            )
        if isinstance(self.log_temperature, bool) or not _finite(self.log_temperature):
            raise ValueRangeError(
                f"an adapter's log_temperature must be a finite number; got {self.log_temperature}"
            )

    @property
    def id(self) -> str:
        """Its name where no folder names it: `adapter-` and a hash of the map."""
        parts = self.weight.dtype.str, self.weight.tobytes(), repr(float(self.log_temperature))
        return f"adapter-{content_hash(*parts)[:16]}"

    def __call__(
        self, texts: Num[Floats, "captions width_in"]
    ) -> Float[Floats, "captions width_out"]:
        """Mapped captions of unit length.

        Args:
            texts: (n, d_in) rows of the encoder, raw or normalised: the scale of a row does not
                matter.

        Returns:
            (n, d_out) `x @ weight.T`, each row divided by its length.

        Raises:
            ShapeError: another width; both are named.
            ValueRangeError: NaN or infinite numbers, or a row that is mapped to zero and has no
                direction.
        """
        texts = np.asarray(texts)
        blocks = self.blocks(texts)
        mapped = np.empty((len(texts), self.weight.shape[0]), dtype=np.float32)
        for start, rows in blocks:
            mapped[start : start + len(rows)] = rows
        return mapped

    def blocks(
        self, texts: Num[Floats, "captions width_in"] | Rows
    ) -> Iterator[tuple[int, Float[Floats, "_ width_out"]]]:
        """The same for rows that are larger than memory: some at once, each time with the number
        of the first.

        Args:
            texts: (n, d_in) rows, also of an index that another program built.

        Raises:
            ShapeError: another width; both are named.
            ValueRangeError: NaN or infinite numbers, or a row that is mapped to zero.
        """
        kind = getattr(texts, "dtype", np.dtype(np.float32))
        if kind.kind not in "fiu":
            raise ShapeError(f"captions must be rows of real numbers; got {kind}")
        if texts.ndim != 2 or texts.shape[1] != self.weight.shape[1]:
            whose = f" ('{self.config['encoder']}')" if self.config.get("encoder") else ""
            raise ShapeError(
                f"this adapter{whose} maps rows of "
                f"{counted(self.weight.shape[1], 'dimension')}; got an array "
                f"of shape {texts.shape}"
            )
        if isinstance(texts, np.ndarray):  # rows of an index are checked when they are read
            refuse_non_finite(texts, "captions")
        return (
            (start, self._mapped(texts[start : start + BLOCK], start))
            for start in range(0, len(texts), BLOCK)
        )

    def _mapped(self, rows: Floats, start: int) -> Floats:
        """Some rows, the first of which has a number, mapped to unit length."""
        block = rows.astype(np.promote_types(rows.dtype, np.float32))
        # no overflow
        block /= np.maximum(
            np.abs(block).max(axis=1, keepdims=True, initial=0), np.finfo(block.dtype).tiny
        )
        mapped: Floats = block.astype(np.float32, copy=False) @ self.weight.T
        length = np.linalg.norm(mapped, axis=1, keepdims=True)
        if not length.all():
            raise ValueRangeError(
                f"row index {start + int(np.argmin(length))} is mapped to zero and cannot be "
                "normalised"
            )
        return mapped / length

    def require(self, encoder: str, revision: str) -> None:
        """Raise MismatchError unless the adapter was fitted on this encoder and these weights; both
        are named.

        A model folder is told by its content: another spelling of its path is the same encoder.
        """
        found = (self.config.get("encoder"), self.config.get("revision"))
        if found[0] is not None and not same_encoder(
            (str(found[0]), str(found[1] or revision)), (encoder, revision)
        ):
            raise MismatchError(
                f"this adapter was fitted on '{found[0]}' ({found[1]}), but the captions are "
                f"embedded by '{encoder}' ({revision}); "
                "fit one for that encoder with conceptbind repair"
            )

    def pulled(self, share: float) -> Adapter:
        """The map a share of the way from the identity (0) to this one (1)."""
        weight = (1 - share) * np.eye(*self.weight.shape, dtype=np.float32) + np.float32(
            share
        ) * self.weight
        return Adapter(weight, self.log_temperature, {**self.config, "pull": share})


@runtime_checkable
class HasAdapter(Protocol):
    """What holds a fitted map, as the result of `conceptbind.repair` does."""

    @property
    def adapter(self) -> Adapter:
        """The map."""


def identity(width_out: int, width_in: int | None = None) -> Adapter:
    """The map that changes nothing (with unequal widths: that keeps the first dimensions).

    Args:
        width_out: dimensions of the picture rows.
        width_in: dimensions of the caption rows; the same by default.
    """
    return Adapter(
        np.eye(width_out, width_in or width_out, dtype=np.float32), 0.0, {"protocol": "identity"}
    )


@explains_arguments
def save_adapter(adapter: Adapter, folder: str | Path, card: str | None = None) -> None:
    """Write a folder: `adapter.safetensors` (weight, log_temperature), `config.json`, `README.md`.
    The weights come last.

    Args:
        adapter: the map to write.
        folder: the folder to write into.
        card: text of `README.md`; a short one by default.

    Raises:
        FileError: the folder cannot be written.
    """
    folder = user_path(folder)
    from safetensors.numpy import save

    tensors = {
        "weight": np.ascontiguousarray(adapter.weight, np.float32),
        "log_temperature": np.array([adapter.log_temperature], np.float32),
    }
    content = save(tensors)
    shape = {"d_out": adapter.weight.shape[0], "d_in": adapter.weight.shape[1]}
    said = {
        "format": 1,
        **shape,
        **adapter.config,
        "weights_hash": hashlib.sha256(content).hexdigest(),
    }
    write_json(folder / CONFIG, said)
    write_whole(folder / CARD, card or _plain_card(adapter))
    write_whole(folder / WEIGHTS, content)


def load_adapter(path: str | Path | Adapter | HasAdapter) -> Adapter:
    """Read an adapter folder, or a published LABCLIP file (`.pt` with the tensors `linear.weight`
    and `t`). An adapter, or that of a result of `repair`, is returned as it is.

    Args:
        path: an adapter folder, a run folder that holds one, a `.pt` file, an adapter, or a result
            that has one or whose run folder does.

    Raises:
        FileError: nothing is there, or it is broken.
        UnsafeFileError: a `.pt` that holds anything but these tensors.
        ConceptBindError: tensors that are not an adapter: of another shape, not finite, or not what
            the folder's config says.
    """
    if isinstance(path, Adapter):
        return path
    if isinstance(path, HasAdapter):
        return path.adapter
    path = user_path(getattr(path, "folder", path))
    if path.suffix in (".pt", ".pth", ".bin"):
        return _read_published(path)
    if not (path / WEIGHTS).is_file() and (path / OF_A_RUN / WEIGHTS).is_file():
        path = path / OF_A_RUN
    if not (path / WEIGHTS).is_file():
        raise FileError(
            f"{path} is not an adapter: expected a folder with {WEIGHTS} (written "
            "by conceptbind repair), a run of measure that fitted one, or a published .pt file"
        )
    config = _read_config(path)
    tensors = _read_weights(path / WEIGHTS)
    weight, said = tensors["weight"], (config["d_out"], config["d_in"])
    if said != weight.shape:
        raise MismatchError(
            f"{path} is broken: {CONFIG} says the weight is {said}, {WEIGHTS} holds "
            f"{weight.shape}; copy both again"
        )
    # folders written before 0.2 have none
    if config.get("weights_hash") not in (
        None,
        file_hash(path / WEIGHTS),
    ):
        raise MismatchError(
            f"{path} is broken: {WEIGHTS} is not what {CONFIG} was written for; copy both again, "
            f"or {AGAIN}"
        )
    # what single precision cannot hold becomes infinite and is refused
    with np.errstate(over="ignore"):
        weight = weight.astype(np.float32)
    return Adapter(weight, float(tensors["log_temperature"].item()), config)


class Config(msgspec.Struct):
    """What `save_adapter` writes into `config.json`, as far as it is read; more may stand there."""

    d_out: Annotated[int, Meta(gt=0)]
    d_in: Annotated[int, Meta(gt=0)]
    format: int | None = None
    pull: Annotated[float, Meta(ge=0, le=1)] | None = None
    encoder: str | None = None
    revision: str | None = None
    protocol: str | None = None
    data_hash: str | None = None
    weights_hash: str | None = None
    scenes: str | None = None
    solver: str | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


def _read_config(folder: Path) -> dict[str, Any]:
    """A folder's `config.json`, with the types that `save_adapter` wrote."""
    path = folder / CONFIG
    found: dict[str, Any] = read_json(path, AGAIN)
    if as_struct(found, Config, path, AGAIN).format not in (None, 1):
        raise FileError(f"{path} was written by a newer conceptbind; install that, or {AGAIN}")
    return found


def _read_weights(path: Path) -> dict[str, np.ndarray]:
    """The two tensors of a folder; their types and shapes are checked before any number is read."""
    from safetensors import SafetensorError

    try:
        with open_tensors(path) as file:
            names = set(file.keys())
            if names != {"weight", "log_temperature"}:
                held = ", ".join(sorted(names))[:200] or "nothing"
                raise FileError(
                    f"{path.parent} is not an adapter: its weights must hold weight and "
                    f"log_temperature, and hold {held}"
                )
            for name in ("weight", "log_temperature"):
                kind, shape = file.get_slice(name).get_dtype(), file.get_slice(name).get_shape()
                if kind not in PRECISIONS:
                    raise ValueRangeError(
                        f"{name} in {path} must hold real numbers of 16, 32 or 64 bits "
                        f"({', '.join(PRECISIONS)}); they are {kind}; "
                        f"save it as float32, or {AGAIN}"
                    )
                if name == "log_temperature" and math.prod(shape) != 1:
                    raise ShapeError(
                        f"log_temperature in {path.parent} must be one number; it has shape "
                        f"{tuple(shape)}"
                    )
            return {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise FileError(f"{path} is broken ({str(error)[:200]}); {AGAIN}") from error


def _finite(value: object) -> bool:
    """Whether it is a real number that is finite."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond any float
        return False


def _read_published(path: Path) -> Adapter:
    """A `.pt` file with two tensors; anything that could execute code, or is not a tensor, is
    refused.
    """
    import pickle
    import warnings

    import torch

    require_tensors(require_regular(path, "a published adapter"))
    try:
        # of pickles that torch did not write; they are refused below
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # the restricted reader met more than tensors
        raise UnsafeFileError(
            f"{path} holds more than tensors and could execute code, so it is not read; save "
            "linear.weight and t alone, "
            "or fit an adapter with conceptbind repair"
        ) from error
    except Exception as error:  # torch raises a handful of types for broken files
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise FileError(f"{path} could not be read as a .pt file: {reason}") from error
    if not isinstance(found, dict) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in found.items()
    ):
        raise UnsafeFileError(
            f"{path} must hold tensors only (linear.weight and t); it holds something else, so it "
            "is not used"
        )
    if "linear.weight" not in found or not set(found) <= {"linear.weight", "t"}:
        raise ValueRangeError(
            f"{path} is no LABCLIP adapter: expected the tensors linear.weight and t; found "
            f"{', '.join(sorted(found))}"
        )
    numbers = {name: _plain_numbers(tensor, f"{name} in {path}") for name, tensor in found.items()}
    if "t" in numbers and numbers["t"].size != 1:
        raise ShapeError(f"t in {path} must be one number; it has shape {numbers['t'].shape}")
    log_temperature = float(numbers["t"].item()) if "t" in numbers else 0.0
    return Adapter(
        numbers["linear.weight"], log_temperature, {"protocol": "published", "file": path.name}
    )


def _plain_numbers(tensor: Any, name: str) -> Floats:
    """A tensor of a published file in single precision; halves and float8 are widened."""
    import torch

    if (
        not tensor.is_floating_point()
        or tensor.layout is not torch.strided
        or tensor.device.type != "cpu"
        or tensor.is_nested
    ):
        raise ValueRangeError(
            f"{name} must be a dense tensor of real numbers; it is {tensor.layout} of "
            f"{tensor.dtype} on {tensor.device.type}"
        )
    # one stored number, repeated without end
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueRangeError(
            f"{name} claims {tensor.numel():,} numbers and stores fewer; save a contiguous tensor"
        )
    try:
        numbers: Floats = tensor.detach().float().numpy()
    except (
        RuntimeError,
        NotImplementedError,
        TypeError,
    ) as error:  # kinds of numbers that torch cannot widen
        raise ValueRangeError(
            f"{name} is of {tensor.dtype}, which cannot be read; save it as float32"
        ) from error
    refuse_non_finite(np.atleast_1d(numbers), name)
    return numbers


def _plain_card(adapter: Adapter) -> str:
    d_out, d_in = adapter.weight.shape
    facts = "\n".join(
        f"- {markdown(name)}: {markdown(str(value))}"
        for name, value in adapter.config.items()
        if not isinstance(value, dict | list)
    )
    return f"""---
library_name: conceptbind
tags: [labclip, compositionality]
---
# LABCLIP adapter

A linear map ({d_out} x {d_in}) for captions: `y = x @ weight.T`, divided by its length.
Pictures stay as they are.

{facts}
"""
