"""Full grids: every ordered choice of m objects."""

from __future__ import annotations

import numpy as np

from conceptbind.core.arguments import explains_arguments
from conceptbind.core.errors import ValueRangeError, counted
from conceptbind.scenes.captions import DEFAULT_TEMPLATE
from conceptbind.scenes.space import ConceptSpace
from conceptbind.scenes.table import Scenes

MAX_SCENES = 20_000_000
"""Largest grid that is built in memory (about 1 GB of integers)."""


@explains_arguments
def full_grid(
    space: ConceptSpace, slots: int = 2, name: str = "grid", template: str = DEFAULT_TEMPLATE
) -> Scenes:
    """All |O|^m scenes of m ordered objects, the first slot varying slowest.

    Args:
        space: the concepts and their values.
        slots: m, objects in a scene.
        name: name of the table in results.
        template: how an object is named in captions.

    Raises:
        ValueRangeError: no slots, or more scenes than fit in memory.
    """
    if slots < 1:
        raise ValueRangeError(f"a grid needs at least one slot; got {slots}")
    n_scenes = space.n_objects**slots
    if n_scenes > MAX_SCENES:
        raise ValueRangeError(
            f"a full grid of {counted(space.n_objects, 'object')} in {slots} slots has "
            f"{counted(n_scenes, 'scene')}, "
            f"more than {MAX_SCENES:,}; "
            "use fewer values or slots, or give a table of the scenes you want"
        )
    # (n, m)
    objects = np.stack(np.unravel_index(np.arange(n_scenes), (space.n_objects,) * slots), axis=-1)
    return Scenes(space, space.object_values(objects), name=name, template=template)
