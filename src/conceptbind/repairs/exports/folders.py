"""What every exported model has: the weights that the adapter was fitted on, rows that are the
adapter's, and a card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import MismatchError
from conceptbind.core.escape import markdown
from conceptbind.core.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from jaxtyping import Float

    from conceptbind.core.typing import Encoder, Floats
    from conceptbind.repairs.labclip.adapter import Adapter

CAPTIONS = (
    "a red square and a blue circle",
    "a blue square and a red circle",
    "a green triangle",
)
"""Whose rows are compared before an exported model appears."""
NEAR = 1e-3
"""Largest difference in a number of a row of unit length: rounding, not another map."""


def require_weights(adapter: Adapter, encoder: Encoder) -> None:
    """Raise MismatchError where the adapter says that it was fitted on other weights.

    Commits of the hub and hashes of folders differ in length and cannot be compared with each
    other.
    """
    fitted = str(adapter.config.get("revision") or "")
    if len(fitted) == len(encoder.revision) and fitted != encoder.revision:
        raise MismatchError(
            f"this adapter was fitted on '{adapter.config.get('encoder')}' ({fitted}), but "
            f"'{encoder.id}' holds other weights ({encoder.revision}); export it with the encoder "
            "it was fitted on, or fit another with conceptbind repair"
        )


def finish_folder(
    folder: Path,
    adapter: Adapter,
    before: Float[Floats, "captions width_in"],
    after: Float[Floats, "captions width_out"],
    *,
    library: str,
    title: str,
    text: str,
) -> None:
    """Compare what an exported model gives with what it should give, and write its card.

    Args:
        folder: of the model.
        adapter: the map.
        before: (n, d_in) rows of `CAPTIONS` as the encoder gives them.
        after: (n, d_out) rows of them as the exported model gives them.
        library: that loads the model, by its name on the hub.
        title: of the card.
        text: what the model is, and how it is loaded, as Markdown with {d_out} and {d_in}.

    Raises:
        MismatchError: these are not the adapter's rows.
    """
    _require_rows(adapter, before, after)
    d_out, d_in = adapter.weight.shape
    told = text.format(d_out=d_out, d_in=d_in)
    write_whole(folder / "README.md", model_card(adapter, library, title, told))


def _require_rows(adapter: Adapter, before: Floats, after: Floats) -> None:
    """Raise MismatchError unless the exported model gives the adapter's rows.

    Args:
        adapter: the map.
        before: (n, d_in) rows of captions as the encoder gives them.
        after: (n, d_out) rows of the same captions as the exported model gives them.
    """
    expected = adapter(before)
    found = after / np.maximum(np.linalg.norm(after, axis=1, keepdims=True), 1e-30)
    if found.shape == expected.shape and bool((np.abs(found - expected) < NEAR).all()):
        return
    raise MismatchError(
        "the exported model would not give the adapter's rows, so it is not written: what this "
        "encoder does behind its projection of captions is not linear; export the adapter alone "
        "(--to onnx), or map captions with conceptbind apply"
    )


def model_card(adapter: Adapter, library: str, title: str, text: str) -> str:
    """The card of an exported model, with what the adapter says of itself.

    Args:
        adapter: the map.
        library: that loads the model, by its name on the hub.
        title: one line.
        text: what the model is and how it is loaded, as Markdown.
    """
    told = [name for name in ("encoder", "revision", "protocol") if adapter.config.get(name)]
    facts = "\n".join(f"- {name}: {markdown(str(adapter.config[name]))}" for name in told)
    return f"""---
library_name: {library}
tags: [{library}, labclip]
---
# {title}

{text}

{facts}
"""
