"""A page of this machine for one's own captions and pictures."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, replace
from typing import TYPE_CHECKING, Any

from conceptbind.commands.command import Command
from conceptbind.commands.shared import GivenAdapter, GivenEncoder, GivenPath, GivenRun
from conceptbind.encoders.options import Opening

if TYPE_CHECKING:
    from pathlib import Path

    from conceptbind.app.explore import Explored
    from conceptbind.app.model import Model
    from conceptbind.app.search import Searched
    from conceptbind.app.server import Page
    from conceptbind.app.trial import Pairs
    from conceptbind.core.typing import Encoder
    from conceptbind.repairs.labclip.adapter import Adapter
    from conceptbind.scenes.table import Scenes

PORT = 8765
"""Where the page is served by default."""
LEADS = (
    '<!doctype html><meta charset="utf-8"><title>conceptbind try</title>'
    '<meta http-equiv="refresh" content="0; url={0}"><a href="{0}">To the page</a>\n'
)
READ_WITHIN = 60.0
"""Seconds after which the file that leads to the page is removed."""


@dataclass(frozen=True)
class Try(Opening, Command[None]):
    """Try an encoder on a local page: draw or drop a picture, type captions, and see how near they
    are, before and after a repair.

    The page is served on 127.0.0.1 alone until the command is stopped. What is typed goes to the
    encoder and nowhere else. Needs the extra app.
    """

    AGAIN = "opens the page again"

    encoder: GivenEncoder | None = None
    """Encoder of captions, perhaps of pictures too; by default that of --run, else tiny."""
    _: KW_ONLY
    adapter: GivenAdapter | None = None
    """Repair of captions: a folder written by repair, or a published .pt; by default that of --run,
    where it fitted one.
    """
    run_folder: GivenRun | None = None
    """Run folder of measure to explore, which gives encoder and repair too; --run for short."""
    search: GivenPath | None = None
    """Folder of pictures to search, which are embedded once and kept in runs/, or an index as of
    query; by default what --run embedded.
    """
    port: int = PORT
    """Port of this machine; 0 for any that is free."""
    browser: bool = True
    """Open the page in a browser."""

    @classmethod
    def respelled(cls, words: Sequence[str]) -> list[str]:
        """`--run` as `--run_folder`."""
        return [_whole(word) for word in words]

    def work(self) -> None:
        """Serve the page until the process is interrupted."""
        from conceptbind.app.server import listening, serve
        from conceptbind.core.errors import MissingExtraError

        try:
            import starlette  # noqa: F401 - said before anything is opened
            import uvicorn  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("starlette", "app", "conceptbind try") from error
        bound = listening(self.port)
        try:
            with _ending_in_order():
                serve(page_for(self), bound, self._on_start)
        finally:
            bound.close()

    def _on_start(self, address: str) -> None:
        """Say where the page is, and open it."""
        from conceptbind.core.streams import print_out

        print_out(f"The page is at {address}\nCtrl-C ends it.")
        if self.browser:
            _open(address)


@contextmanager
def _ending_in_order() -> Iterator[None]:
    """Where the process is told to end, let it end as it does by itself: what it wrote for the
    browser is removed then.
    """
    import signal
    import sys
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def page_for(asked: Try) -> "Page":
    """What the page can answer.

    Args:
        asked: the command.

    Raises:
        ConceptBindError: something that is named cannot be opened; the message says what to do.
    """
    from conceptbind.app.server import Page

    model = _model(asked)
    explored = _explored(asked, model)
    return Page(model, _searched(asked, model, explored), explored)


def _whole(word: str) -> str:
    name, equals, value = word.partition("=")
    return f"--run_folder{equals}{value}" if name == "--run" else word


def _model(asked: Try) -> "Model":
    """The encoder and its repair."""
    from conceptbind.app.model import Model
    from conceptbind.core.errors import ModalityError
    from conceptbind.core.streams import tell
    from conceptbind.repairs.labclip.adapter import load_adapter
    from conceptbind.rows.source import source_of

    folder = None if asked.run_folder is None else _run(asked.run_folder)
    name = asked.encoder
    if name is None:
        name = "tiny" if folder is None else _encoder_of(folder)
    source = source_of(name, asked)
    if source.encoder is None:
        raise ModalityError(
            f"'{source.id}' holds rows, and the page embeds what is typed; give an encoder"
        )
    given: Any = asked.adapter
    adapter = None if given is None else load_adapter(given)
    if given is None and folder is not None and _repaired(folder):
        adapter = load_adapter(folder)
        given = folder
        if (told := _unfit(adapter, source.encoder)) is not None:
            tell(f"the repair of {folder} is left out: {told}", "note: ")
            adapter = None
    place = str(given) if isinstance(given, str) or given is folder else None
    told = name if isinstance(name, str) else None
    return Model(source.encoder, adapter, None if adapter is None else place, told)


def _unfit(adapter: "Adapter", encoder: "Encoder") -> str | None:
    """Why a repair is not one of an encoder; None where it is."""
    from conceptbind.core.errors import MismatchError

    try:
        adapter.require(encoder.id, encoder.revision)
    except MismatchError as error:
        return str(error)
    return None


def _run(given: Any) -> "Path":
    """A finished run.

    Raises:
        FileError: there is none.
    """
    from conceptbind.report.finished import load_run

    return load_run(getattr(given, "folder", given)).folder


def _encoder_of(folder: "Path") -> str:
    """The encoder of a run. A run may be anybody's, so it names no code and no rows.

    Raises:
        ValueRangeError: it names none that is opened from there.
    """
    from conceptbind.core.errors import ValueRangeError
    from conceptbind.encoders.registry import can_be_named
    from conceptbind.run.folder import kept_option

    name = str(kept_option(folder, "encoder") or "")
    if not can_be_named(name) or name.partition(":")[0] in ("py", "file"):
        raise ValueRangeError(
            f"the run {folder} does not name an encoder that is opened from there ('{name:.60}'); "
            "name it yourself: conceptbind try ENCODER --run FOLDER"
        )
    return name


def _repaired(folder: "Path") -> bool:
    """Whether a run holds a repair."""
    from conceptbind.repairs.labclip.adapter import OF_A_RUN, WEIGHTS

    return any((place / WEIGHTS).is_file() for place in (folder, folder / OF_A_RUN))


def _explored(asked: Try, model: "Model") -> "Explored | None":
    """The run to explore; None where none is named."""
    from conceptbind.app.explore import explored
    from conceptbind.core.streams import tell
    from conceptbind.encoders.weights import same_encoder

    if asked.run_folder is None:
        return None
    folder = _run(asked.run_folder)
    found = explored(folder, _scenes_of(folder))
    made = next(iter(found.rows.values()))
    if same_encoder((made.encoder, made.revision), (model.id, model.encoder.revision)):
        return replace(found, adapter=model.adapter, adapter_name=model.adapter_name)
    told = f"All numbers of this run are of {made.encoder}, not of {model.id}."
    if asked.search is None:
        tell(f"{told} Its rows are not searched", "note: ")
    return replace(found, note=told)


def _scenes_of(folder: "Path") -> "Scenes":
    """The scenes of a run, with the pictures that were drawn for it."""
    from conceptbind.core.errors import FileError
    from conceptbind.rows.shards import MANIFEST
    from conceptbind.rows.source import table_of
    from conceptbind.run.folder import kept_option

    scenes = kept_option(folder, "scenes")
    if scenes is None:
        raise FileError(
            f"{folder} is a run without scenes, such as one of evaluate; give a run folder of "
            "conceptbind measure"
        )
    table = table_of(scenes, kept_option(folder, "template"))
    place = folder / "pictures"
    # where the pictures have gone, their rows are still of the scenes that were drawn
    made = (place / "scenes.csv", folder / "embeddings" / "image" / MANIFEST)
    drawn = any(one.is_file() for one in made)
    if table.drawing is None or table.images is not None or not drawn:
        return table
    width = len(str(len(table) - 1))
    names = tuple(f"{row:0{width}d}.png" for row in range(len(table)))
    return replace(table, images=names, image_folder=place)


def _searched(asked: Try, model: "Model", explored: "Explored | None") -> "Searched | None":
    """What is searched: what is named, else the pictures or captions of the run."""
    from conceptbind.app.search import Searched, contents_of, vocabulary_of
    from conceptbind.encoders.weights import same_encoder
    from conceptbind.report.page import thumbnail

    if asked.search is not None:
        return _of_place(str(asked.search), model)
    if explored is None:
        return None
    modality = "image" if "image" in explored.rows and model.sees else "text"
    rows = explored.rows.get(modality)
    made = ("", "") if rows is None else (rows.encoder, rows.revision)
    if rows is None or not same_encoder(made, (model.id, model.encoder.revision)):
        return None

    def picture(row: int) -> str | None:
        place = explored.image_of(row) if modality == "image" else None
        return None if place is None else thumbnail(place)

    told = f"{len(rows):,} {'pictures' if modality == 'image' else 'captions'} of the run"
    recipe = {"index": str(explored.folder), "encoder": model.name or model.id}
    recipe |= {"modality": modality}
    table = explored.table
    known = contents_of(table), vocabulary_of(table)
    return Searched(rows.values, table.caption, told, recipe, *known, picture)


def _of_place(place: str, model: "Model") -> "Searched":
    """A folder of pictures, which are embedded, or an index."""
    from conceptbind.app.phrases import CLEAR, pairs_said
    from conceptbind.app.search import Searched, contents_of, vocabulary_of
    from conceptbind.commands.asking import Query, opened
    from conceptbind.core.errors import ConceptBindError
    from conceptbind.core.files import user_path
    from conceptbind.core.ownership import folders_of_a_command
    from conceptbind.querying.index import PICTURES
    from conceptbind.report.page import thumbnail
    from conceptbind.scenes.named import load_scenes

    folder = user_path(place)
    inside = folder.iterdir() if folder.is_dir() else ()
    pictures = any(one.suffix.lower() in PICTURES for one in inside)
    if not pictures:
        index, _ = opened(Query(place, "x", encoder=model.encoder))
        recipe = {"index": place, "encoder": model.name or model.id}
        told = f"{len(index):,} documents of {folder.name}"
        return Searched(
            index.rows, index.name, told, recipe, lambda row: pairs_said(index.name(row))
        )
    with folders_of_a_command():  # others may search them too while the page is served
        index, _ = opened(Query(model.encoder, "x", pictures=place))
    names = [index.name(row) for row in range(len(index))]
    contents: Callable[[int], Pairs | None] = lambda _: None  # noqa: E731
    vocabulary = CLEAR
    with suppress(ConceptBindError):  # a table that render writes; other folders have none
        table = load_scenes(str(folder / "scenes.csv"))
        vocabulary = vocabulary_of(table)
        of, rows = contents_of(table), {name: row for row, name in enumerate(table.images or ())}
        places = [rows.get(name) for name in names]

        def contents(row: int) -> "Pairs | None":
            known = places[row]
            return None if known is None else of(known)

    told = f"{len(index):,} pictures of {folder.name}{_without(folder)}"
    recipe = {"pictures": place}

    def picture(row: int) -> str | None:
        return thumbnail(folder / names[row])

    return Searched(index.rows, index.name, told, recipe, contents, vocabulary, picture)


def _without(folder: "Path") -> str:
    """How many files of a folder were left out, in words."""
    from conceptbind.core.errors import counted
    from conceptbind.querying.index import picture_names

    _, empty = picture_names(folder)
    return f" ({counted(empty, 'empty file')} left out)" if empty else ""


def _open(address: str) -> None:
    """Open a page where there is a screen. A browser is given a file that only this user reads,
    since what programs are started with is seen by all users of a machine.
    """
    import os
    import sys
    import threading

    screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if screen or sys.platform in ("win32", "darwin"):  # elsewhere a browser of the terminal opens
        threading.Thread(target=_lead, args=(address,), daemon=True).start()


def _lead(address: str) -> None:
    """Open a file that leads to a page, and remove it once it has been read."""
    import atexit
    import os
    import tempfile
    import time
    import webbrowser
    from html import escape
    from pathlib import Path

    handle, name = tempfile.mkstemp(prefix="conceptbind-try-", suffix=".html")  # 0600
    file = Path(name)
    atexit.register(file.unlink, missing_ok=True)
    with os.fdopen(handle, "w", encoding="utf-8") as writing:
        writing.write(LEADS.format(escape(address)))
    webbrowser.open(file.as_uri())
    time.sleep(READ_WITHIN)
    file.unlink(missing_ok=True)
