"""An adapter as what another program loads."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from conceptbind.commands.command import Command, function_of, plain
from conceptbind.commands.shared import GivenAdapter, GivenEncoder, GivenPath
from conceptbind.encoders.options import Opening, Trusting
from conceptbind.encoders.registry import PACKAGED, SCHEMES, SHIPPED

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder
    from conceptbind.repairs.labclip.adapter import Adapter

Format: TypeAlias = Literal["onnx", "sentence-transformers", "transformers", "open_clip"]
GRAPH = "adapter.onnx"
KNOWN = (*SHIPPED, *PACKAGED, *(scheme.removesuffix(":") for scheme in SCHEMES))
"""What stands before the colon of an encoder's name, or is its whole name."""
TAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "sentence-transformers": (("minilm", "st"), "minilm, st:NAME or st:FOLDER"),
    "transformers": (
        (*SHIPPED, "hf"),
        f"{', '.join(SHIPPED)}, hf:NAME or hf:FOLDER (CLIP, SigLIP)",
    ),
    "open_clip": (("open_clip",), "open_clip:ARCH@TAG or open_clip:local-dir:FOLDER"),
}
"""Names of encoders that go to a format: the words before the colon, and how all are written."""
SAID = {
    "onnx": "a graph that maps rows of captions as the adapter does; rows of pictures stay as they "
    "are",
    "sentence-transformers": "a sentence-transformers model whose captions come out mapped",
    "transformers": "a transformers model whose captions come out mapped, and whose pictures are "
    "as they were",
    "open_clip": "an open_clip model whose captions come out mapped, and whose pictures are as "
    "they were",
}


@dataclass(frozen=True)
class Exported:
    """Where an adapter went, and how it is loaded there."""

    folder: Path
    to: str
    code: str
    """The lines of Python that load it; they need no conceptbind."""

    def __str__(self) -> str:
        return f"{self.folder} holds {SAID[self.to]}. To load it:\n\n{self.code}"


@dataclass(frozen=True)
class Export(Trusting, Command[Exported]):
    """Write an adapter as something that other programs load without conceptbind: a graph for ONNX
    runtimes, or the repaired encoder as a model of sentence-transformers, transformers or
    open_clip.
    """

    AGAIN = "starts over"

    adapter: GivenAdapter
    """Adapter folder written by conceptbind repair, or a published LABCLIP .pt file."""
    _: KW_ONLY
    to: Format
    """What to write: onnx (the map alone, for any encoder), or the repaired encoder as it is loaded
    by sentence-transformers (text encoders), transformers or open_clip (CLIP and SigLIP).
    """
    out: GivenPath
    """Folder to write; new or empty."""
    encoder: GivenEncoder | None = None
    """Encoder that the adapter belongs to; by default the one that the adapter names, and none for
    onnx. Needed where the folder of the encoder was moved, for published adapters and for
    py:module:factory.
    """

    def work(self) -> Exported:
        """Write the folder."""
        from conceptbind.core.errors import FileError
        from conceptbind.core.files import require_empty, user_path
        from conceptbind.repairs.labclip.adapter import load_adapter

        folder = user_path(self.out)
        if folder.suffix == ".onnx":
            raise FileError(f"--out is a folder, into which {GRAPH} goes; got {folder}")
        require_empty(folder, "the repaired model")
        adapter = load_adapter(self.adapter)
        if self.to == "onnx":
            _write_graph(adapter, folder)
        else:
            _write_model(self, adapter, folder)
        _tell_identity(adapter)
        return Exported(folder, self.to, _code(self, adapter, folder))


export = function_of(Export)


def _write_graph(adapter: "Adapter", folder: Path) -> None:
    """Write a folder with the graph and its card."""
    from conceptbind.core.files import folder_written_aside, write_whole
    from conceptbind.repairs.exports.folders import model_card
    from conceptbind.repairs.exports.onnx import export_onnx

    d_out, d_in = adapter.weight.shape
    text = (
        f"`{GRAPH}` maps `texts` (n, {d_in}), rows of captions in float32, to `mapped` "
        f"(n, {d_out}), rows of unit length.\nRows of pictures stay as they are."
    )
    with folder_written_aside(folder.absolute(), "the graph") as aside:
        export_onnx(adapter, aside / GRAPH)
        card = model_card(adapter, "onnx", "A LABCLIP adapter as an ONNX graph", text)
        write_whole(aside / "README.md", card)


def _write_model(asked: Export, adapter: "Adapter", folder: Path) -> None:
    """Open the encoder and write it with the adapter inside."""
    from conceptbind.repairs.exports.checkpoints import export_open_clip, export_transformers
    from conceptbind.repairs.exports.sentence import export_sentence_transformers

    write = {
        "sentence-transformers": export_sentence_transformers,
        "transformers": export_transformers,
        "open_clip": export_open_clip,
    }[asked.to]
    encoder = _opened(asked, adapter)
    write(adapter, encoder, folder, trust_remote_code=asked.trust_remote_code)


def _opened(asked: Export, adapter: "Adapter") -> "Encoder":
    """The encoder that the user gives, or the one that the adapter names.

    An adapter may be anybody's file. So it names models only, which are read as data; what runs
    code (`py:`) is named by the user.

    Raises:
        ModalityError: it does not go to the format, or is none.
        ConceptBindError: it cannot be opened.
    """
    from conceptbind.core.errors import FileError, ModalityError, ValueRangeError
    from conceptbind.rows.source import source_of

    how = Opening(device="cpu", trust_remote_code=asked.trust_remote_code)
    schemes, written = TAKES[asked.to]
    if asked.encoder is not None:
        scheme = asked.encoder.partition(":")[0] if isinstance(asked.encoder, str) else "py"
        if scheme in KNOWN and scheme not in (*schemes, "py"):
            raise ModalityError(_other_format(f"'{asked.encoder}'", scheme, asked.to))
        found = source_of(asked.encoder, how).encoder
        if found is None:
            raise ModalityError(
                f"'{asked.encoder}' holds rows that are there already; give the encoder that made "
                f"them with --encoder: {written}"
            )
        return found
    name, given = adapter.config.get("encoder"), plain(asked.adapter)
    if not name:
        raise ValueRangeError(
            f"the adapter {given} does not say which encoder it belongs to; give it with "
            f"--encoder: {written}"
        )
    scheme = str(name).partition(":")[0]
    if scheme == "py":
        raise ValueRangeError(
            f"the adapter {given} names the encoder '{name}', which runs code of that "
            "module; if you know it, give it yourself with --encoder"
        )
    if scheme not in schemes:
        raise ModalityError(_other_format(f"the adapter's encoder '{name}'", scheme, asked.to))
    try:
        found = source_of(str(name), how).encoder
    except FileError as error:
        raise FileError(
            f"{error}; the adapter names this encoder, and --encoder gives another place of it"
        ) from error
    assert found is not None
    return found


def _other_format(what: str, scheme: str, to: str) -> str:
    """What to say of an encoder that does not go to a format."""
    other = [name for name, (schemes, _) in TAKES.items() if scheme in schemes]
    use = " or ".join(f"--to {name}" for name in (*other, "onnx"))
    return (
        f"{what} does not go to {to}, which takes {TAKES[to][1]}; use {use}, or give the same "
        "encoder in such a form with --encoder"
    )


def _tell_identity(adapter: "Adapter") -> None:
    """Say that a map changes nothing."""
    import warnings

    import numpy as np

    if np.array_equal(adapter.weight, np.eye(*adapter.weight.shape)):
        warnings.warn(
            "the adapter changes nothing (conceptbind repair writes such a one where no gain was "
            "sure), so captions are as they were",
            stacklevel=3,
        )


def _code(asked: Export, adapter: "Adapter", folder: Path) -> str:
    """The lines of Python that load what was written."""
    import json

    from conceptbind.core.files import read_json

    place = json.dumps(str(folder), ensure_ascii=False)
    trusted = ", trust_remote_code=True" if asked.trust_remote_code else ""
    if asked.to == "onnx":
        graph, width = json.dumps(str(folder / GRAPH), ensure_ascii=False), adapter.weight.shape[1]
        return (
            "import onnxruntime\n\n"
            f"session = onnxruntime.InferenceSession({graph})\n"
            f'mapped = session.run(None, {{"texts": texts}})[0]  # texts: (n, {width}), float32'
        )
    if asked.to == "sentence-transformers":
        return (
            "from sentence_transformers import SentenceTransformer\n\n"
            f"model = SentenceTransformer({place}{trusted})\n"
            "rows = model.encode(captions)"
        )
    if asked.to == "open_clip":
        source = json.dumps(f"local-dir:{folder}", ensure_ascii=False)
        return (
            "import open_clip\n\n"
            f"model, _, preprocess = open_clip.create_model_and_transforms({source})\n"
            f"tokenizer = open_clip.get_tokenizer({source})"
        )
    kind = "AutoModel" if trusted else read_json(folder / "config.json")["architectures"][0]
    return (
        f"from transformers import AutoTokenizer, {kind}\n\n"
        f"model = {kind}.from_pretrained({place}{trusted})\n"
        f"tokenizer = AutoTokenizer.from_pretrained({place}{trusted})"
    )
