"""From `clevr:PATH:3` to a reader: the path, what stands behind it, and what each scheme makes of
that.
"""

from __future__ import annotations

import re

from conceptbind.core.errors import ValueRangeError
from conceptbind.core.files import user_path
from conceptbind.scenes.readers.clevr import read_clevr
from conceptbind.scenes.readers.factors import read_dsprites, read_mpi3d
from conceptbind.scenes.readers.pug import read_pug_animals, read_pug_spar, read_pug_spare
from conceptbind.scenes.readers.tables import read_scenes
from conceptbind.scenes.table import Scenes

SCHEMES = {
    "anywhere": "anywhere:FILE.csv",
    "clevr": "clevr:PATH[:OBJECTS]",
    "dsprites": "dsprites:FILE.npz",
    "mpi3d": "mpi3d:FILE.npz[:KIND]",
    "pug-animals": "pug-animals:PATH",
    "pug-spar": "pug-spar:PATH[:WORLD][:one]",
    "pug-spare": "pug-spare:PATH[:WORLD]",
}
"""Schemes that name a file, and their forms; `anywhere:` is a table of one's own whose pictures may
lie outside its folder."""
_EXAMPLES = {"dsprites": "dsprites.npz", "mpi3d": "mpi3d_toy.npz"}
"""Names of files that are no tables, for messages."""

_OPTIONS = re.compile(r"(?P<path>.*?)(?P<options>(?::[^:/\\.]+)*)")
"""A path and what can only be options: words behind colons, without a slash or a dot."""


def read_named(scheme: str, rest: str, template: str) -> Scenes:
    """The scenes of `SCHEME:rest`, where rest is a path and perhaps options.

    Args:
        scheme: one of `SCHEMES`.
        rest: `PATH` or `PATH:OPTION...`. The longest path that exists is taken, whatever colons it
            has.
        template: how captions name an object.

    Raises:
        ValueRangeError: there is no path, or an option that the scheme does not have.
        FileError: there is no such file, or it cannot be read.
    """
    path, options = _split(rest)
    if not path:
        what = "array file" if scheme in _EXAMPLES else "label table"
        raise ValueRangeError(
            f"'{scheme}:' needs the path of its {what}, "
            f"for example {scheme}:{_EXAMPLES.get(scheme, 'labels.csv')}"
        )
    file = user_path(path)
    if scheme == "anywhere":
        _at_most(0, scheme, rest, options)
        return read_scenes(file, template, pictures_anywhere=True)
    if scheme == "clevr":
        _at_most(1, scheme, rest, options)
        if options and not re.fullmatch(r"[1-9]\d{0,8}", options[0]):
            raise ValueRangeError(
                f"'{options[0]}' in '{scheme}:{rest}' is not a number of objects; expected "
                f"{SCHEMES[scheme]}, for example clevr:{path}:3"
            )
        return read_clevr(file, template, int(options[0]) if options else None)
    if scheme in ("dsprites", "pug-animals"):
        _at_most(0, scheme, rest, options)
        read = read_dsprites if scheme == "dsprites" else read_pug_animals
        return read(file, template)
    if scheme == "mpi3d":
        _at_most(1, scheme, rest, options)
        return read_mpi3d(file, options[0] if options else None, template)
    if scheme == "pug-spare":
        _at_most(1, scheme, rest, options)
        return read_pug_spare(file, options[0] if options else "Desert", template)
    animals = 1 if options and options[-1] == "one" else 2
    worlds = options[:-1] if animals == 1 else options
    _at_most(1, scheme, rest, worlds)
    return read_pug_spar(file, worlds[0] if worlds else None, template, animals=animals)


def _split(rest: str) -> tuple[str, list[str]]:
    """The path and its options: the longest part up to a colon that exists, else what cannot be
    options.
    """
    parts = rest.split(":")
    for n in range(len(parts), 0, -1):
        path = ":".join(parts[:n])
        if path and user_path(path).exists():
            return path, parts[n:]
    match = _OPTIONS.fullmatch(rest)
    assert match is not None  # every text is a path
    return match["path"], match["options"].split(":")[1:]


def _at_most(n: int, scheme: str, rest: str, options: list[str]) -> None:
    if len(options) > n:
        raise ValueRangeError(
            f"'{scheme}:{rest}' says too much after its path; expected {SCHEMES[scheme]}"
        )
