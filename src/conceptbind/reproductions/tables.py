"""What a paper's table is: its rows and columns, the published figures, and which record of ours
answers each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from conceptbind.core.names import Control

if TYPE_CHECKING:
    from conceptbind.core.columns import Value
    from conceptbind.core.scored import Unit
    from conceptbind.core.typing import Modality

CLIP = "hf:openai/clip-vit-base-patch32"
CLEVR = "clevr:{data}/CLEVR/output_2obj.csv"
SPARE = "pug-spare:{data}/PUG_SPARE"
OWN: Mapping[str, Value] = {"control": Control.NONE}
"""What all records of the encoder itself hold."""
Command = Literal["measure", "finetune", "evaluate", "adapted", "sweep"]
"""The command whose results hold the figure; `adapted` is `evaluate` with a repair."""


@dataclass(frozen=True)
class Cell:
    """One figure."""

    paper: float | None
    """As published, from 0 to 1; None where the paper has none there."""
    asked: Mapping[str, Value]
    """What its record holds; of several records the least is told, as for concepts. Empty where
    nothing of ours answers it."""
    at_least: bool = False
    """Whether the paper says that it is reached or passed."""
    command: Command = "measure"


@dataclass(frozen=True)
class Row:
    """One row of a table: an encoder on scenes."""

    name: str
    """As the paper has it."""
    encoder: str
    """As `--encoder` takes it."""
    scenes: str
    """As `--scenes` takes it; `{data}` stands for the folder of published files."""
    modality: Modality | None
    """What is embedded, where columns do not say it."""
    cells: tuple[Cell, ...]
    """One for each column."""
    instead: str = ""
    """The command that has its figures, where `reproduce` does not run it."""


@dataclass(frozen=True)
class Table:
    """A table, or a figure whose values the text gives."""

    name: str
    """One word, as the command takes it."""
    title: str
    paper: str
    """arXiv number."""
    where: str
    """Section of the paper."""
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    studies: tuple[str, ...] = ()
    """Studies of `measure` that have the figures."""
    protocol: str = ""
    """How ours differs from what the paper does."""
    unit: Unit = "share"
    """What its figures are counted in."""
    objects: bool = False
    """Whether every row is about another number of objects, as `scenes:3`."""
    benchmarks: bool = False
    """Whether the scenes of every row are a published benchmark, for whatever encoder."""
    of_one: bool = False
    """Whether its rows are about one encoder on the same scenes: all are kept for another."""
    controlled: bool = False
    """Whether its rows are models that are trained here, whatever the encoder."""
