"""What is searched: rows of captions or pictures, with names, and the encoder that made them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conceptbind.core.errors import FileError, MismatchError, ValueRangeError
from conceptbind.core.files import user_path
from conceptbind.core.text import read_lines
from conceptbind.encoders.registry import can_be_named
from conceptbind.repairs.labclip.pairs import open_rows
from conceptbind.rows.arrays import ARRAYS, read_embeddings_file
from conceptbind.rows.embeddings import Embeddings, load
from conceptbind.rows.indexes.contract import Index as Held
from conceptbind.rows.indexes.contract import Rows
from conceptbind.rows.indexes.registry import open_container, pattern_below
from conceptbind.rows.shards import MANIFEST
from conceptbind.rows.source import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Num

    from conceptbind.core.typing import Floats, Modalities
    from conceptbind.scenes.table import Scenes

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""Suffixes of files that are searched in a folder of pictures."""
CONFIG = "config.yaml"


@dataclass(frozen=True, eq=False)
class Index:
    """Documents of which a query finds the nearest."""

    rows: Num[Floats, "documents width"] | Rows
    """(n, d) of any length; they may lie on disk."""
    encoder: str | None = None
    """Name of what made them; None where they do not say."""
    revision: str | None = None
    names: Sequence[str] | None = None
    """(n,) what each is called; their row numbers where None."""
    modality: str | None = None
    held: Held | None = None
    """What another program built, where the rows are of that."""

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, row: int) -> str:
        """What a document is called."""
        return str(row) if self.names is None else self.names[row]

    def named(self, names: Sequence[str], what: str) -> Index:
        """The index with other names.

        Args:
            names: one for each row.
            what: where they come from, for the message.

        Raises:
            MismatchError: another number of names.
        """
        if len(names) != len(self):
            raise MismatchError(
                f"{what} has {len(names):,} names, and the index {len(self):,} rows; give one "
                "for each row"
            )
        return replace(self, names=names)


def open_index(given: Any, modality: Modalities = "auto") -> Index:
    """The rows that a user names.

    Args:
        given: a folder written by `embed` or `measure`, an array file, an array, `Embeddings`, or
            the result of a command with a folder. Or what another program built; see
            `rows.indexes.open_container`.
        modality: which rows of a folder with several.

    Raises:
        FileError: there is no such folder or file, or it cannot be read.
        ValueRangeError: an encoder is named, and nothing to search.
    """
    given = getattr(given, "folder", given)
    if isinstance(given, Embeddings):
        return _of_embeddings(given)
    if isinstance(given, Held):
        return _of_container(given, modality)
    if not isinstance(given, str | Path):
        if hasattr(given, "encode_texts") or hasattr(given, "encoder"):
            raise _nothing_to_search(str(getattr(given, "id", "it")))
        return Index(open_rows(given))
    text = str(given)
    path = user_path(text.removeprefix("file:"))
    if not _is_ours(path):
        held = open_container(text)
        if held is not None:
            return _of_container(held, modality)
    if path.is_dir():
        return _of_folder(path, modality)
    if path.is_file():
        return Index(_array(path, modality))
    if can_be_named(text):
        raise _nothing_to_search(text)
    raise FileError(
        f"'{text:.80}' is neither a folder of embeddings nor an array file, no index that is read, "
        "and no encoder; conceptbind embed writes such a folder"
    )


def _nothing_to_search(encoder: str) -> ValueRangeError:
    return ValueRangeError(
        f"'{encoder}' is an encoder, and there is nothing to search; add --captions FILE or "
        "--pictures FOLDER, or name an index of embeddings in its place"
    )


def _of_embeddings(rows: Embeddings) -> Index:
    return Index(rows.values, rows.encoder, rows.revision, modality=rows.modality)


def _is_ours(path: Path) -> bool:
    """Whether a path is a folder of `embed` or of a run, or an array file with names in it."""
    inside = (path, *(path / name for name in ("embeddings", "image", "text")))
    if any((folder / MANIFEST).is_file() for folder in inside) or (path / CONFIG).is_file():
        return True
    return path.is_file() and path.suffix.lower() in ARRAYS - {".npy"}


def _of_container(held: Held, modality: Modalities) -> Index:
    """An index that another program built; it does not say which encoder made it."""
    name, rows = held.rows(modality)
    return Index(rows, names=held.called, modality=name, held=held)


def _of_folder(folder: Path, modality: Modalities) -> Index:
    """A folder of `embed`, of one modality or of both, or of a run."""
    if (folder / MANIFEST).is_file():
        return _of_embeddings(load(folder))
    inside = folder / "embeddings" if (folder / "embeddings").is_dir() else folder
    wanted = ("image", "text") if modality in ("auto", "both") else (modality,)
    part = next((name for name in wanted if (inside / name / MANIFEST).is_file()), None)
    if part is None:
        below = pattern_below(folder)
        hint = f"; for the files in its folders, give the pattern '{below}'" if below else ""
        raise FileError(
            f"{folder} holds no embeddings of {' or '.join(wanted)}: expected a folder written by "
            f"conceptbind embed, or a run folder of conceptbind measure{hint}"
        )
    found = _of_embeddings(load(inside / part))
    table = _table_of_run(folder)
    if table is None or len(table) != len(found):
        return found
    return replace(found, names=list(table.captions()))


def _table_of_run(folder: Path) -> Scenes | None:
    """The scenes of a run folder, where its configuration names them and they are still there."""
    import yaml

    from conceptbind.core.errors import ConceptBindError

    try:
        config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        return table_of(config["scenes"], config["template"])
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError, ConceptBindError):
        return None


def _array(path: Path, modality: Modalities) -> Any:
    """An array file that is read into memory; a .npy is a container."""
    arrays = read_embeddings_file(path).arrays
    wanted = ("image", "embeddings", "text") if modality in ("auto", "both") else (modality,)
    part = next((name for name in wanted if name in arrays), None)
    if part is None:
        raise FileError(f"{path} holds {' and '.join(arrays)}, not {modality}")
    return arrays[part]


def picture_names(folder: Path) -> tuple[tuple[str, ...], int]:
    """The files of a folder that are pictures by their suffix, in order of their names, and how
    many were left out. Those are empty, as after a download that broke off.

    Args:
        folder: where they lie; folders in it are not searched.

    Raises:
        FileError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise FileError(f"--pictures must be a folder; there is none at {folder}")
    found = [one for one in folder.iterdir() if one.suffix.lower() in PICTURES]
    # what cannot be looked at is no empty file: reading it says why
    names = tuple(sorted(one.name for one in found if not one.is_file() or one.stat().st_size))
    if not names:
        raise FileError(f"{folder} holds no pictures ({', '.join(PICTURES)})")
    return names, len(found) - len(names)


def read_names(path: str | Path) -> list[str]:
    """One name for each row of an index.

    Args:
        path: a text file with one name per line.
    """
    return read_lines(user_path(path), "the names", "expected one name per line (UTF-8)")
