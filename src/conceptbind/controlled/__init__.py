"""Controlled models: two small transformers on symbols that learn to bind, or do not, from scratch."""

from conceptbind.controlled.data import Batch, ObjectSplit, Sampler, draw_objects, object_ids, object_values, split_objects
from conceptbind.controlled.model import ControlledModel, Shape
from conceptbind.controlled.recipe import OBJECTIVES, PRESETS, Objective, Recipe, make_recipe
from conceptbind.controlled.recognise import Queries, all_queries, recognise, scenes_to_test
from conceptbind.controlled.store import ControlledEncoder, read_model, vocabulary, write_model
from conceptbind.controlled.training import CHECKPOINT, DivergedError, Look, Trained, train

__all__ = [
    "CHECKPOINT",
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
    "draw_objects",
    "make_recipe",
    "object_ids",
    "object_values",
    "read_model",
    "recognise",
    "scenes_to_test",
    "split_objects",
    "train",
    "vocabulary",
    "write_model",
]
