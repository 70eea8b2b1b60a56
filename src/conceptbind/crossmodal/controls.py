"""What controls reach where pictures are compared with captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from conceptbind.core.names import Control
from conceptbind.core.records import Records
from conceptbind.crossmodal.comparing import compare, comparison_records, comparisons
from conceptbind.metrics.cosines import unit_rows
from conceptbind.probes.study import bag_of_concepts
from conceptbind.probes.threads import steady
from conceptbind.scenes.swaps import orbit_ids

if TYPE_CHECKING:
    from jaxtyping import Float

    from conceptbind.core.typing import Floats
    from conceptbind.crossmodal.bank import CaptionBank
    from conceptbind.rows.embeddings import Embeddings
    from conceptbind.scenes.table import Scenes


@steady()
def control_records(
    twins: Mapping[str, tuple[Embeddings, Embeddings]],
    scenes: Scenes,
    bank: CaptionBank,
    *,
    encoder: str,
) -> Records:
    """Binding and concept accuracy of a bag of concepts and of encoders that are controls, on the
    comparisons of the encoder itself.

    A bag of concepts counts values in pictures and in captions, so it ties with every swap. What
    sees no picture needs no record: it prefers one caption of two whatever is shown, and each is
    the swap of the other, so it stays at a coin's share.

    Args:
        twins: rows of the n pictures and of the bank's captions of each control, by its name.
        scenes: the table.
        bank: `caption_bank(scenes)`.
        encoder: whose controls they are.

    Raises:
        MismatchError: rows belong to other tables.
    """
    rows = {str(Control.BAG_OF_CONCEPTS): (_bag(scenes), _bag(bank.scenes))}
    for name, (images, captions) in twins.items():
        images.check(scenes)
        captions.check(bank.scenes)
        rows[name] = (images.unit().values, captions.unit().values)
    orbits = orbit_ids(scenes)
    about = {"study": "crossmodal", "scenes": scenes.name, "encoder": encoder, "split": "all"}
    records = []
    for name, (x, y) in rows.items():
        for false in comparisons(bank):
            outcome = compare(x[false.of], y, bank.true[false.of], false.captions)
            clusters = orbits[false.of]
            records += comparison_records(false.metric, outcome, clusters, control=name, **about)
    return Records(records)


def _bag(scenes: Scenes) -> Float[Floats, "scenes values"]:
    """Unit rows of counts of values."""
    return unit_rows(bag_of_concepts(scenes))
