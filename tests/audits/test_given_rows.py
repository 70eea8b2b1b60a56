"""An audit by rows of captions that another program embeds."""

from __future__ import annotations

import numpy as np
import pytest

import conceptbind
import planted_index as planted
from conceptbind.audits.given import GivenRows, given_rows, lines_of
from conceptbind.cli import main
from conceptbind.core.errors import FileError, MismatchError, ModalityError, ValueRangeError
from conceptbind.rows.arrays import read_embeddings_file

CAPTIONS = planted.captions(400)
ENCODER = planted.Planted(0.5, turned=True, noise=0.3)
OPTIONS = {"sample": 90, "searches": 40, "tagger": "hanta", "modality": "image"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("index.npy", ENCODER.pictures(CAPTIONS))
    (tmp_path / "captions.txt").write_text("\n".join(CAPTIONS))
    return tmp_path


WORDS = ["audit", "file:rows.npy", "--index", "index.npy", "--captions", "captions.txt"]
WORDS += ["--modality", "image", "--tagger", "hanta", "--sample", "90", "--searches", "40"]
WORDS += ["--out", "run"]


def test_the_same_command_asks_for_rows_and_audits_them(place, capsys):
    """What is found is what an encoder in the same place finds."""
    assert main(WORDS) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    lines = (place / "rows.txt").read_text().splitlines()
    assert f"embed the {len(lines)} lines of rows.txt with the model of the index" in told
    assert not (place / "run").exists()
    np.save("rows.npy", 3 * ENCODER.encode_texts(lines))
    assert main(WORDS) == 0
    said = capsys.readouterr().out
    assert "conceptbind apply run --texts QUERIES.npy --out mapped.npy" in said
    rows = conceptbind.load_run("run").records
    found = conceptbind.audit(
        ENCODER, index="index.npy", captions="captions.txt", out="own", **OPTIONS
    )
    for metric in ("binding_accuracy", "swap_error", "recall_at_1", "paraphrase_accuracy"):
        for one, other in zip(
            rows.where(study="audit", metric=metric),
            found.records.where(study="audit", metric=metric),
            strict=True,
        ):
            assert (one.n, one.ties) == (other.n, other.ties)
            assert abs(one.value - other.value) < 1e-9
    own, given = (conceptbind.load_adapter(folder).weight for folder in ("own", "run"))
    np.testing.assert_allclose(own, given, atol=1e-3)
    assert main(WORDS) == 0, "a finished audit is read"


def test_rows_in_another_order_do_not_fit(place, capsys):
    main(WORDS)
    lines = (place / "rows.txt").read_text().splitlines()
    rows = ENCODER.encode_texts(lines)
    np.save("rows.npy", rows[np.random.default_rng(0).permutation(len(rows))])
    capsys.readouterr()
    assert main(WORDS) == 2
    told = capsys.readouterr().err
    assert "the rows of index.npy do not fit the captions of 'file:rows.npy': the mean" in told


TEXTS = ("a red\ncube", "a  blue ball ")


@pytest.mark.parametrize(
    ("rows", "lines", "kind", "said"),
    [
        (3, "a red cube\na blue ball\n", MismatchError, "has 3 rows and .*rows.txt has 2 lines"),
        (2, "a red cube\na ball\n", MismatchError, "does not hold the 2 captions that this audit"),
        (2, None, FileError, "no .*rows.txt that says what the rows of rows.npy"),
    ],
)
def test_rows_that_are_not_of_the_captions_are_refused(tmp_path, rows, lines, kind, said):
    np.save(tmp_path / "rows.npy", np.ones((rows, 4)))
    if lines is not None:
        (tmp_path / "rows.txt").write_text(lines)
    found = read_embeddings_file(tmp_path / "rows.npy")
    with pytest.raises(kind, match=said):
        GivenRows(tmp_path / "rows.npy").rows(found, TEXTS)


def test_each_caption_is_one_line_and_other_lines_are_kept(tmp_path):
    given = GivenRows(tmp_path / "rows.npz")
    assert not given.there
    assert "embed the 2 lines" in str(given.ask_for(TEXTS))
    assert given.captions.read_text() == "a red cube\na blue ball\n"
    assert lines_of(TEXTS) == ["a red cube", "a blue ball"]
    given.ask_for(TEXTS)
    given.captions.write_text("notes of mine\n")
    with pytest.raises(MismatchError, match="name another file of rows"):
        given.ask_for(TEXTS)
    assert given.captions.read_text() == "notes of mine\n"


def test_rows_are_of_captions_and_have_a_direction(tmp_path):
    given = GivenRows(tmp_path / "rows.npz")
    given.ask_for(TEXTS)
    np.savez(given.path, image=np.ones((2, 3)))
    with pytest.raises(ModalityError, match="holds rows of pictures"):
        given.rows(read_embeddings_file(given.path), TEXTS)
    np.savez(given.path, text=np.array([[3.0, 4.0], [0.0, 0.0]]))
    with pytest.raises(ValueRangeError, match="row 1 of rows.npz is all zeros"):
        given.rows(read_embeddings_file(given.path), TEXTS)
    np.savez(given.path, text=np.array([[3.0, 4.0], [0.0, 2.0]]))
    rows = given.rows(read_embeddings_file(given.path), TEXTS)
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 1]])


def test_which_encoders_are_rows(tmp_path):
    assert given_rows("tiny") is None
    assert given_rows("file:folder") is None
    assert given_rows(ENCODER) is None
    assert given_rows("file:x.npy").captions.name == "x.txt"
    assert given_rows(tmp_path / "x.safetensors").path == tmp_path / "x.safetensors"
