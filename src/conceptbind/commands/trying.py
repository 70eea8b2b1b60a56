"""A page of this machine for one's own captions and pictures."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from conceptbind.commands.command import Command
from conceptbind.commands.shared import GivenAdapter, GivenEncoder, GivenRun
from conceptbind.encoders.options import Opening

if TYPE_CHECKING:
    from pathlib import Path

    from conceptbind.app.model import Model

PORT = 8765
"""Where the page is served by default."""


@dataclass(frozen=True)
class Try(Opening, Command[None]):
    """Try an encoder on a local page: draw or drop a picture, type captions, and see how near they
    are, before and after a repair.

    The page is served on 127.0.0.1 alone until the command is stopped, and nothing leaves the
    machine. Needs the extra app.
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
    """Run folder of measure to take encoder and repair from; --run for short."""
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
        from conceptbind.app.server import Page, listening, serve
        from conceptbind.core.errors import MissingExtraError

        try:
            import starlette  # noqa: F401 - said before anything is opened
            import uvicorn  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("starlette", "app", "conceptbind try") from error
        bound = listening(self.port)
        try:
            page = Page(_model(self))
            serve(page, bound, self._on_start)
        finally:
            bound.close()

    def _on_start(self, address: str) -> None:
        """Say where the page is, and open it."""
        from conceptbind.core.streams import print_out

        print_out(f"The page is at {address}\nCtrl-C ends it.")
        if self.browser:
            _open(address)


def _whole(word: str) -> str:
    name, equals, value = word.partition("=")
    return f"--run_folder{equals}{value}" if name == "--run" else word


def _model(asked: Try) -> "Model":
    """The encoder and its repair."""
    from conceptbind.app.model import Model
    from conceptbind.core.errors import ModalityError
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
    if given is None and folder is not None and _repaired(folder):
        given = folder
    adapter = None if given is None else load_adapter(given)
    place = str(given) if isinstance(given, str) or given is folder else None
    told = name if isinstance(name, str) else None
    return Model(source.encoder, adapter, None if adapter is None else place, told)


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


def _open(address: str) -> None:
    """Open a page where there is a screen."""
    import os
    import sys
    import threading
    import webbrowser

    screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if screen or sys.platform in ("win32", "darwin"):  # elsewhere a browser of the terminal opens
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
