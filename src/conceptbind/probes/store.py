"""Fitted probes on disk, so that a run that was killed after fitting does not fit again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from conceptbind.core.files import CHECKSUM, arrays_hash, write_whole
from conceptbind.core.limits import open_tensors
from conceptbind.probes.scene_probes import Probe, SceneProbes


def save_probes(probes: SceneProbes, path: Path, key: str) -> None:
    """Write probes as one safetensors file; `key` names what they were fitted on."""
    from safetensors.numpy import save

    arrays, facts = {}, []
    for i, probe in enumerate((*probes.concepts, probes.objects)):
        arrays[f"{i}.weight"] = np.ascontiguousarray(probe.weight)
        arrays[f"{i}.candidates"] = np.ascontiguousarray(probe.candidates, dtype=np.int64)
        facts.append(
            {
                name: value
                for name, value in asdict(probe).items()
                if name not in ("weight", "candidates")
            }
        )
    told = json.dumps(facts)
    write_whole(
        path,
        save(arrays, metadata={"key": key, "probes": told, CHECKSUM: arrays_hash(told, arrays)}),
    )


def load_probes(path: Path, key: str) -> SceneProbes | None:
    """Read probes that `save_probes` wrote with the same key; None if there are none."""
    from safetensors import SafetensorError

    if not path.exists():
        return None
    try:
        with open_tensors(path) as file:
            metadata = file.metadata() or {}
            if metadata.get("key") != key:
                return None
            # No dictionary.
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if metadata.get(CHECKSUM) != arrays_hash(metadata["probes"], arrays):
                return None
            facts = json.loads(metadata["probes"])
            probes = [
                Probe(arrays[f"{i}.weight"], arrays[f"{i}.candidates"], **fact)
                for i, fact in enumerate(facts)
            ]
    except (SafetensorError, OSError, ValueError, TypeError, KeyError):
        return None  # a damaged file is fitted anew
    return SceneProbes(tuple(probes[:-1]), probes[-1])
