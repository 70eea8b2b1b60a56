"""Scenes to rows, and scenes to pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from conceptbind.commands.common import drawn, rows_with_bar
from conceptbind.core.ownership import command, own, refuse_in_use
from conceptbind.core.typing import LongCaptions, Modalities, Precision
from conceptbind.run.bars import progress

if TYPE_CHECKING:
    from conceptbind.core.typing import Encoder
    from conceptbind.scenes.table import Scenes
else:
    # The command line reads the signatures below; it knows names only, and importing these would
    # make --help slow.
    Encoder = Scenes = str


@command
def embed(
    encoder: str | Encoder,
    *,
    out: str,
    scenes: str | Scenes = "clevr2d",
    modality: Modalities = "auto",
    template: str | None = None,
    precision: Precision = "float32",
    device: str = "auto",
    long_captions: LongCaptions = "truncate",
    trust_remote_code: bool = False,
) -> list[Path]:
    """Embed scenes into a folder that file:FOLDER reads again. A killed run continues when it is
    started again.

    Args:
        encoder: tiny, tiny-bound, minilm, hf:NAME or hf:FOLDER, st:NAME or st:FOLDER,
            open_clip:ARCH@TAG, timm:NAME, or py:module:factory.
        out: folder to write; with two modalities, its subfolders text and image.
        scenes: clevr2d (rendered; clevr2d:3 has three objects), text20, text20:10x10 (its first
            adjectives x nouns), clevr, clevr:PATH (a label table, LABCLIP's output_2obj.csv, or a
            scene file, whose scenes with 3 objects are clevr:FILE.json:3), pug-spar:PATH or
            pug-spare:PATH (with a world: pug-spare:PATH:Desert), or a table of your own (FILE.csv,
            or anywhere:FILE.csv for pictures outside its folder).
        modality: text, image or both; auto takes all that the encoder and the scenes can do.
        template: how a caption names an object, for example "{a} {object}" or "a photo of [{a}
            {color} {shape}]".
        precision: of the encoder's weights: float32, or bf16 where the processor is fast at it.
        device: where torch computes: cpu, cuda, ... or auto.
        long_captions: what becomes of captions that are longer than the model reads: truncate
            (their ends are cut off, counted and said) or refuse.
        trust_remote_code: run Python code that the model brings. Without it no code of a model is
            run.

    Raises:
        ConceptBindError: the input cannot be used; the message says what to do.
    """
    from conceptbind.core.files import clear_asides, user_path
    from conceptbind.encoders.registry import Opening
    from conceptbind.rows.source import open_inputs

    place = user_path(out)
    refuse_in_use(place)
    source, table = open_inputs(
        encoder, scenes, template, Opening(precision, device, long_captions, trust_remote_code)
    )
    modalities = source.able(table, modality)
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
    return folders


@command
def render(
    *,
    out: str,
    scenes: str | Scenes = "clevr2d",
    kind: Literal["auto", "flat", "solid"] = "auto",
    size: int = 224,
    position_jitter: float = 0.5,
    size_jitter: float = 0.15,
    background_jitter: float = 0.0,
    seed: int = 0,
    processes: int = 1,
) -> Path:
    """Draw scenes as pictures, with a table `scenes.csv` that --scenes reads. A killed run
    continues when it is started again.

    Args:
        out: folder to write.
        scenes: clevr2d, clevr2d:3 (three objects), clevr3d, or a CSV of your own vocabulary of
            colours and shapes.
        kind: flat shapes, or solid ones (extra [render3d]); auto is what the scenes say, flat for a
            table of your own.
        size: width and height in pixels.
        position_jitter: share of the free space around an object that it may use, 0 to 1.
        size_jitter: objects are up to this share smaller.
        background_jitter: largest change of the ground's colour, as a share of 255; flat scenes
            only.
        seed: of all jitter.
        processes: how many draw at once.

    Raises:
        ConceptBindError: the scenes cannot be drawn; the message says what the renderer knows.
    """
    from conceptbind.core.errors import ValueRangeError
    from conceptbind.core.files import clear_asides, user_path
    from conceptbind.pictures.flat import FlatStyle
    from conceptbind.pictures.folder import draw_pictures
    from conceptbind.pictures.solid import SolidStyle
    from conceptbind.scenes.named import load_scenes

    for name, value, least, most in (
        ("size", size, 16, 4096),
        ("seed", seed, 0, 2**63),
        ("processes", processes, 1, 1024),
        ("position_jitter", position_jitter, 0, 1),
        ("size_jitter", size_jitter, 0, 0.99),
        ("background_jitter", background_jitter, 0, 1),
    ):
        if not least <= value <= most:
            raise ValueRangeError(f"--{name} must lie between {least} and {most}; got {value}")
    table = load_scenes(scenes) if isinstance(scenes, str) else scenes
    chosen = (table.drawing or "flat") if kind == "auto" else kind
    style: FlatStyle | SolidStyle = SolidStyle(
        size=size, position_jitter=position_jitter, size_jitter=size_jitter
    )
    if chosen == "flat":
        style = FlatStyle(
            size=size,
            position_jitter=position_jitter,
            size_jitter=size_jitter,
            background_jitter=background_jitter,
        )
    folder = user_path(out)
    own(folder)
    clear_asides(folder)
    with progress(total=len(table), desc="drawing pictures", unit="picture") as bar:
        draw_pictures(
            table, folder, style=style, seed=seed, processes=processes, on_picture=bar.update
        )
    return folder / "scenes.csv"
