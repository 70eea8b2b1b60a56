"""Scenes to rows, and scenes to pictures."""

from dataclasses import KW_ONLY, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from conceptbind.commands.command import Command, function_of
from conceptbind.commands.common import drawn, rows_with_bar
from conceptbind.commands.shared import GivenEncoder, GivenPath, GivenScenes
from conceptbind.core.errors import cut_left
from conceptbind.core.ownership import own, refuse_in_use
from conceptbind.core.records import frame_of
from conceptbind.core.typing import Modalities
from conceptbind.encoders.options import Opening
from conceptbind.run.bars import progress
from conceptbind.run.cluster import Cluster

if TYPE_CHECKING:
    import pandas as pd

    from conceptbind.scenes.table import Scenes

COLUMNS = ("modality", "rows", "width", "encoder", "revision", "folder")


class Embedded(list[Path]):
    """The folders that `embed` wrote, one for each modality."""

    def frame(self) -> "pd.DataFrame":
        """A row for each folder: modality, rows, width, encoder, revision, folder.

        Raises:
            MissingExtraError: pandas is not installed.
            FileError: a folder was damaged or removed since.
        """
        return frame_of(self._rows(), COLUMNS)

    def _rows(self) -> list[tuple[str | int, ...]]:
        from conceptbind.rows.embeddings import load

        found = [(load(folder), folder) for folder in self]
        return [
            (rows.modality, *rows.values.shape, rows.encoder, rows.revision, str(folder))
            for rows, folder in found
        ]

    def __repr__(self) -> str:
        return (
            f"<Embedded: {cut_left(', '.join(map(str, self)), 50)}; .frame() says what they hold>"
        )

    def _repr_html_(self) -> str:
        """What each folder holds, as a table; in notebooks."""
        from conceptbind.core.escape import html_table

        return html_table(COLUMNS, [tuple(map(str, row)) for row in self._rows()])


@dataclass(frozen=True)
class Embed(Opening, Cluster, Command[Embedded]):
    """Embed scenes into a folder that file:FOLDER reads again. A killed run continues when it is
    started again.
    """

    encoder: GivenEncoder
    """Model to embed with: tiny, tiny-bound, minilm, hf:NAME or hf:FOLDER, st:NAME or st:FOLDER,
    open_clip:ARCH@TAG, timm:NAME, mteb:NAME, api:URL?model=NAME (a server), or
    py:module:factory.
    """
    _: KW_ONLY
    out: GivenPath
    """Folder to write; with captions and pictures, its subfolders text and image."""
    scenes: GivenScenes = "clevr2d"
    """Scenes to embed: clevr2d, text20:10x10, or another table; see conceptbind measure --help."""
    modality: Modalities = "auto"
    """What to embed: captions (text), pictures (image) or both; auto takes all that the encoder and
    the scenes can do.
    """
    template: str | None = None
    """How a caption names an object, for example "{a} {object}" or "a photo of [{a} {color}
    {shape}]".
    """

    def work(self) -> Embedded:
        """Write the rows, and return their folders."""
        from conceptbind.core.files import clear_asides, user_path
        from conceptbind.rows.source import open_inputs

        place = user_path(self.out)
        refuse_in_use(place)
        source, table = open_inputs(self.encoder, self.scenes, self.template, self)
        modalities = source.able(table, self.modality)
        for part in modalities:
            # rows that are there: what is wrong with them is said before anything is written
            if source.encoder is None:
                source.check(table, part)
        own(place)
        folders = [place / part if len(modalities) > 1 else place for part in modalities]
        for folder in dict.fromkeys((place, *folders, place / "pictures")):
            clear_asides(folder)
        table = drawn(table, modalities, place / "pictures", 0)
        for part, folder in zip(modalities, folders, strict=True):
            rows_with_bar(source, table, part, folder)
        return Embedded(folders)


embed = function_of(Embed)


@dataclass(frozen=True, kw_only=True)
class Render(Command[Path]):
    """Draw scenes as pictures, with a table `scenes.csv` that --scenes reads. A killed run
    continues when it is started again.
    """

    out: GivenPath
    """Folder to write."""
    scenes: GivenScenes = "clevr2d"
    """Scenes to draw: clevr2d, clevr2d:3 (three objects), clevr3d, or a CSV file of your own
    vocabulary of colours and shapes. The pictures of dsprites:FILE.npz and mpi3d:FILE.npz are
    written as they are, and take none of the options below.
    """
    kind: Literal["auto", "flat", "solid"] = "auto"
    """Look of the objects: flat shapes, or solid ones (extra [render3d]); auto is what the scenes
    say, flat for a table of your own.
    """
    size: int = 224
    """Width and height of a picture in pixels."""
    position_jitter: float = 0.5
    """Position jitter: share of the free space around an object that it may use, 0 to 1."""
    size_jitter: float = 0.15
    """Size jitter: largest share by which an object is smaller than its place."""
    background_jitter: float = 0.0
    """Background jitter: largest change of its colour, as a share of 255; flat scenes only."""
    seed: int = 0
    """Random seed; it decides positions, sizes and backgrounds."""
    processes: int = 1
    """Number of processes that draw at once."""

    def work(self) -> Path:
        """Draw, and return the table."""
        from conceptbind.core.errors import ValueRangeError
        from conceptbind.core.files import clear_asides, user_path
        from conceptbind.pictures.flat import FlatStyle
        from conceptbind.pictures.folder import draw_pictures
        from conceptbind.pictures.solid import SolidStyle
        from conceptbind.rows.source import table_of

        for name, value, least, most in (
            ("size", self.size, 16, 4096),
            ("seed", self.seed, 0, 2**63),
            ("processes", self.processes, 1, 1024),
            ("position_jitter", self.position_jitter, 0, 1),
            ("size_jitter", self.size_jitter, 0, 0.99),
            ("background_jitter", self.background_jitter, 0, 1),
        ):
            if not least <= value <= most:
                raise ValueRangeError(f"--{name} must lie between {least} and {most}; got {value}")
        table = table_of(self.scenes)
        if table.stored is not None:
            return self._written(table)
        chosen = (table.drawing or "flat") if self.kind == "auto" else self.kind
        style: FlatStyle | SolidStyle = SolidStyle(
            size=self.size, position_jitter=self.position_jitter, size_jitter=self.size_jitter
        )
        if chosen == "flat":
            style = FlatStyle(
                size=self.size,
                position_jitter=self.position_jitter,
                size_jitter=self.size_jitter,
                background_jitter=self.background_jitter,
            )
        folder = user_path(self.out)
        own(folder)
        clear_asides(folder)
        with progress(total=len(table), desc="drawing pictures", unit="picture") as bar:
            draw_pictures(
                table,
                folder,
                style=style,
                seed=self.seed,
                processes=self.processes,
                on_picture=bar.update,
            )
        return folder / "scenes.csv"

    def _written(self, table: "Scenes") -> Path:
        """Write the pictures of a file, and return their table."""
        from conceptbind.core.errors import ValueRangeError
        from conceptbind.core.files import clear_asides, user_path
        from conceptbind.pictures.stored import write_pictures

        drawing = (one for one in fields(self) if one.name not in ("out", "scenes"))
        idle = [f"--{one.name}" for one in drawing if getattr(self, one.name) != one.default]
        if idle:
            raise ValueRangeError(
                f"the pictures of '{table.name}' are written as they are, so "
                f"{', '.join(idle)} would decide nothing; leave out what is drawn with"
            )
        folder = user_path(self.out)
        own(folder)
        clear_asides(folder)
        with progress(total=len(table), desc="writing pictures", unit="picture") as bar:
            write_pictures(table, folder, on_picture=bar.update)
        return folder / "scenes.csv"


render = function_of(Render)
