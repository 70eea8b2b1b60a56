"""faiss indexes whose rows can be reconstructed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import FileError, MissingExtraError, ShapeError
from conceptbind.core.limits import require_regular
from conceptbind.rows.indexes.contract import HeldTexts, Index, RowPart, Rows, Texts
from conceptbind.rows.indexes.places import sampled_hash

if TYPE_CHECKING:
    from jaxtyping import Shaped

    from conceptbind.core.typing import Floats, Ints
    from conceptbind.rows.indexes.places import Place

name = "faiss"
SUFFIXES = (".faiss", ".index")
LOSSY = "rows are reconstructed from what faiss keeps, which is not all of each row"


class FaissRows(RowPart):
    """Rows that faiss reconstructs, in the order in which they were added."""

    def __init__(self, whole: Any, inner: Any, file: str) -> None:
        # the part that holds the rows belongs to the whole, and dies with it
        self._whole, self._inner, self.name = whole, inner, file
        self.n, self.width = int(inner.ntotal), int(inner.d)

    def read(self, start: int, stop: int) -> Shaped[Floats, "rows width"]:  # noqa: D102
        rows: Floats = self._inner.reconstruct_n(start, stop - start)
        return rows


def claims(place: Place) -> bool:
    """Whether the file is called .faiss or .index."""
    return bool(place.of(*SUFFIXES))


def open_place(place: Place) -> Index:
    """The index, mapped from disk where faiss can.

    Raises:
        MissingExtraError: faiss is not installed.
        FileError: it is no faiss index.
        ShapeError: its rows cannot be reconstructed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingExtraError("faiss-cpu", "faiss", f"reading {place.path.name}") from error
    path = require_regular(place.of(*SUFFIXES)[0], "a faiss index")
    flags = getattr(faiss, "IO_FLAG_MMAP_IFC", faiss.IO_FLAG_MMAP) | faiss.IO_FLAG_READ_ONLY
    try:
        whole = faiss.read_index(str(path), flags)
    except RuntimeError:
        whole = _in_memory(path)
    keys, inner = None, whole
    if isinstance(whole, faiss.IndexIDMap):
        # its own reconstruction goes by the numbers of the user, not by position
        numbers = faiss.vector_to_array(whole.id_map)
        keys = Texts([HeldTexts([str(number) for number in numbers.tolist()])])
        inner = faiss.downcast_index(whole.index)
    lossy = _require_rows(inner, path.name)
    rows = Rows([FaissRows(whole, inner, path.name)], place.text)
    notes = (LOSSY,) if lossy else ()
    return Index(
        place.text, sampled_hash([path]), name, {"embeddings": rows}, keys=keys, notes=notes
    )


def _in_memory(path: Any) -> Any:
    import faiss

    try:
        return faiss.read_index(str(path))
    except RuntimeError as error:
        reason = " ".join(str(error).split()).rpartition("Error: ")[2]
        raise FileError(f"could not read {path} as a faiss index: {reason:.200}") from error


def _require_rows(index: Any, file: str) -> bool:
    """See that rows can be had by position; whether what is had is less than what was added.

    `reconstruct_n` ends the process where a row is missing, so single ones are asked for first.
    """
    import faiss

    if _holds_bits(index):
        raise ShapeError(
            f"{file} holds bits of each row (LSH), from which no row can be had; give the rows "
            "that it was built from, or an index that keeps them"
        )
    numbered = _behind_transforms(index)
    if isinstance(numbered, faiss.IndexIDMap):  # it reconstructs by these numbers
        _require_numbers(faiss.vector_to_array(numbered.id_map), int(index.ntotal), file)
    try:
        lists = faiss.try_extract_index_ivf(index)
        if lists is not None:
            _require_each_once(lists, file)
            lists.make_direct_map()
        for row in {0, int(index.ntotal) // 2, int(index.ntotal) - 1} if index.ntotal else ():
            index.reconstruct(row)
    except RuntimeError as error:
        raise ShapeError(
            f"the rows of {file} cannot be reconstructed ({type(index).__name__}); give the rows "
            "that it was built from, or an index that keeps them"
        ) from error
    whole = (faiss.IndexFlat, faiss.IndexHNSWFlat, faiss.IndexIVFFlat, faiss.IndexRefineFlat)
    return not isinstance(index, whole)


def _require_each_once(index: Any, file: str) -> None:
    """See that the lists of an inverted file hold the rows 0 to n - 1 once each. `reconstruct_n`
    leaves what is not there as it finds it in memory.
    """
    import faiss

    lists = index.invlists
    numbers = [
        faiss.rev_swig_ptr(lists.get_ids(k), lists.list_size(k)).copy()
        for k in range(index.nlist)
        if lists.list_size(k)
    ]
    held = np.concatenate(numbers) if numbers else np.empty(0, np.int64)
    _require_numbers(held, int(index.ntotal), file)


def _require_numbers(numbers: Ints, n: int, file: str) -> None:
    """See that the rows have the numbers 0 to n - 1 once each."""
    held = np.sort(numbers)
    if np.array_equal(held, np.arange(n)):
        return
    twice = held[1:][held[1:] == held[:-1]]
    what = f"the number {twice[0]} stands twice" if len(twice) else "other numbers are there"
    raise ShapeError(
        f"{file} must hold the row numbers 0 to {n - 1:,} once each; {what}; build it again "
        "without repeated ids, with an IDMap around the whole for ids of yours"
    )


def _holds_bits(index: Any) -> bool:
    """Whether an index keeps signs alone, also behind a transform; what a refining index keeps
    besides are rows.
    """
    import faiss

    return isinstance(_behind_transforms(index), faiss.IndexLSH)


def _behind_transforms(index: Any) -> Any:
    import faiss

    while isinstance(index, faiss.IndexPreTransform):
        index = faiss.downcast_index(index.index)
    return index
