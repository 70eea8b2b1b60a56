"""Fitted probes on disk, so that a run that was killed after fitting does not fit again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError
from conceptbind.core.kept import read_piece, write_piece
from conceptbind.probes.scene_probes import Probe, SceneProbes

if TYPE_CHECKING:
    from numpy.typing import NDArray

ARRAYS = ("weight", "candidates")


def save_probes(probes: SceneProbes, path: Path, key: str) -> None:
    """Write probes as one file; `key` names what they were fitted on."""
    arrays: dict[str, NDArray[Any]] = {}
    told = []
    for i, probe in enumerate((*probes.concepts, probes.objects)):
        facts = asdict(probe)
        arrays |= {f"{i}.{name}": facts.pop(name) for name in ARRAYS}
        told.append(facts)
    write_piece(path, arrays, {"key": key, "probes": told})


def load_probes(path: Path, key: str) -> SceneProbes | None:
    """Read probes that `save_probes` wrote with the same key; None if there are none."""
    if not path.exists():
        return None
    try:
        piece = read_piece(path)
        if piece.facts["key"] != key:
            return None
        probes = [
            Probe(piece.arrays[f"{i}.weight"], piece.arrays[f"{i}.candidates"], **facts)
            for i, facts in enumerate(piece.facts["probes"])
        ]
    except (FileError, KeyError, TypeError):
        return None  # what is damaged or of another version is fitted again
    return SceneProbes(tuple(probes[:-1]), probes[-1])
