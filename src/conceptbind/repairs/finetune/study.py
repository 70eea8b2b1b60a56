"""What fine-tuning does to the binding of what it never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from conceptbind.core.names import Metric, Repair
from conceptbind.core.records import Records
from conceptbind.core.scored import mean_record
from conceptbind.crossmodal.comparing import compare, either_order
from conceptbind.metrics.cosines import unit_rows
from conceptbind.report.numbers import interval_of, value_of
from conceptbind.rows.feeding import picture_rows

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from conceptbind.core.typing import Bools, Encoder, Floats
    from conceptbind.repairs.finetune.examples import Examples
    from conceptbind.repairs.finetune.result import FineTuned


def before_and_after(encoder: Encoder, tuned: FineTuned, examples: Examples) -> Records:
    """Binding accuracy on what was held out, of the encoder as it was and as it is, and the paired
    difference.
    """
    facts = {"study": "finetune", "split": "test", "scenes": examples.name, "encoder": encoder.id}
    outcomes = [binding(encoder, examples), binding(tuned.encoder, examples)]
    records = [
        mean_record(
            Metric.BINDING_ACCURACY,
            right,
            int(tied.sum()),
            examples.groups,
            **facts,
            repair=repair,
        )
        for repair, (right, tied) in zip((Repair.NONE, Repair.FT), outcomes, strict=True)
    ]
    gain = mean_record(
        Metric.BINDING_GAIN,
        outcomes[1][0] - outcomes[0][0],
        None,
        examples.groups,
        "difference",
        **facts,
        repair=Repair.FT,
    )
    # where nothing was trained nothing changed, which is not an estimate
    records.append(gain if tuned.helps else gain.but(ci_low=None, ci_high=None))
    return Records(records)


def binding(
    encoder: Encoder, examples: Examples
) -> tuple[Float[Floats, " scored"], Bool[Bools, " scored"]]:
    """Share of the comparisons of each scored picture that its caption wins (s,), and whether any
    was a tie (s,).
    """
    pictures, of = np.unique(examples.scored, return_inverse=True)
    used, place = np.unique([examples.right, examples.wrong], return_inverse=True)
    right, wrong = place.reshape(2, -1, 2)
    paths = [examples.pictures[i] for i in pictures.tolist()]
    x = unit_rows(np.concatenate([np.asarray(fed.rows) for fed in picture_rows(encoder, paths)]))
    y = unit_rows(np.asarray(encoder.encode_texts([examples.texts[i] for i in used.tolist()])))
    return either_order(compare(x[of.reshape(-1)], y, right, wrong))


def finetune_sentence(records: Records, tuned: FineTuned, examples: Examples) -> str:
    """What fine-tuning did, in words."""
    before, after = (
        records.one(metric=Metric.BINDING_ACCURACY, repair=repair)
        for repair in (Repair.NONE, Repair.FT)
    )
    unseen = f"the binding accuracy of {examples.unseen} that it was not trained on"
    if not tuned.helps:
        return (
            f"Fine-tuning does not help here: on validation no epoch is better than the encoder "
            f"as it was, so its weights are kept, and {unseen} stays at "
            f"{value_of(before)} ({interval_of(before)}, n = {before.n:,})."
        )
    gain = records.one(metric=Metric.BINDING_GAIN)
    return (
        f"Fine-tuning takes {unseen} from {value_of(before)} ({interval_of(before)}) to "
        f"{value_of(after)} ({interval_of(after)}, n = {after.n:,}), a change of {value_of(gain)} "
        f"({interval_of(gain)}); validation chose epoch {tuned.chosen.epoch} of "
        f"{tuned.config['epochs']}."
    )
