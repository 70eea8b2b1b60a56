"""NegCLIP's table: lists are parsed, never run; what is not a negative is left out and counted."""

import sys

import pytest

from conceptbind.core.errors import FileError, UnknownNameError, UnsafeFileError, ValueRangeError
from conceptbind.repairs.negatives import read_negclip

HEADER = "\ttitle\tfilepath\tneg_caption\tneg_image\n"


@pytest.fixture
def write(tmp_path):
    def write(*cells, header=HEADER):
        path = tmp_path / "negatives.tsv"
        path.write_text(
            header
            + "".join(
                f"{i}\ta dog sees a cat.\tdog.jpg\t{cell}\t[1]\n" for i, cell in enumerate(cells)
            ),
            encoding="utf-8",
        )
        return path

    return write


def test_lists_are_read_as_they_are_written(write):
    found = read_negclip(
        write(
            "['a cat sees a dog .', \"a dog's cat\"]",
            '"[""the cat\'s dog"", \'ein Hündchen \\d\']"',
        )
    )
    assert found.pairs == [
        ("a dog sees a cat.", ["a cat sees a dog .", "a dog's cat"]),
        ("a dog sees a cat.", ["the cat's dog", "ein Hündchen \\d"]),
    ]
    assert found.skipped == {}


def test_what_is_no_negative_is_left_out_and_counted(write):
    found = read_negclip(
        write("[]", "['A dog  sees a cat .']", "['a dog sees a cat', 'a cat sees a dog']")
    )
    assert found.pairs == [("a dog sees a cat.", ["a cat sees a dog"])]
    assert found.skipped == {
        "captions without a negative": 2,
        "negatives equal to their caption": 2,
    }


@pytest.mark.parametrize(
    "cell",
    [
        "[__import__('sys').modules.__setitem__('conceptbind_was_run', 1)]",
        "__import__('os').system('true')",
        "[x for x in 'ab']",
        "['a' * 10**9]",
        "(" * 5000 + ")" * 5000,
        "[" * 150 + "]" * 150,
        "['a cat'",
        "('a', 'b')",
        "['a', 3]",
        "['a', ' ']",
        "{'a': 'b'}",
        "a cat sees a dog",
        "",
    ],
)
def test_anything_but_a_list_of_text_is_refused_and_not_run(write, cell):
    path = write("['a cat sees a dog']", cell)
    with pytest.raises(
        ValueRangeError, match=r"negatives\.tsv, line 3: neg_caption must be a list of text"
    ):
        read_negclip(path)
    assert "conceptbind_was_run" not in sys.modules


def test_wrong_files_are_named(write, tmp_path):
    with pytest.raises(FileError, match=r"could not read the table .*missing\.tsv"):
        read_negclip(tmp_path / "missing.tsv")
    with pytest.raises(UnsafeFileError, match="is a pickle"):
        read_negclip(tmp_path / "negatives.pkl")
    with pytest.raises(
        UnknownNameError,
        match=r"has no column 'neg_caption': expected the columns title, .* separated by tabs; got",
    ):
        read_negclip(write("[]", header=HEADER.replace("neg_caption", "negatives")))
    with pytest.raises(ValueRangeError, match=r"line 2: expected 6 cells as in the header, got 5"):
        read_negclip(write("[]", header=HEADER.replace("\n", "\tmore\n")))


def test_the_published_file(shared_data):
    found = read_negclip(shared_data / "negclip_captions.tsv")
    assert len(found.pairs) + found.skipped["captions without a negative"] == 500
    assert found.pairs[0][1][0] == "A umbrella holding a flowered child and petting a yak ."
    assert all(negatives for _, negatives in found.pairs)
