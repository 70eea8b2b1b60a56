"""Picture files: are they all there, and reading them as RGB."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from conceptbind.errors import FileError, ValueRangeError

if TYPE_CHECKING:
    from PIL.Image import Image


def require_pictures(paths: Sequence[Path], places: Sequence[Path] = ()) -> None:
    """Raise FileError unless every file is there; names the first that is not, and counts the others. Opens none.

    Args:
        paths: the pictures of a table.
        places: every folder where its reader looked for them.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        count = f" ({len(missing)} of {len(paths)} pictures are missing)" if len(missing) > 1 else ""
        looked = f"; looked in {', '.join(map(str, places))}" if len(places) > 1 else ""
        raise FileError(
            f"the scene table names the picture {missing[0]}, which is not there{count}{looked}; put the pictures there, "
            "or use --modality text"
        )


def read_picture(path: Path) -> Image:
    """One picture as RGB, the right way up, with 8 bits a channel.

    What a file may hold besides plain RGB: grey, palettes, CMYK and other colour models are converted; what is transparent stands
    on white; the rotation that a camera noted (EXIF) is applied; of the several pictures in one camera file (MPO) the first, which is
    the photograph, is taken. Colour pictures with 16 bits a channel keep their upper 8.

    Raises:
        FileError: missing, broken, truncated, animated, grey with more than 8 bits (whose scale nobody states), or so large that it
            may be a decompression bomb; names the file.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # for instance a broken date in EXIF, which decides no pixel
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            with Pillow.open(path) as picture:
                frames = getattr(picture, "n_frames", 1)
                if frames > 1 and picture.format != "MPO":
                    raise FileError(
                        f"the picture {path} is animated or has pages ({frames} of them); save one as a file of its own"
                    )
                if picture.mode.startswith(("I", "F")):
                    raise FileError(f"the picture {path} has more than 8 bits a channel (mode {picture.mode}); save it with 8")
                return _on_white(ImageOps.exif_transpose(picture))
    except FileNotFoundError as error:
        raise FileError(f"the scene table names the picture {path}, which is not there") from error
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise FileError(f"the picture {path} is refused as a decompression bomb: {error}; save a smaller one") from error
    except FileError:
        raise
    except Exception as error:  # a decoder that is fed a broken file raises what it likes
        raise FileError(
            f"the picture {path} cannot be read: {error or type(error).__name__}; save it again as PNG or JPEG"
        ) from error


def _on_white(picture: Image) -> Image:
    """A picture as RGB, what is transparent laid over white."""
    from PIL import Image as Pillow

    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    return Pillow.alpha_composite(Pillow.new("RGBA", layer.size, "white"), layer).convert("RGB")


def cut_out(picture: Image, box: tuple[int, int, int, int], path: Path) -> Image:
    """What a box shows of a picture. Where the box reaches beyond it, it is black there, as Pillow's `crop` makes it.

    Args:
        picture: RGB.
        box: left, top, width and height in pixels.
        path: of the picture, for messages.

    Raises:
        ValueRangeError: the box is empty, or wholly outside the picture.
    """
    left, top, width, height = box
    if width < 1 or height < 1 or left + width <= 0 or top + height <= 0 or left >= picture.width or top >= picture.height:
        raise ValueRangeError(
            f"the box at {left}, {top} of {width} x {height} pixels shows nothing of the picture {path}, "
            f"which has {picture.width} x {picture.height}"
        )
    return picture.crop((left, top, left + width, top + height))
