"""Map caption embeddings with a repair."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.commands.command import Command, function_of
from conceptbind.commands.shared import GivenAdapter, GivenPath, GivenRows

if TYPE_CHECKING:
    from conceptbind.repairs.labclip.adapter import Adapter


@dataclass(frozen=True)
class Apply(Command[Path]):
    """Map caption embeddings with an adapter: out = normalised texts @ weight.T. The
    index of pictures stays as it is.
    """

    HELD = frozenset(("texts",))

    adapter: GivenAdapter
    """Adapter folder written by conceptbind repair, or a published LABCLIP .pt file."""
    _: KW_ONLY
    texts: GivenRows
    """Caption embeddings to map: an .npy file (n, d), a folder written by conceptbind embed, or an
    index that another program built.
    """
    out: GivenPath
    """.npy file to write: (n, d) rows of unit length."""

    def work(self) -> Path:
        """Write the mapped rows."""
        from conceptbind.core.errors import ModalityError, ShapeError
        from conceptbind.core.files import clear_asides, user_path, written_aside
        from conceptbind.repairs.labclip.adapter import load_adapter
        from conceptbind.repairs.labclip.pairs import open_rows
        from conceptbind.rows.embeddings import load
        from conceptbind.rows.held import HeldRows
        from conceptbind.rows.indexes.registry import open_container
        from conceptbind.rows.shards import MANIFEST

        linear, texts = load_adapter(self.adapter), self.texts
        source = user_path(texts) if isinstance(texts, str | Path) else None
        target = _array_to_write(user_path(self.out), source)
        rows: Any
        held = None
        if source is not None and not (source / MANIFEST).is_file():
            held = open_container(source)
        if held is not None:
            rows = held.rows("text")[1]
        elif source is not None and source.is_dir():
            kept = load(source)
            if kept.modality != "text":
                raise ModalityError(
                    f"{source} holds {kept.modality} embeddings; only captions are mapped, "
                    "pictures stay as they are"
                )
            linear.require(kept.encoder, kept.revision)
            rows = kept.values
        else:
            if isinstance(texts, HeldRows) and texts.encoder:
                linear.require(texts.encoder, texts.revision)
            rows = open_rows(texts)
        if len(rows) == 0:
            raise ShapeError(
                f"{texts} has no rows, so there is nothing to map; give the embeddings of at "
                "least one caption"
            )
        clear_asides(target.parent, [target.name])
        with written_aside(target) as aside:
            _map_to(aside, linear, rows)
        return target


apply = function_of(Apply)


def _map_to(path: Path, linear: "Adapter", rows: Any) -> None:
    """Map rows block by block into a .npy file, so that memory does not grow with their number."""
    import numpy as np

    blocks = linear.blocks(rows)
    shape = len(rows), linear.weight.shape[0]
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for _, block in blocks:
            file.write(block.astype("<f4", copy=False).tobytes())


def _array_to_write(target: Path, source: Path | None) -> Path:
    """Where an array goes: behind a link, which stays.

    Args:
        target: what the user named.
        source: the file that is read, if one is.

    Raises:
        FileError: it is no .npy file, what is read, or a file of another kind, which would be lost.
    """
    from numpy.lib.format import MAGIC_PREFIX

    from conceptbind.core.errors import FileError
    from conceptbind.core.limits import require_regular

    if target.suffix != ".npy":
        raise FileError(f"--out must be a .npy file; got {target}")
    start = b""
    try:
        place = target.resolve() if target.is_symlink() else target
        if place.is_symlink():  # from Python 3.13 on nothing is raised for it
            raise OSError("its link leads in a circle")
        there = source is not None and source.exists() and place.exists()
        same = source is not None and there and place.samefile(source)
        if place.exists():
            with require_regular(place, "a .npy file to replace").open("rb") as file:
                start = file.read(len(MAGIC_PREFIX))
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead in a circle
        raise FileError(
            f"could not write {target}: {error}; choose another name with --out"
        ) from error
    if same:
        raise FileError(
            f"--out is what --texts reads ({target}), and would be mapped again by the next start; "
            "choose another name"
        )
    if start not in (b"", MAGIC_PREFIX):
        raise FileError(
            f"{target} is there and no .npy file, and would be lost; choose another name with --out"
        )
    return place
