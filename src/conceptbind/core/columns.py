"""What studies add to the columns that every record has, declared once: name, type and meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest

Value = str | int | float | bool | None
"""What a column of one record holds; None where the study has nothing to say."""
Kind = type[str] | type[int] | type[float] | type[bool]


@dataclass(frozen=True)
class Column:
    """One column of some studies."""

    name: str
    kinds: tuple[Kind, ...]
    """What it holds besides None; a `float` may be written as a whole number."""
    text: str
    """One line for readers of the results."""

    def holds(self, cell: Value) -> bool:
        """Whether a cell is of the column's type."""
        if cell is None:
            return True
        if isinstance(cell, bool):
            return bool in self.kinds
        return isinstance(cell, self.kinds) or (isinstance(cell, int) and float in self.kinds)


class Columns(Mapping[str, Column]):
    """The declared columns by name."""

    def __init__(self) -> None:
        self._declared: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        return self._declared[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)

    def declare(self, name: str, *kinds: Kind, text: str) -> Column:
        """Add a column, as a study of another package does before it makes its first record.

        Args:
            name: of the column; no name of a field of every record.
            kinds: `str`, `int`, `float` or `bool`, one or more.
            text: what it says, in one line.

        Raises:
            ValueRangeError: the column is declared already and holds something else.
        """
        column = Column(name, kinds, text)
        found = self._declared.setdefault(name, column)
        if found.kinds != kinds:
            raise ValueRangeError(
                f"the column '{name}' is declared already, as {_words(found)}: {found.text} Choose "
                "another name"
            )
        return found

    def check(self, own: Mapping[str, Value]) -> None:
        """Raise where a column was not declared, or a cell is of another type.

        Raises:
            UnknownNameError: nobody declared the column.
            ValueRangeError: a cell is not of the column's type.
        """
        for name, cell in own.items():
            if name not in self._declared:
                raise UnknownNameError(
                    f"no study declared the column '{cut(name)}'; {nearest(name, self._declared)} "
                    "Declare it with conceptbind.core.columns.COLUMNS.declare"
                )
            column = self._declared[name]
            if not column.holds(cell):
                raise ValueRangeError(
                    f"the column '{name}' holds {_words(column)}, not {type(cell).__name__} "
                    f"({cell!r:.40})"
                )


def _words(column: Column) -> str:
    return " or ".join(kind.__name__ for kind in column.kinds)


COLUMNS = Columns()
"""All that studies declared."""

_TEXTS = {
    "against": "What a paired difference is to, where that is not no repair.",
    "among": "Candidates of recognition by queries: `all` objects, or the `unseen` ones alone.",
    "approximator": "What was fitted from labels to embeddings, or whose rows were scored.",
    "attribute": "Edits whose objects share the edited attribute (`same`), do not, or all.",
    "average": "Mean over items (`micro`) or over groups of items (`macro`).",
    "captions_cut": "How many captions were longer than the model reads.",
    "chosen": "The approximator that validation chose, with the number of draws.",
    "chooser": "Who chooses: a `caption` between scenes, or a `scene` between captions.",
    "concept": "The concept that was recognised; None for objects.",
    "estimator": "How additive vectors were estimated.",
    "factor": "What a stress curve varies, as `objects`.",
    "factors": "Which factors a part of the spectrum belongs to.",
    "form": "How what is absent is said: `clause`, `alone`, `exchanged`; or the parts of a query.",
    "items": "Hash of a benchmark's items.",
    "kind": "What a part of the spectrum is: `concept`, `object`, `objects`, `rest`.",
    "method": "How a spectrum was computed.",
    "negatives": "Hash of a benchmark's drawn negatives.",
    "normalisation": "What was done with rows before they were compared.",
    "noun": "The noun whose attribute was recognised; None for all nouns together.",
    "objective": "What a controlled model was trained for: `queries` or `scenes`.",
    "objects": "Numbers of objects in a search field.",
    "order": "Which slot a caption names first; of a paraphrase, beside the anchor.",
    "parts": "How many parts of a published mean were there, as `3 of 6`; none where all were.",
    "plausibility": "Where the counts of words come from by which captions are called plausible.",
    "probe": "Kind of probe: linear, cosine, or pairs.",
    "protocol": "The rule by which an item counts as right.",
    "queries": "What asked: captions (`text`), or an encoder's `own` vectors.",
    "readout": "The probes applied to embeddings and predictions: `plain`, `whitened` or `own`.",
    "removed": "The part that was taken out of the embeddings.",
    "side": "What a repair maps: `text` (captions), `image`, `both`, or `query`.",
    "revision": "The encoder's revision.",
    "setting": "Surface of a swap: `neutral`, as far as the paraphrase; `trap`, the anchor's.",
    "split_by": "What was kept on one side of the split: `pair` or `orbit`.",
    "tagger": "What tagged the words of a benchmark's captions.",
    "template": "The first caption template of zero-shot classification.",
    "unit": "What a metric of another package is: a `share`, a `change` of shares, or a `number`.",
    "weights": "Whose classifier: of the encoder as it is (`frozen`), or `trained` with it.",
    "way": "How the parts of a query are joined.",
    "wording": "How a paraphrase, or a negation, is worded; None for all wordings together.",
    "tie_rule": "Who wins a tie: nobody (`miss`), the `first`, the `last`, the right one (`hit`).",
    "values": "Values of each concept, as `6x6`.",
}
_WHOLE = {
    "batch": "Scenes in a step of training.",
    "broken": "Items that the repair turned wrong.",
    "candidates": "What was scored against each other.",
    "classes": "Classes of zero-shot classification.",
    "depth": "Layers of a controlled model.",
    "fixed": "Items that the repair turned right.",
    "folds": "Parts that were scored, each by a map fitted without it.",
    "additive_level": "Additive vectors: 1 for objects (order 2), 2 for values (order 1).",
    "missing_values": "Values of concepts that no train object has.",
    "n_coverages": "Shares of objects that were trained on.",
    "n_negatives": "Hard negatives that each caption had in a fit.",
    "n_objects": "Objects of a controlled model's space.",
    "n_scenes": "Scenes in the draw that has fewest.",
    "n_seeds": "Draws of the objects.",
    "n_train": "Scenes that were fitted on.",
    "n_validation": "Scenes that chose.",
    "parameters": "Numbers that a repair fitted.",
    "pairs": "Pairs of a field with the target and one without.",
    "seed": "Seed of the split or of the draw; None for a summary over draws.",
    "step": "Step of training whose weights were kept.",
    "templates": "Caption templates of zero-shot classification.",
    "width": "Hidden units, or products; None where there are none.",
}
_REAL = {
    "chance": "Share that random vectors are expected to get right.",
    "coverage": "Share of the objects that were trained on; None for a summary over coverages.",
    "freedom": "Share of the degrees of freedom: what a part would explain of noise.",
    "gap": "Estimated distance of a probe's loss from its minimum, in nats.",
    "gap_bound": "Upper bound of that distance.",
    "gradient_norm": "Length of the loss's gradient where a probe stopped.",
    "highest": "The largest value over draws.",
    "l2": "Penalty of the probe, chosen on validation.",
    "lowest": "The least value over draws.",
    "minus": "Weight of an absent part in the sum of a query's parts.",
    "mcnemar_p": "McNemar's exact p of what a repair changed.",
    "no_choice": "Share of the test scenes whose values go with one set of objects only.",
    "in_scene": "Objects in the scenes of a controlled model that were scored.",
    "mix": "Share of the second model's weights in a model between two.",
    "probe_r2": "R^2 of a structured probe of a controlled model on new objects.",
    "pull": "How far the captions were moved, from 0 (not at all) to 1 (the whole map).",
    "seconds": "Time of one fit.",
    "relative_gradient_norm": "That length over the one at zero weights.",
    "steering": "Strength of an edit.",
    "unwinnable": "Items whose wrong candidate equals a right one, but for capitals and spaces.",
    "validation": "Score on validation, of what was chosen.",
    "validation_concepts": "Recognition of concepts on validation.",
    "validation_objects": "Recognition of objects on validation.",
    "whitening": "Whitening of the probe, chosen on validation.",
}
for _kind, _declared in ((str, _TEXTS), (int, _WHOLE), (float, _REAL)):
    for _name, _text in _declared.items():
        COLUMNS.declare(_name, _kind, text=_text)
COLUMNS.declare("recommended", bool, text="Whether the scored map is recommended.")
COLUMNS.declare(
    "slots",
    str,
    int,
    text="Additive vectors of slots `together` or `apart`; objects of a controlled model's scenes.",
)
COLUMNS.declare(
    "factor_value", str, int, float, text="Where a stress curve is: the factor's value."
)
