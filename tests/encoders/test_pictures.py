"""Every kind of picture file is converted rightly or refused by name; each is a real file, written
here.
"""

from __future__ import annotations

import os
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from conceptbind.core.errors import FileError
from conceptbind.pictures.files import read_picture, require_pictures

RED, WHITE = (255, 0, 0), (255, 255, 255)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour_type, rows):
    """A PNG file by hand, for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def noise(mode="RGB", size=(40, 30)):
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


@pytest.fixture
def refused(tmp_path):
    def attempt(path):
        with pytest.raises(FileError) as caught:
            read_picture(path)
        assert str(path) in str(caught.value)
        return str(caught.value).replace(str(path), "FILE")

    return attempt


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff", "ppm"])
def test_plain_colour_is_kept_to_the_bit(tmp_path, ending):
    noise().save(tmp_path / f"a.{ending}")
    picture = read_picture(tmp_path / f"a.{ending}")
    assert picture.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(noise()))


@pytest.mark.parametrize("ending", ["jpg", "webp", "gif"])
def test_lossy_files_come_close(tmp_path, ending):
    Image.new("RGB", (16, 16), (200, 30, 60)).save(tmp_path / f"a.{ending}")
    np.testing.assert_allclose(
        np.asarray(read_picture(tmp_path / f"a.{ending}")), [[(200, 30, 60)] * 16] * 16, atol=6
    )


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [("L", 77, (77,) * 3), ("1", 1, WHITE), ("LA", (77, 255), (77,) * 3)],
)
def test_grey_becomes_three_equal_channels(tmp_path, mode, value, expected):
    Image.new(mode, (3, 2), value).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").getpixel((2, 1)) == expected


@pytest.mark.parametrize("ending", ["jpg", "tiff"])
@pytest.mark.parametrize(
    ("ink", "colour"),
    [
        ((0, 255, 255, 0), RED),
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 0, 0, 0), WHITE),
        ((0, 0, 0, 255), (0, 0, 0)),
    ],
)
def test_cmyk_becomes_the_colour_of_its_inks(tmp_path, ending, ink, colour):
    """JPEG files of Adobe hold the inks inverted; read without care, red comes out as cyan."""
    path = tmp_path / f"a.{ending}"
    Image.new("CMYK", (16, 16), ink).save(path)
    with Image.open(path) as stored:
        assert stored.mode == "CMYK"
    np.testing.assert_allclose(read_picture(path).getpixel((8, 8)), colour, atol=3)


def test_the_colour_model_of_video_is_converted(tmp_path):
    Image.new("RGB", (16, 16), RED).convert("YCbCr").save(tmp_path / "a.tiff")
    np.testing.assert_allclose(read_picture(tmp_path / "a.tiff").getpixel((8, 8)), RED, atol=3)


@pytest.mark.parametrize("ending", ["png", "webp", "tiff"])
def test_what_is_transparent_stands_on_white(tmp_path, ending):
    """Plain conversion would show the colour that hides behind full transparency, most often
    black.
    """
    layer = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    layer.putpixel((0, 0), (255, 0, 0, 255))
    layer.putpixel((1, 0), (255, 0, 0, 128))
    layer.save(
        tmp_path / f"a.{ending}", **({"lossless": True, "exact": True} if ending == "webp" else {})
    )
    picture = read_picture(tmp_path / f"a.{ending}")
    assert [picture.getpixel(place) for place in ((0, 0), (0, 1), (1, 1))] == [RED, WHITE, WHITE]
    np.testing.assert_allclose(picture.getpixel((1, 0)), (255, 127, 127), atol=1)


@pytest.mark.parametrize("transparent", [0, bytes([0, 255]), bytes([0, 128])])
def test_a_transparent_palette_entry_stands_on_white(tmp_path, transparent):
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.putdata([0, 1])
    palette.save(tmp_path / "a.png", transparency=transparent)
    picture = read_picture(tmp_path / "a.png")
    assert picture.getpixel((0, 0)) == WHITE
    np.testing.assert_allclose(
        picture.getpixel((1, 0)), (255, 127, 127) if transparent == bytes([0, 128]) else RED, atol=1
    )


def test_a_transparent_still_gif_and_colour_keys_stand_on_white(tmp_path):
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.putdata([0, 1])
    palette.save(tmp_path / "a.gif", transparency=0)
    Image.fromarray(np.array([[(0, 0, 0), RED]], dtype=np.uint8)).save(
        tmp_path / "rgb.png", transparency=(0, 0, 0)
    )
    Image.fromarray(np.array([[0, 90]], dtype=np.uint8)).save(tmp_path / "grey.png", transparency=0)
    assert [read_picture(tmp_path / "a.gif").getpixel((x, 0)) for x in (0, 1)] == [WHITE, RED]
    assert [read_picture(tmp_path / "rgb.png").getpixel((x, 0)) for x in (0, 1)] == [WHITE, RED]
    assert [read_picture(tmp_path / "grey.png").getpixel((x, 0)) for x in (0, 1)] == [
        WHITE,
        (90, 90, 90),
    ]


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, (0, 0)), (3, (1, 1)), (6, (1, 0)), (8, (0, 1))]
)
def test_the_rotation_of_the_camera_is_applied(tmp_path, ending, orientation, corner):
    """The stored picture has one red quarter at its upper left; the note says where it belongs."""
    stored = Image.new("RGB", (64, 32), WHITE)
    stored.paste(RED, (0, 0, 32, 16))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a.{ending}", exif=exif)
    picture = read_picture(tmp_path / f"a.{ending}")
    assert picture.size == ((64, 32) if orientation in (1, 3) else (32, 64))
    at = [
        (picture.width // 4 + x * picture.width // 2, picture.height // 4 + y * picture.height // 2)
        for y in (0, 1)
        for x in (0, 1)
    ]
    red = [sum(picture.getpixel(place)) < 400 for place in at]
    assert red == [(x, y) == corner for y in (0, 1) for x in (0, 1)]


def test_broken_notes_of_a_camera_do_not_matter(tmp_path):
    noise().save(
        tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00\x12\x01\x03\x00"
    )
    assert read_picture(tmp_path / "a.jpg").size == (40, 30)


def test_the_first_picture_of_a_camera_file_is_the_photograph(tmp_path):
    Image.new("RGB", (16, 16), RED).save(
        tmp_path / "a.mpo", save_all=True, append_images=[Image.new("RGB", (8, 8), WHITE)]
    )
    picture = read_picture(tmp_path / "a.mpo")
    assert picture.size == (16, 16)
    np.testing.assert_allclose(picture.getpixel((8, 8)), RED, atol=3)


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tiff"])
def test_an_animated_picture_is_refused(tmp_path, refused, ending):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, WHITE, (0, 0, 255))]
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:])
    text = refused(tmp_path / f"a.{ending}")
    assert (
        text
        == "the picture FILE is animated or has pages (3 of them); save one as a file of its own"
    )


@pytest.mark.parametrize(
    ("dtype", "ending"),
    [(np.uint16, "png"), (np.uint16, "tiff"), (np.int32, "tiff"), (np.float32, "tiff")],
)
def test_grey_with_more_than_8_bits_is_refused(tmp_path, refused, dtype, ending):
    """Conversion would clip it at 255: a picture of the values 0..65535 would become white."""
    Image.fromarray(np.full((4, 4), 40_000, dtype=dtype)).save(tmp_path / f"a.{ending}")
    assert re.fullmatch(
        r"the picture FILE has more than 8 bits a channel \(mode [IF].*\); save it with 8",
        refused(tmp_path / f"a.{ending}"),
    )


def test_colour_with_16_bits_keeps_the_upper_8(tmp_path):
    row = b"\x00" + struct.pack(">6H", 0xFFFF, 0x8012, 0x00FF, 0x1234, 0, 0xFFFF)
    (tmp_path / "a.png").write_bytes(png(2, 1, 16, 2, row))
    picture = read_picture(tmp_path / "a.png")
    assert [picture.getpixel((x, 0)) for x in (0, 1)] == [(255, 128, 0), (18, 0, 255)]


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tiff", "webp", "ppm"])
@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.5, 0.8])
def test_a_truncated_picture_is_refused(tmp_path, refused, ending, part):
    path = tmp_path / f"a.{ending}"
    noise(size=(200, 150)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    assert refused(path).startswith("the picture FILE cannot be read: ")


@pytest.mark.parametrize(
    "content", [b"not a picture", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff\xe0", bytes(500)]
)
def test_something_else_under_the_name_of_a_picture_is_refused(tmp_path, refused, content):
    (tmp_path / "a.png").write_bytes(content)
    assert refused(tmp_path / "a.png").endswith("save it again as PNG or JPEG")


def test_damage_inside_a_picture_is_found(tmp_path, refused):
    noise().save(tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "a.png").write_bytes(content)
    assert "cannot be read" in refused(tmp_path / "a.png")


def test_a_folder_and_a_missing_file_are_named(tmp_path, refused):
    assert (
        refused(tmp_path / "no.png") == "the scene table names the picture FILE, which is not there"
    )
    (tmp_path / "folder.png").mkdir()
    assert "it is a folder" in refused(tmp_path / "folder.png")


@pytest.mark.parametrize("side", [9_500, 60_000])
def test_a_decompression_bomb_is_refused_before_it_goes_off(tmp_path, refused, side):
    """A few bytes that say they are 90 million or 3.6 billion pixels; only their header is read."""
    (tmp_path / "a.png").write_bytes(png(side, side, 8, 2, b"\x00"))
    text = refused(tmp_path / "a.png")
    assert text.startswith("the picture FILE is refused as a decompression bomb: ")
    assert str(side * side) in text


def test_a_bomb_that_pillow_wrote_is_refused(tmp_path, refused):
    Image.new("L", (9_500, 9_500)).save(tmp_path / "a.png", compress_level=1)
    assert "decompression bomb" in refused(tmp_path / "a.png")


def test_text_that_blows_up_is_refused(tmp_path, refused):
    """A PNG whose compressed comment unpacks to 100 million bytes."""
    comment = chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(100_000_000)))
    whole = png(2, 1, 8, 2, bytes(7))
    (tmp_path / "a.png").write_bytes(whole[:33] + comment + whole[33:])
    assert refused(tmp_path / "a.png").startswith("the picture FILE cannot be read: ")


def test_all_pictures_are_looked_for_and_none_is_opened(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(b"not a picture")
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    require_pictures(paths)
    (tmp_path / "1.png").unlink()
    one = (
        f"^the scene table names the picture {tmp_path / '1.png'}, which is not there; put the "
        "pictures there, or use --modality text$"
    )
    with pytest.raises(FileError, match=one):
        require_pictures(paths, [tmp_path])
    os.remove(tmp_path / "2.png")
    two = (
        f"1.png, which is not there (2 of 3 pictures are missing); looked in {tmp_path}, "
        "elsewhere; put"
    )
    with pytest.raises(FileError, match=re.escape(two)):
        require_pictures(paths, [tmp_path, "elsewhere"])
