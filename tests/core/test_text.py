"""Text is read one way: encodings, marks, line ends, separators, broken characters; and what cannot
be read is refused in one line.
"""

from __future__ import annotations

import os
import time

import pytest

from conceptbind.cli import main
from conceptbind.commands.captioned import read_captions
from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    MismatchError,
    UnsafeFileError,
    ValueRangeError,
    nearest,
)
from conceptbind.core.files import read_json
from conceptbind.core.text import parse_json, read_json_values, read_lines, read_table, read_text
from conceptbind.repairs.negatives.read import read_negclip
from conceptbind.scenes import Scenes, load_scenes, read_clevr, read_scenes, split_scenes
from conceptbind.scenes.space import ConceptSpace

TABLE = (
    "color_1,shape_1,color_2,shape_2,caption\nred,cube,blue,ball,a red cube and a blue "
    "ball\nblue,cube,red,ball,x\n"
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le-mark", "utf-16-be-mark", "utf-32")


def encoded(text, encoding):
    if encoding.endswith("-mark"):
        return ("\ufeff" + text).encode(encoding.removesuffix("-mark"))
    return text.encode(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_format_reads_every_declared_encoding_and_line_end(tmp_path, encoding, end):
    def write(name, text):
        path = tmp_path / name
        path.write_bytes(encoded(text.replace("\n", end), encoding))
        return path

    scenes = read_scenes(write("t.csv", TABLE.replace("red", "rosé")))
    assert scenes.space.values == (("blue", "rosé"), ("ball", "cube"))
    assert scenes.caption(1) == "x"
    assert read_captions(write("captions.txt", "a rosé dog\na cat\n")) == ["a rosé dog", "a cat"]
    assert read_json(write("a.json", '{\n"a": "é"}\n')) == {"a": "é"}
    assert read_json_values(write("a.jsonl", '{"a": "é"}\n\n{"a": 2}\n'), "") == [
        {"a": "é"},
        {"a": 2},
    ]
    clevr = (
        '{"scenes": [{"image_filename": "a.png", "objects": [{"color": "red", "shape": '
        '"cube",\n"pixel_coords": [1, 2, 3]}]}]}'
    )
    assert read_clevr(write("CLEVR_val_scenes.json", clevr)).caption(0) == "a red cube"


@pytest.mark.parametrize(
    "mark", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]
)
def test_only_cr_and_lf_end_a_line(tmp_path, mark):
    path = tmp_path / "a.txt"
    path.write_bytes(f"one{mark}two\nthree\n".encode())
    assert read_lines(path) == [f"one{mark}two", "three"]
    assert read_captions(path) == [f"one{mark}two", "three"]
    table = tmp_path / "t.csv"
    table.write_bytes(f"color_1,caption\nred,one{mark}two\n".encode())
    assert read_scenes(table).caption(0) == f"one{mark}two"


def test_json_lines_end_at_line_feeds_only(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"a": "one\u2028two\u0085three"}\n{"a": "x"}\n'.encode())
    assert read_json_values(path, "") == [{"a": "one\u2028two\u0085three"}, {"a": "x"}]


def test_json_lines_under_the_name_of_json(tmp_path):
    path = tmp_path / "test.json"
    path.write_text('{"id": 1}\n{"id": 2}\n')
    assert read_json_values(path, "") == [{"id": 1}, {"id": 2}]
    path.write_text('{"id": 1}\n')
    assert read_json_values(path, "") == {"id": 1}


def test_marks_of_files_that_were_appended_to_one_another_go(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\n\ufefftwo\n".encode())
    assert read_lines(path) == ["one", "two"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("rosé\n".encode("cp1252"), "iconv -f WINDOWS-1252 -t UTF-8 a.txt > utf8-a.txt"),
        ("rosé\n".encode("latin-1"), "line 1 has the byte 0xe9"),
        (b"\x81\xe9\n", "iconv -f ISO-8859-1"),
        (b"a\nb\0c\n", "line 2 holds a NUL character"),
        ("text".encode("utf-16-le"), "line 1 holds a NUL character"),
        ("rosé".encode("utf-16-le"), "seems to be no text"),
        (b"a\n\xed\xa0\x80\n", "line 2 holds half of a surrogate pair"),
        (b"\xff\xfea\x00\x00\xd8", "its byte order mark says utf-16-le"),
        (b"PK\x03\x04\x14\x00", "a zip archive, as spreadsheets of Excel are"),
        (b"\x1f\x8b\x08", "compressed"),
    ],
)
def test_what_is_no_text_is_refused_with_what_to_do(tmp_path, content, message):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    for read in (read_text, read_captions, read_table, read_json):
        with pytest.raises(FileError) as caught:
            read(path)
        assert message in str(caught.value)
        assert len(str(caught.value)) < 500
        assert "\n" not in str(caught.value)


def test_folders_pipes_and_missing_files_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for name, message in (
        ("pipe.csv", "a pipe or a device"),
        ("no.csv", "No such file"),
        ("a\0b.csv", "null|NUL"),
    ):
        with pytest.raises(FileError, match=message):
            read_table(tmp_path / name)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(FileError, match="it is a folder"):
        read_scenes(tmp_path / "folder.csv")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\r\n\r\n"])
def test_empty_files_are_refused_everywhere(tmp_path, content):
    for read, name in (
        (read_captions, "a.txt"),
        (read_scenes, "a.csv"),
        (read_clevr, "a.csv"),
        (read_json, "a.json"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConceptBindError, match="empty"):
            read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.TSV", "a.json", "a.jsonl"])
def test_a_table_is_not_taken_for_captions(tmp_path, name):
    (tmp_path / name).write_text("image,caption\na.png,a red dog\n")
    with pytest.raises(FileError, match="write the captions alone into a text file"):
        read_captions(tmp_path / name)


# --- separators
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
def test_a_table_reads_the_same_whatever_separates_its_cells(tmp_path, mark, name):
    path = tmp_path / name
    path.write_text(TABLE)
    plain = read_scenes(path).content_hash
    path.write_text(TABLE.replace(",", mark))
    assert read_scenes(path).content_hash == plain
    path.write_text(f"sep={mark}\n" + TABLE.replace(",", mark))
    assert read_scenes(path).content_hash == plain
    path.write_text(TABLE.replace(",", mark) + mark * 4 + "\n")  # as spreadsheets end
    assert read_scenes(path).content_hash == plain


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_separators_inside_cells_are_content(tmp_path, mark):
    path = tmp_path / "t.csv"
    path.write_text(f"color_1,caption\nred,a{mark}b{mark}c\nblue,d\n")
    assert read_scenes(path).caption(0) == f"a{mark}b{mark}c"
    path.write_text(f"color_1{mark}caption\nred{mark}a, b, c\nblue{mark}d\n")
    assert read_scenes(path).caption(0) == "a, b, c"
    path.write_text(
        f'"color_1"{mark}"the caption, in '
        f'words"{mark}caption\nred{mark}x{mark}y\nred{mark}x{mark}y\n'
    )
    assert read_scenes(path).caption(0) == "y"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "color_1,shape_1;color_2\nred,cube\nred;cube\n",
            "cannot be told what separates the cells",
        ),
        ("color\nred;cube\nblue;ball\n", "separated by semicolons; give each column its name"),
        ("color\nred|cube\nblue|ball\n", "has one column name, 'color'"),
        ('"color_1;shape_1"\n"red;cube"\n"blue;ball"\n', "seems to be quoted as a whole"),
        (
            'color_1,caption\nred,"a red cube\nblue,x\n',
            "a quotation mark opens in line 2 and is not closed there",
        ),
        (
            'caption\tcolor_1\n"Stop sign\tred\nx\tblue\ny "z" \tred\n',
            "a quotation mark opens in line 2 and is not closed there",
        ),
        (
            "color_1 shape_1 color_2 shape_2\nred cube blue ball\nblue ball red cube\n",
            "every line below it has 4 words too",
        ),
        ("color:shape\nred:cube\nblue:ball\n", "every line below it has 2 words too"),
        (
            "left_color,left_shape,right_color,right_shape\nred,cube,blue,ball\nblue,ball,red,cube\n",
            "share 2 values, such as",
        ),
    ],
)
def test_a_table_that_could_be_read_in_two_ways_is_refused(tmp_path, text, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(ConceptBindError, match=message):
        read_scenes(path)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "header",
    [
        "color,shape,color2,shape2",
        "color1,shape1,color2,shape2",
        "color,shape,color.1,shape.1",
        "color 1,shape 1,color 2,shape 2",
        "color_1,shape_1,color2,shape2",
        "color,shape,color_2,shape_2",
        "object1_color,object1_shape,object2_color,object2_shape",
        "object_1_color,object_1_shape,object_2_color,object_2_shape",
    ],
)
def test_slots_as_people_number_them(tmp_path, header, mark):
    path, rows = tmp_path / "t.csv", "red,cube,blue,ball\nred,cube,blue,cube\nblue,ball,red,cube\n"
    path.write_text(f"{header}\n{rows}".replace(",", mark))
    scenes = read_scenes(path)
    assert scenes.space.concepts == ("color", "shape")
    assert [scenes.caption(row) for row in (0, 2)] == [
        "a red cube and a blue ball",
        "a blue ball and a red cube",
    ]


def test_what_may_be_a_table_or_a_vocabulary_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("color,shape,color2,shape2\nred,cube,blue,ball\nblue,ball,red,cube\n")
    with pytest.raises(ValueRangeError, match="may be a table of scenes or a vocabulary"):
        read_scenes(path)
    # a vocabulary has no ids
    path.write_text("id,color,shape,color2,shape2\n0,red,cube,blue,ball\n1,blue,ball,red,cube\n")
    assert read_scenes(path).caption(1) == "a blue ball and a red cube"


def test_a_table_without_slots_is_told_which_columns_it_needs(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("color,shape\nred,cube\nred,ball\n")
    with pytest.raises(
        ValueRangeError, match=r"A table of scenes needs columns .* such as color_1, shape_1"
    ) as caught:
        read_scenes(path)
    assert "this one has color, shape" in str(caught.value)
    path.write_text(",color_1\n0,red\n")
    with pytest.raises(ValueRangeError, match="save the table with index=False"):
        read_scenes(path)


# --- pictures outside
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "/etc/hostname.png",
        "../other/a.png",
        "sub/../../a.png",
        "C:\\a.png",
        "..\\a.png",
        "\\\\host\\a.png",
    ],
)
@pytest.mark.parametrize("column", ["filename", "image"])
def test_pictures_outside_the_folder_of_the_table_are_refused_unless_asked(tmp_path, name, column):
    path = tmp_path / "t.csv"
    path.write_text(f"{column},color_1\nok.png,red\n{name},blue\n")
    with pytest.raises(UnsafeFileError, match="outside the folder of the table") as caught:
        load_scenes(str(path))
    assert f"anywhere:{path}" in str(caught.value)
    assert load_scenes(f"anywhere:{path}").images == ["ok.png", name]


def test_pictures_below_the_folder_are_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("filename,color_1\nsub/a..b.png,red\n./b.png,blue\n")
    assert load_scenes(str(path)).images == ["sub/a..b.png", "./b.png"]


# --- broken characters, duplicates, depth
# -----------------------------------------------------------------------------------------


def test_a_cell_of_several_lines_is_one_cell(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('color_1,caption\nred,"two\nlines, with ""quotes"""\nblue,x\n')
    assert [read_scenes(path).caption(row) for row in (0, 1)] == ['two\nlines, with "quotes"', "x"]
    # a mark inside a cell opens nothing
    path.write_text('color_1,caption\nred,a 5" pipe\nblue,x\n')
    assert read_scenes(path).caption(0) == 'a 5" pipe'


def test_written_negatives_with_half_a_pair_are_refused(tmp_path):
    path = tmp_path / "n.tsv"
    path.write_text("title\tneg_caption\na b\t['b \\ud83d a']\n")
    with pytest.raises(ValueRangeError, match="half of a surrogate pair"):
        read_negclip(path)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_configuration_in_every_declared_encoding(tmp_path, capsys, encoding):
    path = tmp_path / "options.yaml"
    path.write_bytes(encoded("scenes: text20:2x2\r\nsize: 16000\r\n", encoding))
    assert main(["render", "--config", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "16000" in capsys.readouterr().err  # read, and refused for what it says
    path.write_bytes("scenes: rosé\n".encode("cp1252"))
    assert main(["render", "--config", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "iconv -f WINDOWS-1252" in capsys.readouterr().err


def test_half_a_surrogate_pair_is_refused_before_any_work(tmp_path):
    for make in (
        lambda: Scenes.unlabelled("x", captions=["fine", "a \ud83d dog"]),
        lambda: Scenes(ConceptSpace(("color",), (("red",),)), [[[0]]], ids=["\udc00"]),
        lambda: Scenes(ConceptSpace(("color",), (("red",),)), [[[0]]], images=["\udcff.png"]),
        lambda: Scenes(ConceptSpace(("color",), (("red",),)), [[[0]]], template="\udcff {object}"),
        lambda: ConceptSpace(("color",), (("red", "bl\udc00ue"),)),
        lambda: parse_json(r'["fine", {"a": "x \ud83d y"}]', "FILE", ""),
        lambda: parse_json(r'{"\udc00": 1}', "FILE", ""),
    ):
        with pytest.raises(ValueRangeError, match="half of a surrogate pair"):
            make()
    assert parse_json(r'"\ud83d\ude00"', "FILE", "") == "😀"


def test_checks_of_many_names_take_no_time(tmp_path):
    names = [f"x{i}" for i in range(100_000)]
    vocabulary, table, items = tmp_path / "v.csv", tmp_path / "t.csv", tmp_path / "i.json"
    vocabulary.write_text("\n".join(["color", *names, names[-1]]))
    table.write_text(
        "\n".join(["id,color_1", *(f"{name},red" for name in names), f"{names[-1]},red"])
    )
    items.write_text("{" + ",".join(f'"{name}": 1' for name in [*names, names[-1]]) + "}")
    start = time.process_time()
    with pytest.raises(ValueRangeError, match="'x99999' appears 2 times"):
        read_scenes(vocabulary)
    with pytest.raises(ValueRangeError, match="duplicate scene id 'x99999'"):
        read_scenes(table)
    with pytest.raises(MismatchError, match="the id 'x99999' twice"):
        read_json_values(items, "")
    assert time.process_time() - start < 10  # a count inside a loop takes minutes


def test_spaces_of_many_objects_are_split_by_what_is_there_and_the_largest_refused(tmp_path):
    path = tmp_path / "t.csv"
    rows = [[f"{concept}{i % 3000}" for _ in range(2) for concept in "abcd"] for i in range(6000)]
    header = [f"{concept}x_{slot}" for slot in (1, 2) for concept in "abcd"]
    path.write_text("\n".join(map(",".join, [header, *rows])))
    scenes = read_scenes(path)  # 3,000^4 objects
    for by in ("pair", "orbit", "object"):
        split = split_scenes(scenes, by, seed=0)
        assert len(split.train) == 2400
    with pytest.raises(ValueRangeError, match="more objects than can be numbered"):
        ConceptSpace(tuple("bcdefghijk"), tuple(tuple(map(str, range(100))) for _ in range(10)))


def test_json_that_is_too_deep_is_refused():
    for text in ("[" * 200_000, '{"a":' * 200_000):
        with pytest.raises(FileError, match="nested too deep|not valid JSON"):
            parse_json(text, "FILE", "get it again")


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("crimson", ("blue", "brown", "green"), "known: blue, brown, green"),
        ("olive", ("lime", "blue"), "known: blue, lime"),
        ("purpel", ("purple", "pink"), "did you mean 'purple'?"),
        ("rde", ("red", "green"), "did you mean 'red'?"),
        ("RED", ("red", "green"), "did you mean 'red'?"),
        ("wino", ("winoground", "coco"), "did you mean 'winoground'?"),
        ("", ("a", "b"), "known: a, b"),
    ],
)
def test_only_what_is_near_is_suggested(name, known, expected):
    assert nearest(name, known) == expected
    assert len(nearest("zzz", (f"name{i}" for i in range(100_000)))) < 300
