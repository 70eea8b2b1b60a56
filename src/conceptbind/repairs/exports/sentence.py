"""An adapter at the end of a sentence-transformers pipeline, in modules of that library alone."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import MismatchError, MissingExtraError, ModalityError, counted
from conceptbind.core.files import folder_written_aside, require_empty, user_path
from conceptbind.encoders.options import Opening
from conceptbind.encoders.registry import open_encoder
from conceptbind.encoders.st import SentenceTransformerEncoder
from conceptbind.encoders.weights import quiet_loading
from conceptbind.repairs.exports.folders import CAPTIONS, finish_folder, require_weights

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from conceptbind.core.typing import Floats
    from conceptbind.repairs.labclip.adapter import Adapter

WHAT = "the repaired model"
TITLE = "An encoder with a LABCLIP adapter"
TEXT = """The pipeline of the encoder, then a linear map ({d_out} x {d_in}, `Dense`), then
`Normalize`.
Only captions are mapped: compare them with the rows of pictures (or of whatever the adapter
was fitted against) as they are.

Load it with `SentenceTransformer(folder)`.
Programs that read only the transformer and its pooling leave the map out."""


@explains_arguments
def export_sentence_transformers(
    adapter: Adapter, encoder: Any, folder: str | Path, *, trust_remote_code: bool = False
) -> None:
    """Write the encoder's pipeline with the map behind it; plain `SentenceTransformer(folder)`
    loads it, without this package. The library's version must not be older than the one that wrote
    the folder, which is a rule of its own.

    The map is the library's own `Dense` (no bias, no activation) and then its `Normalize`. An
    adapter is fitted on rows of unit length. A pipeline that does not normalise gives the same
    result, because the map is linear and the scale of a row goes with the last step.

    Args:
        adapter: the map; its width in must be that of the pipeline's rows.
        encoder: `minilm`, `st:NAME`, a model folder, or what is loaded already: an encoder of
            these names, or a `SentenceTransformer`. It is left as it is.
        folder: where it goes; new or empty. It appears whole, and only if the model that is read
            from it gives the adapter's rows.
        trust_remote_code: run Python code that the model brings.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        MismatchError: another width, or other weights than the adapter was fitted on.
        ModalityError: no sentence-transformers model, or one that also reads pictures: those would
            be mapped too.
        FileError: the model cannot be loaded, or the folder is taken or cannot be written.
    """
    place = require_empty(user_path(folder), WHAT)
    how = Opening(device="cpu", trust_remote_code=trust_remote_code)
    model = _pipeline(adapter, encoder, how)
    before = _rows(model)
    repaired = _repaired(adapter, model)
    with folder_written_aside(place, WHAT) as aside:
        with quiet_loading():
            repaired.save(str(aside), create_model_card=False)
        again = SentenceTransformerEncoder(str(aside), how)
        after = again.encode_texts(CAPTIONS)
        library = "sentence-transformers"
        finish_folder(aside, adapter, before, after, library=library, title=TITLE, text=TEXT)


def _rows(model: Any) -> Floats:
    """Rows of a few captions, as the pipeline gives them."""
    rows: Floats = model.encode(list(CAPTIONS), show_progress_bar=False)
    return rows


def _pipeline(adapter: Adapter, encoder: Any, how: Opening) -> Any:
    """A copy of the loaded pipeline, or the one that a name or folder stands for; the weights of
    a folder must be those of the adapter.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingExtraError(
            "sentence-transformers", "st", "a sentence-transformers folder of an adapter"
        ) from error
    if isinstance(encoder, SentenceTransformer):
        return copy.deepcopy(encoder)
    loaded = encoder
    if isinstance(encoder, str | Path):
        bare = isinstance(encoder, Path) or user_path(encoder).is_dir()
        name = f"st:{encoder}" if bare else str(encoder)
        loaded = open_encoder(name, how)
    if not isinstance(loaded, SentenceTransformerEncoder):
        raise ModalityError(
            f"'{loaded.id}' is not a sentence-transformers model; expected minilm, st:NAME or a "
            "folder with modules.json; any encoder's adapter goes to onnx"
        )
    require_weights(adapter, loaded)
    return copy.deepcopy(loaded._model)


def _repaired(adapter: Adapter, model: SentenceTransformer) -> Any:
    """The pipeline, with the map appended to it."""
    import torch

    dense, normalize = _modules()
    d_out, d_in = adapter.weight.shape
    # Older versions know no modalities; there, the class of the first module says that a pipeline
    # reads pictures.
    modalities = getattr(
        model,
        "modalities",
        ["text", "image"] if type(model[0]).__name__ == "CLIPModel" else ["text"],
    )
    if "image" in modalities:
        raise ModalityError(
            "this pipeline encodes pictures too, and they would be mapped; fold the adapter with "
            "wrap_transformers_clip"
        )
    # Renamed in sentence-transformers 5.3. A truncated pipeline cuts rows off behind the map, but
    # the map was fitted on the cut rows.
    width = (
        getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    )()
    if width != d_in or getattr(model, "truncate_dim", None) is not None:
        cut = (
            " and is truncated (truncate_dim)"
            if getattr(model, "truncate_dim", None) is not None
            else ""
        )
        raise MismatchError(
            f"the adapter maps rows of {counted(d_in, 'dimension')}, but the pipeline gives "
            f"{width}{cut}; use "
            "the encoder it was fitted on"
        )
    like = next(model.parameters())
    weight = torch.from_numpy(np.array(adapter.weight, dtype=np.float32)).to(like)
    for module in (
        dense(d_in, d_out, bias=False, activation_function=torch.nn.Identity(), init_weight=weight),
        normalize(),
    ):
        model.add_module(str(len(model)), module)
    return model.eval()


def _modules() -> tuple[Any, Any]:
    """Dense and Normalize, where this version of the library keeps them; importing them from the
    old place is an error to come.
    """
    try:
        from sentence_transformers.sentence_transformer.modules import Dense, Normalize
    except ImportError:
        from sentence_transformers.models import Dense, Normalize
    return Dense, Normalize
