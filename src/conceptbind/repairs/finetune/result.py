"""A fine-tuned encoder, how it was chosen, and its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError
from conceptbind.core.escape import markdown
from conceptbind.core.files import (
    file_hash,
    folder_written_aside,
    read_json,
    require_empty,
    user_path,
    write_json,
    write_whole,
)

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder
    from conceptbind.repairs.finetune.judge import Checkpoint
    from conceptbind.repairs.finetune.towers import Trainable

CONFIG = "finetune.json"


@dataclass(frozen=True, eq=False)
class FineTuned:
    """An encoder trained further, at the epoch that validation chose."""

    model: Trainable
    """The encoder with the chosen weights."""
    candidates: tuple[Checkpoint, ...]
    """The encoder as it was, then each epoch; one that ran away into infinite numbers is left
    out."""
    chosen: Checkpoint
    """The one that validation chose."""
    config: Mapping[str, Any]
    """How it was made: encoder, revision, options, hash of the data."""

    @property
    def encoder(self) -> Encoder:
        """The encoder with the chosen weights: another id, a revision of its own."""
        return self.model

    @property
    def helps(self) -> bool:
        """Whether validation preferred training further to leaving the encoder as it was."""
        return self.chosen.epoch > 0

    def save(self, folder: str | Path) -> None:
        """Write a model folder that `hf:FOLDER` loads; it appears whole.

        Args:
            folder: new or empty.

        Raises:
            FileError: the folder is taken or cannot be written.
        """
        place = require_empty(user_path(folder), "the fine-tuned model")
        with folder_written_aside(place, "the fine-tuned model") as aside:
            self.model.write(aside)
            write_json(
                aside / CONFIG, {"format": 1, **self.config, "weights": weight_hashes(aside)}
            )
            write_whole(aside / "README.md", _card(self))


def weight_hashes(folder: Path) -> dict[str, str]:
    """The hash of each file of weights of a model folder, by its name."""
    return {path.name: file_hash(path) for path in sorted(folder.glob("*.safetensors"))}


def require_as_written(folder: Path) -> None:
    """Raise unless the weights of a fine-tuned model are those that `FineTuned.save` wrote.

    Raises:
        FileError: they are others, or it says nothing of them.
    """
    told = read_json(folder / CONFIG, "choose a new folder for the fine-tuned model")
    if not isinstance(told, dict) or told.get("weights") != weight_hashes(folder):
        raise FileError(
            f"{folder} was changed since it was written (its weights are others); choose a new "
            "folder for the fine-tuned model"
        )


def _card(result: FineTuned) -> str:
    facts = "\n".join(
        f"- {markdown(name)}: {markdown(str(value))}" for name, value in result.config.items()
    )
    scores = "\n".join(f"| {c.epoch} | {c.loss:.4f} | {c.binding:.3f} |" for c in result.candidates)
    return f"""---
library_name: transformers
tags: [conceptbind, compositionality]
---
# {markdown(result.model.id)}

Both towers trained further with hard negatives (arXiv 2502.03566, FT).
Epoch {result.chosen.epoch} was chosen on validation; 0 is the start.

{facts}

| epoch | validation loss | validation binding |
|---|---|---|
{scores}
"""
