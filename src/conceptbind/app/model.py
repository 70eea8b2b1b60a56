"""The encoder of the page and its repair: one caller at a time, and rows of unit length."""

from __future__ import annotations

import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.errors import (
    ConceptBindError,
    CutCaptionWarning,
    MismatchError,
    ModalityError,
    cut,
)
from conceptbind.metrics.checks import refuse_non_finite
from conceptbind.metrics.cosines import unit_rows
from conceptbind.scenes.paraphrases import read_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jaxtyping import Float
    from PIL.Image import Image

    from conceptbind.core.typing import Encoder, Floats
    from conceptbind.repairs.labclip.adapter import Adapter

REMEMBERED = 4096
"""Texts of which it is known whether they are read."""


@dataclass(frozen=True, eq=False)
class Model:
    """An encoder of captions, perhaps of pictures too, and perhaps a repair of its captions."""

    encoder: Encoder
    adapter: Adapter | None = None
    adapter_name: str | None = None
    """Where the repair lies, for the Python that does the same."""
    name: str | None = None
    """What opens the encoder; its `id` by default."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held while the encoder computes."""
    read: dict[str, bool] = field(default_factory=dict)
    """What is known of texts: whether the encoder reads them."""

    def __post_init__(self) -> None:
        if "text" not in self.encoder.modalities:
            raise ModalityError(
                f"'{self.encoder.id}' does not embed captions, and the page compares captions; "
                "give an encoder that does"
            )
        if self.adapter is not None:
            self.adapter.require(self.encoder.id, self.encoder.revision)
            width_out, width_in = self.adapter.weight.shape
            width = self.encoder.dimension
            if (width_out, width_in) != (width, width):
                raise MismatchError(
                    f"the repair maps {width_in} dimensions to {width_out}, and the page compares "
                    f"rows of '{self.encoder.id}' with {width}; give a repair of this encoder"
                )

    @property
    def id(self) -> str:
        """What the encoder is called."""
        return self.encoder.id

    @property
    def sees(self) -> bool:
        """Whether it embeds pictures."""
        return "image" in self.encoder.modalities

    @cached_property
    def _reads(self) -> Callable[[str], bool]:
        return read_by(self.encoder)

    def reads(self, text: str) -> bool:
        """Whether the encoder knows the words of a text, and does not cut it."""
        return self.reads_each([text])[0]

    def reads_each(self, texts: Sequence[str]) -> list[bool]:
        """Whether the encoder reads each text. Those that are all read are asked together.

        Args:
            texts: n texts.
        """
        with self.lock:
            new = [text for text in dict.fromkeys(texts) if text not in self.read]
            if len(self.read) + len(new) > REMEMBERED:
                self.read.clear()
                new = list(dict.fromkeys(texts))
            if len(new) > 1 and self._reads_together(new):
                self.read.update(dict.fromkeys(new, True))
            else:
                self.read.update({text: self._reads(text) for text in new})
            return [self.read[text] for text in texts]

    def _reads_together(self, texts: Sequence[str]) -> bool:
        knows = getattr(self.encoder, "knows", None)
        if knows is not None and not all(knows(texts)):
            return False
        try:
            with warnings.catch_warnings(), self._failing():
                warnings.simplefilter("error", CutCaptionWarning)
                self.encoder.encode_texts(list(texts))
        except (ConceptBindError, CutCaptionWarning):
            return False
        return True

    def captions(
        self, texts: Sequence[str]
    ) -> tuple[Float[Floats, "captions width"], Float[Floats, "captions width_out"] | None]:
        """Unit rows of captions before and after the repair; None where there is no repair.

        Args:
            texts: n captions; those that are too long are cut.

        Raises:
            ConceptBindError: the encoder refuses one.
        """
        with self.lock, warnings.catch_warnings(), self._failing():
            warnings.simplefilter("ignore", CutCaptionWarning)  # the page says which
            rows = np.asarray(self.encoder.encode_texts(list(texts)))
        refuse_non_finite(rows, "the rows of the captions")
        self._require_directions(rows, [f"“{cut(text, 80)}”" for text in texts])
        after = None if self.adapter is None else self.adapter(rows).astype(np.float64)
        return unit_rows(rows.astype(np.float64)), after

    def picture(self, picture: Image) -> Float[Floats, " width"]:
        """The unit row of a picture.

        Args:
            picture: RGB.
        """
        with self.lock, self._failing():
            rows = np.asarray(self.encoder.encode_images([picture]))
        refuse_non_finite(rows, "the row of the picture")
        self._require_directions(rows, ["the picture"])
        row: Floats = unit_rows(rows.astype(np.float64))[0]
        return row

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Raise what an encoder raises as one line: a user's own may raise anything."""
        try:
            yield
        except (ConceptBindError, CutCaptionWarning):
            raise
        except Exception as error:
            raise MismatchError(
                f"the encoder '{self.id}' failed: {type(error).__name__}: {cut(error, 200)}"
            ) from error

    def _require_directions(self, rows: Float[Floats, "rows width"], names: Sequence[str]) -> None:
        """Raise MismatchError where a row is all zeros: it is near to nothing."""
        for name, row in zip(names, rows, strict=True):
            if not row.any():
                raise MismatchError(
                    f"the encoder '{self.id}' gives a row of zeros for {name}, which has no "
                    "direction; nothing can be compared with it"
                )

    def refusal(self, text: str) -> str | None:
        """Why the encoder does not read a caption at all; None where it does, also where it cuts
        its end.

        Args:
            text: a caption.
        """
        try:
            self.captions([text])
        except ConceptBindError as error:
            return str(error)
        return None
