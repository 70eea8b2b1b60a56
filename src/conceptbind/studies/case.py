"""A case: one encoder on one scene table, with all that its studies share.

Rows, controls, captions, probes and splits are made once, when a study first asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from conceptbind.core.files import FileHashes
from conceptbind.core.names import Control
from conceptbind.crossmodal.bank import CaptionBank, caption_bank
from conceptbind.crossmodal.study import query_texts
from conceptbind.geometry.scaling import PUBLISHED, ScalingWay
from conceptbind.probes.scene_probes import SceneProbes
from conceptbind.probes.study import bag_probes, fitted_probes, own_probes
from conceptbind.repairs.held_scenes import Singles
from conceptbind.repairs.study import single_objects
from conceptbind.report.words import seen
from conceptbind.rows.embeddings import Embeddings
from conceptbind.rows.source import Source, bag_twin, source_of, untrained
from conceptbind.run.bars import progress, steps
from conceptbind.scenes.split import Split, split_scenes

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Effort, Encoder, Executor, Floats, Modality
    from conceptbind.scenes.table import Scenes


@dataclass(frozen=True)
class Asked:
    """What is asked for besides the encoder and the scenes."""

    seed: int = 0
    device: str = "cpu"
    """Where torch computes."""
    controls: bool = True
    """Whether encoders that are controls are measured too: random weights, a bag twin."""
    complexity: Effort = "short"
    """How many approximators of the rule are tried."""
    executor: Executor = "local"
    address: str | None = None
    """Address of a running cluster."""
    jobs: int | None = None
    """Processes or workers; one for each core by default."""
    paraphrased: int = 1000
    """Scenes whose captions are put in other words, at most; 0 for all."""
    redrawn: int = 200
    """Scenes of which further pictures are drawn, at most; 0 for all."""
    synonyms: Mapping[str, Sequence[str]] | None = None
    """Other words for values, which paraphrases use."""
    edit_strength: float = 1.0
    """How far objects are exchanged by edits, beside 1."""
    edit_protocol: Literal["strict", "paper"] = "strict"
    """Whether edits are scored as published too."""
    edit_cases: bool = False
    """Whether every edit is kept."""
    scaling: ScalingWay = PUBLISHED
    """Which four objects are drawn by multidimensional scaling, and how."""
    singles: Float[Floats, "objects width"] | None = None
    """(|O|, d) rows of scenes of one object, where they are given."""
    along_epochs: int = 20
    """Passes over the train scenes, where the encoder is trained along with classifiers."""
    along_rate: float = 3e-4
    """Highest learning rate of that."""
    flip: bool = False
    """Whether pictures are mirrored left to right by chance in that."""


class Case:
    """One encoder on one scene table.

    Args:
        source: an encoder, or rows that are there; see `conceptbind.rows.source_of`.
        table: n scenes, with pictures where a modality needs them.
        split: train, validation and test scenes; None makes it when it is first asked for.
        modalities: those to study, `text` before `image`.
        folder: where rows and probes are kept.
        asked: what else decides the results.
    """

    def __init__(
        self,
        source: Source | Encoder | Embeddings,
        table: Scenes,
        split: Split | None,
        modalities: tuple[Modality, ...],
        folder: Path,
        asked: Asked | None = None,
    ) -> None:
        self.source, self.table, self.made_split = source_of(source), table, split
        self.modalities, self.folder = modalities, folder
        self.asked = Asked() if asked is None else asked
        self.hash_of = FileHashes()
        """Gives the hash of a file, which stays as it is while the case is studied."""
        self._rows: dict[str, Embeddings] = {}
        self._probes: dict[str, SceneProbes] = {}
        self._queries: dict[int | None, Floats] = {}

    @property
    def split(self) -> Split:
        """Train, validation and test scenes.

        Raises:
            ValueRangeError: there are too few scenes.
        """
        if self.made_split is None:
            self.made_split = split_scenes(self.table, "pair", seed=self.asked.seed)
        return self.made_split

    def rows(self, modality: Modality) -> Embeddings:
        """(n, d) unit rows of one modality.

        Raises:
            ConceptBindError: they cannot be made, or do not belong to the scenes.
        """
        return self.embedded(self.source, modality, modality)

    def controls(self, modality: Modality) -> dict[str, Embeddings]:
        """(n, d) unit rows of the encoders that are controls, by name."""
        return {
            name: self.embedded(
                source_of(twin), modality, f"{modality}-{name}", f"{modality}, {name}"
            )
            for name, twin in self.twins.items()
        }

    def embedded(
        self,
        source: Source,
        modality: Modality,
        place: str,
        what: str = "",
        table: Scenes | None = None,
    ) -> Embeddings:
        """(n, d) unit rows of an encoder, kept in `embeddings/PLACE` of the folder."""
        if place not in self._rows:
            scenes, folder = self.table if table is None else table, self.folder / "embeddings"
            with progress(
                total=len(scenes), desc=f"embedding {what or seen(modality)}", unit="scene"
            ) as bar:
                rows = source.rows_for(scenes, modality, folder / place, bar.update, self.hash_of)
            self._rows[place] = rows.unit()
        return self._rows[place]

    @property
    def encoder(self) -> Encoder | None:
        """The encoder, where there is one and not only rows of it."""
        return self.source.encoder

    def encodes(self, *modalities: Modality) -> bool:
        """Whether there is an encoder of all these modalities, and not only rows."""
        return self.source.encodes(*modalities)

    @cached_property
    def twins(self) -> dict[str, Encoder]:
        """Encoders that are controls, by name."""
        if not self.asked.controls:
            return {}
        made = {
            Control.RANDOM_WEIGHTS: untrained(self.source),
            Control.BAG_TWIN: bag_twin(self.source, self.asked.device),
        }
        return {str(name): twin for name, twin in made.items() if twin is not None}

    @cached_property
    def bag_probes(self) -> SceneProbes:
        """Probes of a bag of concepts, fitted on the train scenes."""
        return bag_probes(self.table, self.split, self.asked.device)

    @cached_property
    def own_probes(self) -> SceneProbes | None:
        """The encoder's own queries as probes, where it was trained on any."""
        return own_probes(self.encoder, self.table)

    def probes(self, modality: Modality) -> SceneProbes:
        """Probes of one modality, fitted on the train scenes and kept in the folder."""
        if modality not in self._probes:
            rows, heads = self.rows(modality), len(self.table.space.concepts) + 1
            with steps(f"probing {modality}", heads) as step:
                self._probes[modality] = fitted_probes(
                    rows,
                    self.table,
                    self.split,
                    keep=self.folder / f"probes-{modality}.safetensors",
                    device=self.asked.device,
                    on_step=step,
                )
        return self._probes[modality]

    def heads(self, modality: Modality) -> SceneProbes:
        """What reads the embeddings: the encoder's own queries where it has any, else probes."""
        return self.own_probes or self.probes(modality)

    @cached_property
    def singles(self) -> Singles | None:
        """Pictures of single objects and their captions; None where none can be drawn."""
        if self.encoder is None or "image" not in self.modalities:
            return None
        if not self.encodes("text", "image"):
            return None
        return single_objects(self.encoder, self.table, self.asked.seed)

    @cached_property
    def bank(self) -> CaptionBank:
        """Captions of all scenes and of their attribute swaps."""
        return caption_bank(self.table, self.asked.seed)

    def captions(self, twin: str | None = None) -> Embeddings:
        """(b, d) unit rows of the bank, of the encoder or of one of the twins."""
        source = self.source if twin is None else source_of(self.twins[twin])
        place = "captions" if twin is None else f"captions-{twin}"
        what = "captions and their swaps" if twin is None else f"captions, {twin}"
        return self.embedded(source, "text", place, what, self.bank.scenes)

    def queries(self, concept: int | None) -> Float[Floats, "candidates width"]:
        """(V, d) raw rows of the captions of single values of a concept; of single objects for
        None.
        """
        assert self.encoder is not None
        if concept not in self._queries:
            asked = query_texts(self.table, concept)
            self._queries[concept] = np.asarray(self.encoder.encode_texts(asked))
        return self._queries[concept]

    def objects_alone(self, modality: Modality) -> Float[Floats, "objects width"] | None:
        """(|O|, d) rows of scenes of one object: captions, or the mean of pictures that were drawn.
        None where there are none.
        """
        if self.asked.singles is not None:
            return self.asked.singles
        if modality == "text":
            asked = self.table.written_captions is None and self.encodes("text")
            return self.queries(None).astype(np.float32) if asked else None
        if self.singles is None:
            return None
        images, shown = self.singles.images, self.singles.objects
        objects = range(self.table.space.n_objects)
        return np.stack([images[shown == item].mean(axis=0) for item in objects])
