"""An adapter folded into a CLIP that is written as an ordinary checkpoint, which other programs
load without this package.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import FileError, MissingExtraError, ModalityError
from conceptbind.core.files import folder_written_aside, require_empty, user_path
from conceptbind.core.typing import Encoder
from conceptbind.encoders.dual import DualEncoder
from conceptbind.encoders.hf import HuggingFaceEncoder
from conceptbind.encoders.open_clip import OpenClipEncoder
from conceptbind.encoders.options import Opening
from conceptbind.repairs.exports.folders import CAPTIONS, finish_folder, require_weights
from conceptbind.repairs.exports.towers import wrap_open_clip, wrap_transformers_clip

if TYPE_CHECKING:
    from conceptbind.repairs.labclip.adapter import Adapter

WHAT = "the repaired model"
TITLE = "A CLIP with a LABCLIP adapter folded in"
TEXT = """The checkpoint of the encoder, with a linear map of captions ({d_out} x {d_in}) multiplied
into its projection of captions. Captions come out mapped, not normalised; pictures come out as
they did, so an index of them stays valid. Weights are in float32."""


class Folded(Encoder, Protocol):
    """An encoder whose weights can be exchanged and written."""

    @property
    def module(self) -> Any:
        """Both towers."""

    def with_module(self, module: Any) -> Folded:
        """The same encoder with other weights."""

    def write(self, folder: Path) -> None:
        """A model folder."""


@explains_arguments
def export_transformers(
    adapter: Adapter, encoder: Encoder, folder: str | Path, *, trust_remote_code: bool = False
) -> None:
    """Write a transformers model (CLIP, SigLIP) whose projection of captions holds the map, with
    its tokenizer and its picture processor; `from_pretrained` loads it.

    Args:
        adapter: a square map of the width of the encoder's features.
        encoder: one that `tiny`, `tiny-bound`, `tiny-bag` or `hf:NAME` names; left as it is.
        folder: where it goes; new or empty. It appears whole, and only if the model that is read
            from it gives the adapter's rows.
        trust_remote_code: run Python code that the model brings, when it is read again.

    Raises:
        MissingExtraError: transformers is not installed.
        ModalityError: another encoder.
        MismatchError: another width, other weights than the adapter was fitted on, or captions that
            do not end in a linear projection.
        FileError: the folder is taken or cannot be written.
    """
    if not isinstance(encoder, HuggingFaceEncoder | DualEncoder):
        raise ModalityError(
            f"'{encoder.id}' is not a model of transformers with a projection of captions; "
            "expected tiny, tiny-bound, tiny-bag, hf:NAME or hf:FOLDER (CLIP, SigLIP); any "
            "encoder's adapter goes to onnx"
        )

    if importlib.util.find_spec("transformers") is None:
        raise MissingExtraError("transformers", "hf", "a transformers model of an adapter")

    how = Opening(device="cpu", trust_remote_code=trust_remote_code)

    def read(place: Path) -> Encoder:
        return HuggingFaceEncoder(str(place), how)

    told = ("transformers", "AutoModel.from_pretrained(folder)")
    _write(adapter, encoder, folder, wrap_transformers_clip, read, told)


@explains_arguments
def export_open_clip(
    adapter: Adapter, encoder: Encoder, folder: str | Path, *, trust_remote_code: bool = False
) -> None:
    """Write an open_clip model whose projection of captions holds the map;
    `create_model_and_transforms("local-dir:FOLDER")` loads it.

    Args:
        adapter: a square map of the width of the encoder's features.
        encoder: one that `open_clip:NAME` names; left as it is.
        folder: where it goes; new or empty. It appears whole, and only if the model that is read
            from it gives the adapter's rows.
        trust_remote_code: run Python code that the model brings, when it is read again.

    Raises:
        ModalityError: another encoder.
        MismatchError: another width, other weights than the adapter was fitted on, or captions that
            do not end in a linear projection.
        FileError: the folder is taken or cannot be written.
    """
    if not isinstance(encoder, OpenClipEncoder):
        raise ModalityError(
            f"'{encoder.id}' is not an open_clip model; expected open_clip:ARCH@TAG or "
            "open_clip:local-dir:FOLDER; any encoder's adapter goes to onnx"
        )

    how = Opening(device="cpu", trust_remote_code=trust_remote_code)

    def read(place: Path) -> Encoder:
        return OpenClipEncoder(f"local-dir:{place}", how)

    told = ("open_clip", 'open_clip.create_model_and_transforms("local-dir:FOLDER")')
    _write(adapter, encoder, folder, wrap_open_clip, read, told)


def _write(
    adapter: Adapter,
    encoder: Encoder,
    folder: str | Path,
    wrap: Callable[[Any, Adapter], Any],
    read: Callable[[Path], Encoder],
    told: tuple[str, str],
) -> None:
    """Write the folder of a repaired model, read it again, and compare.

    Args:
        adapter: the map.
        encoder: a `Folded`.
        folder: where it goes.
        wrap: folds the adapter into a module.
        read: an encoder of a folder.
        told: the library that loads it, and how.
    """
    place = require_empty(user_path(folder), WHAT)
    require_weights(adapter, encoder)
    library, load = told
    folded = cast("Folded", encoder)
    repaired = folded.with_module(wrap(folded.module, adapter))
    with folder_written_aside(place, WHAT) as aside:
        repaired.write(aside)
        try:
            rows = read(aside).encode_texts(CAPTIONS)
        except FileError as error:
            reason = str(error).replace(str(aside), str(place))
            raise FileError(f"the exported model could not be read again: {reason}") from error
        before = encoder.encode_texts(CAPTIONS)
        text = f"{TEXT}\n\nLoad it with `{load}`."
        finish_folder(aside, adapter, before, rows, library=library, title=TITLE, text=text)
