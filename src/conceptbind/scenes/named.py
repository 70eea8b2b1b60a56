"""Scenes as integers: concept spaces, tables, grids, swaps, orbits, splits, captions and readers.
Needs numpy only.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.core.errors import (
    FileError,
    UnknownNameError,
    ValueRangeError,
    cut,
    nearest,
    quoted,
)
from conceptbind.core.files import user_path
from conceptbind.scenes.builtin import clevr_grid, drawn_clevr, text20
from conceptbind.scenes.captions import DEFAULT_TEMPLATE, caption
from conceptbind.scenes.grid import full_grid
from conceptbind.scenes.readers.clevr import read_clevr
from conceptbind.scenes.readers.factors import read_dsprites, read_mpi3d
from conceptbind.scenes.readers.pug import read_pug_animals, read_pug_spar, read_pug_spare
from conceptbind.scenes.readers.spec import SCHEMES, read_named
from conceptbind.scenes.readers.tables import read_scenes, scenes_of_frame
from conceptbind.scenes.space import ConceptSpace
from conceptbind.scenes.split import Split, split_scenes
from conceptbind.scenes.swaps import attribute_swaps, orbit_ids, pair_ids
from conceptbind.scenes.table import Scenes

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ConceptSpace",
    "Scenes",
    "Split",
    "attribute_swaps",
    "caption",
    "clevr_grid",
    "drawn_clevr",
    "full_grid",
    "load_scenes",
    "orbit_ids",
    "pair_ids",
    "read_clevr",
    "read_dsprites",
    "read_mpi3d",
    "read_pug_animals",
    "read_pug_spar",
    "read_pug_spare",
    "read_scenes",
    "split_scenes",
    "text20",
]

FORMS = (
    "clevr2d",
    "clevr2d:N",
    "clevr3d",
    "clevr3d:N",
    "text20",
    "text20:AxN",
    "clevr",
    *SCHEMES.values(),
    "FILE.csv",
)
"""What `--scenes` accepts."""


def load_scenes(spec: str | os.PathLike[str] | pd.DataFrame, template: str | None = None) -> Scenes:
    """The scenes that `--scenes` names: text20, text20:10x10, clevr, the files of CLEVR, PUG,
    dSprites and MPI3D, or a CSV file.

    Args:
        spec: one of `FORMS`, the path of a table, or a data frame with its columns.
        template: how captions name an object (see `scenes.captions`); the default is "a red
            circle".

    Raises:
        UnknownNameError: no such scene set; names the nearest ones.
    """
    if isinstance(spec, os.PathLike):
        spec = os.fspath(spec)
    if hasattr(spec, "columns"):
        return scenes_of_frame(spec, DEFAULT_TEMPLATE if template is None else template)
    if not isinstance(spec, str) or not spec.strip():
        got = "an empty one" if isinstance(spec, str) else cut(quoted(spec), 50)
        raise UnknownNameError(f"expected a name of scenes; got {got}; {nearest('', FORMS)}")
    template = DEFAULT_TEMPLATE if template is None else template
    scheme, _, rest = spec.partition(":")
    if scheme == "text20":
        size = re.fullmatch(r"(\d{1,9})x(\d{1,9})", rest)
        if spec != "text20" and size is None:
            raise ValueRangeError(
                f"expected text20 or text20:AxN, for example text20:10x10; got {quoted(spec)}"
            )
        scenes = text20(int(size[1]), int(size[2])) if size else text20()
        return replace(scenes, template=template)
    if scheme in {"clevr2d", "clevr3d"}:
        if spec != scheme and not re.fullmatch(r"\d{1,9}", rest):
            raise ValueRangeError(
                f"expected {scheme}, or {scheme}:N with N objects per scene, for example "
                f"{scheme}:3; got {quoted(spec)}"
            )
        kind = "flat" if scheme == "clevr2d" else "solid"
        slots = int(rest) if rest else 2
        return replace(drawn_clevr(kind, slots), template=template)
    if spec == "clevr":
        return replace(clevr_grid(), template=template)
    if scheme in SCHEMES:
        return read_named(scheme, rest, template)
    if re.fullmatch(r".+ \([0-9a-f]{64}\)", spec):
        raise UnknownNameError(
            f"the scenes '{spec}' were a Python object, which a configuration cannot hold; run the "
            "Python code again"
        )
    spec = str(user_path(spec))
    if Path(spec).suffix.lower() in {".csv", ".tsv", ".pkl", ".pickle"}:
        return read_scenes(Path(spec), template)
    if Path(spec).exists():
        hint = (
            f"; for CLEVR's scene file write clevr:{spec}"
            if Path(spec).suffix.lower() == ".json"
            else ""
        )
        raise FileError(
            f"{spec} is not a table that conceptbind reads: expected a .csv or .tsv file{hint}"
        )
    raise UnknownNameError(f"unknown scenes '{cut(spec)}'; {nearest(spec, FORMS)}")
