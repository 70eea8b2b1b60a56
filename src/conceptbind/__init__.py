"""Does an embedding model bind concepts (which colour belongs to which shape), how, and can it be
repaired?

The public surface. Names are loaded when they are first used, so that `import conceptbind` is
quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from conceptbind.commands import Comparison as Comparison
    from conceptbind.commands import Evaluation as Evaluation
    from conceptbind.commands import Measurement as Measurement
    from conceptbind.commands import Repair as Repair
    from conceptbind.commands import Training as Training
    from conceptbind.commands import apply as apply
    from conceptbind.commands import compare as compare
    from conceptbind.commands import embed as embed
    from conceptbind.commands import evaluate as evaluate
    from conceptbind.commands import measure as measure
    from conceptbind.commands import render as render
    from conceptbind.commands import repair as repair
    from conceptbind.commands import sweep as sweep
    from conceptbind.commands import train as train
    from conceptbind.embeddings import Embeddings as Embeddings
    from conceptbind.encoders import resolve as resolve
    from conceptbind.errors import ConceptBindError as ConceptBindError
    from conceptbind.labclip import Adapter as Adapter
    from conceptbind.labclip import LabClip as LabClip
    from conceptbind.labclip import load_adapter as load_adapter
    from conceptbind.labclip import save_adapter as save_adapter
    from conceptbind.probes import LinearProbe as LinearProbe
    from conceptbind.probes import SceneProbes as SceneProbes
    from conceptbind.probes import fit_scene_probes as fit_scene_probes
    from conceptbind.scenes import ConceptSpace as ConceptSpace
    from conceptbind.scenes import Scenes as Scenes
    from conceptbind.scenes import Split as Split
    from conceptbind.scenes import load_scenes as load_scenes
    from conceptbind.scenes import split_scenes as split_scenes
    from conceptbind.typing import Encoder as Encoder

_HOME = {
    "Comparison": "commands",
    "Evaluation": "commands",
    "Measurement": "commands",
    "Repair": "commands",
    "Training": "commands",
    "apply": "commands",
    "compare": "commands",
    "embed": "commands",
    "evaluate": "commands",
    "measure": "commands",
    "render": "commands",
    "repair": "commands",
    "sweep": "commands",
    "train": "commands",
    "Embeddings": "embeddings",
    "resolve": "encoders",
    "ConceptBindError": "errors",
    "Adapter": "labclip",
    "LabClip": "labclip",
    "load_adapter": "labclip",
    "save_adapter": "labclip",
    "LinearProbe": "probes",
    "SceneProbes": "probes",
    "fit_scene_probes": "probes",
    "ConceptSpace": "scenes",
    "Scenes": "scenes",
    "Split": "scenes",
    "load_scenes": "scenes",
    "split_scenes": "scenes",
    "Encoder": "typing",
}

__all__ = [*_HOME, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'conceptbind' has no attribute '{name}'")
    return getattr(import_module(f"conceptbind.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
