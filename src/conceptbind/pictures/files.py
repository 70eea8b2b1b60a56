"""Pictures: are they all there, and the one way in which every command sees them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.core.errors import ConceptBindError, FileError, ValueRangeError
from conceptbind.core.limits import require_regular

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURE_FILE = "PNG, JPEG or another picture file"
"""What is expected where a picture should lie."""
MOST_OPEN = 64
"""Pictures open at once, at most."""
MOST_BYTES = 1 << 28
"""Their pixels: 64 pictures of 1.4 million pixels, 7 photographs of 12."""


def require_pictures(paths: Sequence[Path], places: Sequence[Path] = ()) -> None:
    """Raise FileError unless every file is there; names the first that is not, and counts the
    others. Opens none.

    Args:
        paths: the pictures of a table.
        places: every folder where its reader looked for them.
    """
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        count = (
            f" ({len(missing)} of {len(paths):,} pictures are missing)" if len(missing) > 1 else ""
        )
        looked = ""
        if len(places) > 1:
            looked = f"; looked {_in(places)}"
        raise FileError(
            f"the scene table names the picture {missing[0]}, which is not there{count}{looked}; "
            "put the pictures there, or use --modality text"
        )


def _in(places: Sequence[Path]) -> str:
    """Where several folders lie, with what they share said once."""
    if len({os.path.isabs(place) for place in places}) > 1:  # these share no part of their names
        return f"in {', '.join(map(str, places))}"
    top = os.path.commonpath(places)
    return f"below {top} in {', '.join(os.path.relpath(place, top) for place in places)}"


Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""
BOX_SHARE = 4
"""A box may be so many times as large as its picture; what is beyond it shows nothing."""
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""What turns a picture upright, by the number that a camera noted."""
_ORIENTATION = 0x0112


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Without what Pillow says of a file that it reads, for instance of a broken date in EXIF,
    which decides no pixel. Filters are the whole process's, so threads read within one such block.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
        yield


def read_picture(path: Path, box: Box | None = None, *, data: bytes | None = None) -> Image:
    """One picture file, or what a box shows of it, as every command sees it: see `as_seen`.

    Args:
        path: the file.
        box: what is seen of it.
        data: what it holds, where that was read; the caller is then within `quiet_pillow`.

    Raises:
        FileError: missing, no file, broken, truncated, or refused by `as_seen`; names the file.
        ValueRangeError: see `cut_out`.
    """
    from PIL import Image as Pillow

    try:
        if data is not None:
            return _opened(BytesIO(data), path, box)
        if path.exists():
            require_regular(path, PICTURE_FILE, "the picture ")
        with quiet_pillow():
            return _opened(path, path, box)
    except FileNotFoundError as error:
        raise FileError(f"the scene table names the picture {path}, which is not there") from error
    except Pillow.DecompressionBombError as error:
        raise FileError(
            f"the picture {path} is refused as a decompression bomb: {error}; save a smaller one"
        ) from error
    except ConceptBindError:
        raise
    except Exception as error:  # a decoder that is fed a broken file raises what it likes
        said = str(error) or type(error).__name__
        if "object at 0x" in said:  # Pillow names the stream that it was given
            said = "it is of no format that is known"
        raise FileError(
            f"the picture {path} cannot be read: {said:.200}; save it again as PNG or JPEG"
        ) from error


def _opened(file: Path | BytesIO, path: Path, box: Box | None) -> Image:
    from PIL import Image as Pillow

    with Pillow.open(file) as picture:
        most, pixels = Pillow.MAX_IMAGE_PIXELS, picture.width * picture.height
        if most is not None and pixels > most:  # where Pillow only warns
            raise Pillow.DecompressionBombError(
                f"Image size ({pixels} pixels) exceeds limit of {most} pixels"
            )
        return as_seen(picture, f"the picture {path}", box)


def as_seen(picture: Image, name: str = "a picture", box: Box | None = None) -> Image:
    """An open picture as every command sees it: RGB with 8 bits a channel, the right way up.

    Grey, palettes, CMYK and other colour models are converted. What is transparent stands on white.
    The rotation that a camera noted (EXIF) is applied. Of the several pictures in one camera file
    (MPO) the first, which is the photograph, is taken. Colour pictures with 16 bits a channel keep
    their upper 8. A box is in the file's own pixels, as in published lists: it is cut out before
    the rotation.

    Args:
        picture: of any mode.
        name: for messages.
        box: what is seen of it.

    Raises:
        FileError: animated, or with more than 8 bits a channel (whose scale nobody states).
        ValueRangeError: see `cut_out`.
    """
    from PIL import Image as Pillow

    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and getattr(picture, "format", None) != "MPO":
        raise FileError(
            f"{name} is animated or has pages ({frames} of them); save one as a file of its own"
        )
    if picture.mode.startswith(("I", "F")):
        raise FileError(
            f"{name} has more than 8 bits a channel (mode {picture.mode}); save it with 8"
        )
    picture.load()
    # a TIFF has been turned by its decoder
    turn = _UPRIGHT.get(picture.getexif().get(_ORIENTATION, 1))
    seen = _on_white(picture)
    if box is not None:
        seen = cut_out(seen, box, name)
    if turn is not None:
        seen = seen.transpose(Pillow.Transpose[turn])
    seen.info = {}  # notes of what has been done, which would be done again
    return seen


def _on_white(picture: Image) -> Image:
    """A picture as RGB, what is transparent laid over white."""
    from PIL import Image as Pillow

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Pillow.alpha_composite(Pillow.new("RGBA", layer.size, "white"), layer).convert("RGB")


def cut_out(picture: Image, box: Box, name: str = "a picture") -> Image:
    """What a box shows of a picture. Where the box reaches beyond it, it is black there, as
    Pillow's `crop` makes it.

    Args:
        picture: RGB.
        box: what is cut out.
        name: of the picture, for messages.

    Raises:
        ValueRangeError: the box is empty, wholly outside the picture, or more than `BOX_SHARE`
            times as large.
    """
    left, top, width, height = box
    size = f"which has {picture.width} x {picture.height}"
    if (
        width < 1
        or height < 1
        or left + width <= 0
        or top + height <= 0
        or left >= picture.width
        or top >= picture.height
    ):
        raise ValueRangeError(
            f"the box at {left}, {top} of {width} x {height} pixels shows nothing of {name}, {size}"
        )
    if width * height > BOX_SHARE * picture.width * picture.height:
        raise ValueRangeError(
            f"the box at {left}, {top} of {width} x {height} pixels is more than {BOX_SHARE} times "
            f"as large as {name}, {size}; "
            "boxes are left, top, width and height in pixels"
        )
    return picture.crop((left, top, left + width, top + height))


def picture_batches(
    pictures: Iterable[Callable[[], Image]], most: int = MOST_OPEN, most_bytes: int = MOST_BYTES
) -> Iterator[list[Image]]:
    """Pictures in batches that hold at most so many, and so many bytes; a batch is emptied when the
    next is asked for.

    Args:
        pictures: each opens one.
        most: pictures of a batch.
        most_bytes: of their pixels; a larger picture is a batch of its own.
    """
    batch: list[Image] = []
    held = 0
    for open_one in pictures:
        picture = open_one()
        size = 3 * picture.width * picture.height
        if batch and (len(batch) == most or held + size > most_bytes):
            yield batch
            batch.clear()
            held = 0
        batch.append(picture)
        held += size
        del picture
    if batch:
        yield batch
