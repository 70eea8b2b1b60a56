"""Controlled models: two small transformers on symbols that learn to bind, or do not, from
scratch.
"""

from conceptbind.controlled.data import (
    Batch,
    ObjectSplit,
    Sampler,
    draw_objects,
    object_ids,
    object_values,
    split_objects,
)
from conceptbind.controlled.model import ControlledModel, Shape
from conceptbind.controlled.recipe import (
    OBJECTIVES,
    PRESETS,
    Objective,
    Recipe,
    make_recipe,
    read_sizes,
)
from conceptbind.controlled.recognise import (
    Queries,
    all_queries,
    exchange_first_value,
    own_scene,
    read_rows,
    recognise,
    replace_first_value,
    scene_rows,
    scenes_to_test,
)
from conceptbind.controlled.stacked import same_but_data, train_stacked
from conceptbind.controlled.store import (
    CONFIG,
    ControlledEncoder,
    read_model,
    read_trained,
    require_whole_model,
    vocabulary,
    write_model,
)
from conceptbind.controlled.training import (
    CHECKPOINT,
    DivergedError,
    Look,
    Trained,
    choose_precision,
    train,
)

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "OBJECTIVES",
    "PRESETS",
    "Batch",
    "ControlledEncoder",
    "ControlledModel",
    "DivergedError",
    "Look",
    "ObjectSplit",
    "Objective",
    "Queries",
    "Recipe",
    "Sampler",
    "Shape",
    "Trained",
    "all_queries",
    "choose_precision",
    "draw_objects",
    "exchange_first_value",
    "make_recipe",
    "object_ids",
    "object_values",
    "own_scene",
    "read_model",
    "read_rows",
    "read_sizes",
    "read_trained",
    "recognise",
    "replace_first_value",
    "require_whole_model",
    "same_but_data",
    "scene_rows",
    "scenes_to_test",
    "split_objects",
    "train",
    "train_stacked",
    "vocabulary",
    "write_model",
]
