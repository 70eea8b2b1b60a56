"""How a training ended: by what it had learned, or by its last step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conceptbind.core.rounding import percent

if TYPE_CHECKING:
    from conceptbind.controlled.training import Trained

RISING = 0.02
"""A rise of validation in the last quarter of the steps that is told as one: looks see 512
scenes."""


def ending_sentence(trained: Trained) -> str:
    """Whether training ended since enough was recognised, or at its last step, and whether
    validation was still rising then.

    Args:
        trained: a model with its history.
    """
    recipe, last = trained.recipe, trained.history[-1]
    what = "scenes of validation objects"
    if trained.best.validation >= recipe.enough:
        return (
            f"Training ended at step {last.step:,} of {recipe.steps:,}, since "
            f"{percent(trained.best.validation)} of the {what} were recognised."
        )
    until = 3 * recipe.steps / 4
    early = [look.validation for look in trained.history if look.step <= until]
    late = [look.validation for look in trained.history if look.step > until]
    ended = f"Training ended at its last step, {last.step:,}, and not since it had learned enough"
    if not early or not late:
        return f"{ended}; whether more steps would help cannot be judged from so few looks."
    before, after = max(early), max(late)
    told = f"{percent(before)} of the {what} by three quarters of the steps, {percent(after)} after"
    if after - before > RISING:
        return f"{ended}: recognition was still rising ({told}), so more --steps may raise it."
    return (
        f"{ended}; recognition no longer rose ({told}). The rate falls to 0 by then, so a longer "
        "training may still reach more."
    )
