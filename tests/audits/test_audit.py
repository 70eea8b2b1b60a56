"""`conceptbind audit` on indexes whose answer is known: what is said, written and refused."""

from __future__ import annotations

import base64
import csv
import functools
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import conceptbind
import containers as made
import planted_index as planted
from browsing import assert_fits, in_browser
from conceptbind.audits.retrieval import unit_rows
from conceptbind.cli import main
from conceptbind.core.errors import ConceptBindError, MismatchError, ModalityError, ShapeError

CAPTIONS = planted.captions(900)
KINDS = {
    "binds": planted.Planted(1.0),
    "bag": planted.Planted(0.0),
    "repairable": planted.Planted(0.5, turned=True, noise=0.3),
    "hopeless": planted.Planted(0.0, noise=0.3),
}
ID = KINDS["binds"].id
N = 150
OPTIONS = {"sample": N, "searches": 60, "tagger": "hanta"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("audits")


@pytest.fixture(scope="module")
def audited(folder):
    """An audit of one kind, made once."""

    @functools.cache
    def make(name):
        encoder = KINDS[name]
        return conceptbind.audit(
            encoder,
            index=encoder.pictures(CAPTIONS).astype(np.float16),
            captions=CAPTIONS,
            modality="image",
            out=folder / name,
            **OPTIONS,
        )

    return make


def table(found, name):
    """Rows of a table that was written."""
    with (found.folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def one(found, metric, **more):
    return found.records.one(study="audit", metric=metric, **{"control": "none"} | more)


@pytest.mark.long
def test_the_swap_never_wins_where_the_index_binds(audited):
    found = audited("binds")
    assert one(found, "binding_accuracy").value == 1
    assert one(found, "swap_error").value == 0
    assert [verdict.word for verdict in found.verdicts] == ["yes", "yes", "no"]
    assert "Nothing has to be mended" in found.advice[0]
    assert table(found, "failures.csv") == []


def test_every_comparison_of_a_bag_is_a_tie_and_a_miss(audited):
    found = audited("bag")
    record = one(found, "binding_accuracy")
    assert (record.value, record.ties, record.n) == (0, N, N)
    assert one(found, "swap_error").value == 0, "a tie is no win of the swap either"
    assert [verdict.word for verdict in found.verdicts] == ["no", "no", "no"]
    assert len(table(found, "failures.csv")) == N
    weight = conceptbind.load_adapter(found.folder).weight
    np.testing.assert_array_equal(weight, np.eye(planted.WIDTH))


def test_a_repair_is_found_where_one_rotation_mends_all(audited):
    found = audited("repairable")
    assert found.verdicts[0].word == "no"
    assert found.verdicts[2].repairs
    gain = found.records.one(study="repair", metric="binding_gain")
    assert gain.ci_low > 0.2
    recall = {name: one(found, "recall_at_1", repair=name) for name in ("none", "HNB")}
    assert recall["HNB"].value > recall["none"].value
    assert "--adapter" in found.advice[1]
    assert not np.allclose(conceptbind.load_adapter(found.folder).weight, np.eye(planted.WIDTH))


@pytest.mark.long
def test_no_repair_is_written_where_captions_do_not_hold_it(audited):
    found = audited("hopeless")
    low, high = (getattr(one(found, "binding_accuracy"), end) for end in ("ci_low", "ci_high"))
    assert low < 0.5 < high
    assert found.verdicts[2].repairs is False
    weight = conceptbind.load_adapter(found.folder).weight
    np.testing.assert_array_equal(weight, np.eye(planted.WIDTH))
    assert not found.records.where(study="audit", repair="HNB"), "the identity is searched once"
    assert "--way sum" in found.advice[1]


def test_controls_stand_beside_and_words_alone_tie(audited):
    for found in map(audited, ("bag", "repairable")):
        for control in ("bag_of_words", "blind_length"):
            record = one(found, "binding_accuracy", control=control)
            assert (record.value, record.ties) == (0, N), control


@in_browser
def test_its_page_fits_every_screen(audited, browser):
    assert_fits(browser, audited("repairable").folder / "report.html")


def _photo(row):
    """A picture file whose colour is the row's."""
    content = io.BytesIO()
    Image.new("RGB", (64, 48), (row % 256, row // 256, 77)).save(content, "PNG")
    return content.getvalue()


def test_pictures_that_lie_in_the_shards_are_shown(folder, tmp_path):
    encoder = KINDS["repairable"]
    rows = encoder.pictures(CAPTIONS).astype(np.float16)
    (tmp_path / "web").mkdir()
    for number, start in enumerate(range(0, len(CAPTIONS), 300)):
        shard = tmp_path / "web" / f"{number:05d}.tar"
        part = rows[start : start + 300]
        made.tar(shard, part, start, captions=CAPTIONS, picture=_photo)
    found = conceptbind.audit(
        encoder, index=tmp_path / "web", modality="image", out=tmp_path / "out", **OPTIONS
    )
    page = json.loads((found.folder / "page.json").read_text())
    (section,) = (one for one in page["parts"]["sections"] if one["id"] == "audit")
    cards = section["data"]["gallery"]
    assert len(cards) > 5
    failed = table(found, "failures.csv")
    for card in cards:
        (line,) = {one["picture"] for one in failed if one["row"] == card["row"].replace(",", "")}
        key = int(Path(line).stem)
        assert Path(line).parent.suffix == ".tar"
        assert CAPTIONS[key] == card["caption"]
        data = base64.b64decode(card["picture"].partition(",")[2])
        with Image.open(io.BytesIO(data)) as picture:
            near = np.subtract(picture.getpixel((20, 20)), (key % 256, key // 256, 77))
        assert np.abs(near).max() <= 3  # it is a JPEG now


def test_all_is_written_and_a_finished_audit_is_read(audited):
    found = audited("repairable")
    names = ("results.json", "results.csv", "report.html", "pairs.csv", "failures.csv")
    assert all((found.folder / name).is_file() for name in names)
    told = json.loads((found.folder / "results.json").read_text())
    assert len(told["verdicts"]) == 3
    page = (found.folder / "report.html").read_text()
    assert "Pairs of attributes" in page
    assert "drawn at random were tagged, and 150 with two attribute-noun phrases" in page
    assert "Where the swap leads by most" in page
    encoder = KINDS["repairable"]
    before = (found.folder / "results.json").stat().st_mtime_ns
    again = conceptbind.audit(
        encoder,
        index=encoder.pictures(CAPTIONS).astype(np.float16),
        captions=CAPTIONS,
        modality="image",
        out=found.folder,
        **OPTIONS,
    )
    assert again.sentences == found.sentences
    assert again.advice == found.advice
    assert (found.folder / "results.json").stat().st_mtime_ns == before
    assert conceptbind.load_run(found.folder).records.where(study="audit")


def test_pairs_of_attributes_are_counted_by_hand(audited):
    found = audited("repairable")
    pairs = table(found, "pairs.csv")
    assert sum(int(pair["n"]) for pair in pairs) == N
    assert len(pairs) == 15, "six attributes, two at a time"
    failures = table(found, "failures.csv")
    first = pairs[0]["attributes"]
    mine = [row for row in failures if sorted(row["attributes"].split(" / ")) == first.split(" / ")]
    share = sum(float(row["swap wins"]) for row in mine) / int(pairs[0]["n"])
    assert abs(share - float(pairs[0]["swap wins"].rstrip(" %")) / 100) < 6e-4


def test_the_cosines_that_are_told_are_those_of_row_and_text(audited):
    encoder = KINDS["repairable"]
    rows = encoder.pictures(CAPTIONS).astype(np.float16).astype(np.float32)
    for failure in table(audited("repairable"), "failures.csv")[:9]:
        row = rows[int(failure["row"])]
        row = row / np.linalg.norm(row)
        assert CAPTIONS[int(failure["row"])] == failure["caption"]
        for name in ("caption", "swap"):
            (text,) = encoder.encode_texts([failure[name]])
            assert abs(float(failure[f"score of {name}"]) - row @ text) < 1e-3


@pytest.mark.long
def test_rows_of_captions_are_compared_in_other_words(tmp_path):
    encoder = planted.Planted(0.4, noise=0.15)
    found = conceptbind.audit(
        encoder,
        index=encoder.encode_texts(CAPTIONS),
        captions=CAPTIONS,
        modality="text",
        out=tmp_path / "run",
        **OPTIONS,
    )
    record = one(found, "binding_accuracy")
    assert record.modality == "text"
    assert record.level == 2
    assert found.verdicts[0].level == 2
    assert found.records.where(study="repair", side="query")
    assert (tmp_path / "run" / "adapter.safetensors").is_file()


def test_captions_without_other_words_are_left_out_of_an_index_of_captions(tmp_path):
    """Their row was compared with another caption's. "Black and white" stays together, so nothing
    else says what such a caption says.
    """
    encoder = planted.Planted(1.0)
    rest = [f"black and {caption[2:]}" for caption in CAPTIONS[:60]]
    both = [*CAPTIONS[:120], *rest]
    found = conceptbind.audit(
        encoder,
        index=encoder.encode_texts(both).astype(np.float32),
        captions=both,
        modality="text",
        out=tmp_path / "run",
        **OPTIONS,
    )
    record = one(found, "binding_accuracy")
    assert record.value == 1
    assert record.n <= 120


def test_few_captions_cannot_be_judged(tmp_path):
    encoder = KINDS["hopeless"]
    few = planted.captions(16, seed=3)
    found = conceptbind.audit(
        encoder,
        index=encoder.pictures(few),
        captions=few,
        modality="image",
        out=tmp_path / "run",
        tagger="hanta",
    )
    assert found.verdicts[0].word == "unclear"
    assert "captions with two attribute-noun phrases are needed" in found.sentences[0]
    assert "--sample" in found.advice[1]


def _encoder(folder):
    (folder / "mine.py").write_text(
        "import planted_index\n\n\ndef make():\n    return planted_index.Planted(1.0)\n"
    )
    return "py:mine:make"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _folder(place, rows=None, captions=CAPTIONS):
    rows = KINDS["binds"].pictures(CAPTIONS).astype(np.float16) if rows is None else rows
    return made.clip_retrieval(place / "clip", rows, captions)


WORDS = ["--tagger", "hanta", "--sample", "30", "--searches", "30", "--out", "run"]


def test_a_folder_of_clip_retrieval_needs_nothing_else(place, capsys):
    from PIL import Image

    (place / "clip" / "pictures").mkdir(parents=True)
    for row in range(600):
        Image.new("RGB", (4, 4)).save(place / "clip" / "pictures" / f"{row}.png")
    _folder(place)
    assert main(["audit", _encoder(place), "--index", "clip", *WORDS]) == 0
    shown = capsys.readouterr().out
    assert "The pictures of clip prefer a caption of planted-1.0-False-0.0-0 to" in shown
    assert "conceptbind query clip" in shown
    assert "--encoder py:mine:make" in shown


def _missing(place):
    return _folder(place, captions=[*CAPTIONS[:700], None, *CAPTIONS[701:]]), []


def _foreign(place):
    rows = np.random.default_rng(5).normal(size=(900, planted.WIDTH)).astype(np.float16)
    return _folder(place, rows), []


def _narrow(place):
    return _folder(place, KINDS["binds"].pictures(CAPTIONS)[:, :20].astype(np.float16)), []


def _holes(place):
    rows = KINDS["binds"].pictures(CAPTIONS).astype(np.float16)
    rows[:, 3] = np.nan
    return _folder(place, rows), []


def _no_captions(place):
    return made.shards(place / "npy", KINDS["binds"].pictures(CAPTIONS)), ["--modality", "image"]


def _fewer_lines(place):
    (place / "lines.txt").write_text("\n".join(CAPTIONS[:-1]))
    return _no_captions(place)[0], ["--captions", "lines.txt", "--modality", "image"]


def _no_modality(place):
    (place / "lines.txt").write_text("\n".join(CAPTIONS))
    return _no_captions(place)[0], ["--captions", "lines.txt"]


def _no_attributes(place):
    return _folder(place, captions=["a dog on a sofa"] * 900), []


REFUSED = {
    "captions missing": (_missing, "1 of 900 rows have no caption, the first is row 700"),
    "foreign": (
        _foreign,
        f"the rows of clip do not fit the captions of '{ID}': the mean",
    ),
    "another width": (
        _narrow,
        f"rows of 20 dimensions and those of '{ID}' have 24",
    ),
    "NaN": (_holes, "holds NaN or infinite numbers"),
    "no captions": (_no_captions, "has no captions; add --captions FILE"),
    "fewer captions": (_fewer_lines, "there are 899 captions and part-*.npy has 900 rows"),
    "no modality": (_no_modality, "does not say what its rows are of; add --modality image"),
    "no attributes": (_no_attributes, "names two things with an attribute each"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_audited_is_refused_in_one_line(case, place, capsys):
    make, said = REFUSED[case]
    index, more = make(place)
    assert main(["audit", _encoder(place), "--index", str(index), *more, *WORDS]) == 2
    shown = capsys.readouterr().err.strip().splitlines()
    assert said in shown[-1]
    assert sum("error:" in line for line in shown) == 1


def test_rows_without_a_caption_are_left_out_where_that_is_asked_for(place, capsys):
    index, _ = _missing(place)
    words = ["audit", _encoder(place), "--index", str(index), "--allow-missing", *WORDS]
    assert main(words) == 0
    assert "1 rows have no caption; left out." in capsys.readouterr().out


@pytest.fixture(scope="module")
def broken():
    """900 rows, one of them zeros and one NaN, and the rows that are left."""
    rows = KINDS["binds"].pictures(CAPTIONS).astype(np.float32)
    rows[300], rows[7] = 0, np.nan
    return rows, np.setdiff1d(np.arange(900), [7, 300])


@pytest.mark.parametrize("row", [7, 300])
def test_a_row_without_a_direction_is_named_by_its_number(broken, tmp_path, row):
    rows = np.where(np.isnan(broken[0]), 1, broken[0]) if row == 300 else broken[0] + (row == 7)
    with pytest.raises(ConceptBindError, match=rf"row {row} of .*\(audit does with"):
        conceptbind.audit(
            KINDS["binds"],
            index=rows,
            captions=CAPTIONS,
            modality="image",
            out=tmp_path / "a",
            **OPTIONS | {"sample": 900},
        )


def test_rows_without_a_direction_are_left_out_where_that_is_asked_for(broken, tmp_path):
    """Numbers are those of an index that never had them; rows are told by the index that has."""
    rows, kept = broken
    asked = {"modality": "image", "allow_missing": True, **OPTIONS}
    found = conceptbind.audit(
        KINDS["bag"], index=rows, captions=CAPTIONS, out=tmp_path / "a", **asked
    )
    left = [CAPTIONS[row] for row in kept]
    without = conceptbind.audit(
        KINDS["bag"], index=rows[kept], captions=left, out=tmp_path / "b", **asked
    )
    numbers = [(r.metric, r.value, r.n) for r in found.records]
    assert numbers == [(r.metric, r.value, r.n) for r in without.records]
    assert any("has 2 rows without an embedding that can be used" in s for s in found.sentences)
    told = {int(row["row"]): row["caption"] for row in table(found, "failures.csv")}
    assert told
    assert all(CAPTIONS[row] == caption for row, caption in told.items())


@pytest.mark.parametrize(("step", "side"), [(1, "behind"), (-1, "before")])
def test_an_index_one_row_out_of_step_is_refused(tmp_path, step, side):
    """Neighbours are alike enough for most rows to be nearer to a caption than strangers are."""
    captions = sorted(CAPTIONS)
    rows = KINDS["binds"].pictures(captions)
    near = rows + 0.5 * np.roll(rows, 1, axis=0) + 0.5 * np.roll(rows, -1, axis=0)
    words = rf"one row out of step: the row {side} fits a caption better than its own, by .* \(n = "
    with pytest.raises(MismatchError, match=words):
        conceptbind.audit(
            KINDS["binds"],
            index=np.roll(near, step, axis=0).astype(np.float32),
            captions=captions,
            modality="image",
            out=tmp_path / "a",
            **OPTIONS,
        )


def test_an_index_out_of_step_from_its_middle_on_is_refused(tmp_path):
    rows = KINDS["binds"].pictures(CAPTIONS).astype(np.float32)
    rows[450:] = np.roll(rows[450:], 1, axis=0)
    with pytest.raises(MismatchError, match="one row out of step: the row behind"):
        conceptbind.audit(
            KINDS["binds"],
            index=rows,
            captions=CAPTIONS,
            modality="image",
            out=tmp_path / "a",
            **OPTIONS,
        )


def test_several_pictures_of_a_caption_in_a_row_are_in_step(tmp_path):
    """The next picture of the same caption is the better one; it says nothing of the order."""
    captions = [caption for caption in CAPTIONS[:90] for _ in range(10)]
    rows = KINDS["binds"].pictures(captions)
    blur = np.tile(np.linspace(3, 0.2, 10), 90)[:, None] * rows.std()
    rows = rows + blur * np.random.default_rng(0).normal(size=rows.shape)
    found = conceptbind.audit(
        KINDS["binds"],
        index=rows.astype(np.float32),
        captions=captions,
        modality="image",
        out=tmp_path / "a",
        **OPTIONS,
    )
    assert any("nearer to its own caption" in one for one in found.sentences)


@pytest.mark.parametrize("size", [1e-25, 1e25])
def test_rows_whose_squares_leave_single_precision_have_a_direction(size):
    rows = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    expected = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(unit_rows(rows * np.float32(size)), expected, rtol=1e-5)


def test_the_fit_of_rows_and_captions_is_told(audited):
    said = [one for one in audited("repairable").sentences if "nearer to its own caption" in one]
    assert len(said) == 1
    assert "with each other. Chance: 50 %." in said[0]


def test_a_finished_audit_of_an_index_that_changed_is_refused(place, capsys):
    rows = KINDS["binds"].pictures(CAPTIONS).astype(np.float16)
    words = ["audit", _encoder(place), "--index", str(_folder(place, rows)), *WORDS]
    assert main(words) == 0
    assert main(words) == 0
    shard = place / "clip" / "img_emb" / "img_emb_2.npy"
    half = np.load(shard)
    half[90:110] = half[90:110][::-1]
    np.save(shard, half)
    capsys.readouterr()
    assert main(words) == 2
    assert "holds an audit that was made before the index changed" in capsys.readouterr().err


def test_lines_of_a_file_are_captions(place, capsys):
    index, more = _fewer_lines(place)
    (place / "lines.txt").write_text("\n".join(CAPTIONS) + "\n", encoding="utf-8")
    assert main(["audit", _encoder(place), "--index", str(index), *more, *WORDS]) == 0
    assert "The pictures of part-*.npy prefer" in capsys.readouterr().out


def test_encoders_of_pictures_alone_and_of_other_rows_are_refused(tmp_path):
    rows = KINDS["binds"].pictures(CAPTIONS)
    with pytest.raises(ModalityError, match="does not embed captions"):
        conceptbind.audit(rows, index=rows, captions=CAPTIONS, modality="image", **OPTIONS)
    with pytest.raises(ConceptBindError, match="sample must be at least 1"):
        conceptbind.audit(KINDS["bag"], index=rows, captions=CAPTIONS, sample=0)
    with pytest.raises(ShapeError, match="must hold real numbers"):
        conceptbind.audit(KINDS["bag"], index=[["a"]], captions=CAPTIONS)
    from conceptbind.rows.embeddings import Embeddings

    made_by = Embeddings(rows, "image", "hash", "scenes", "another", "1")
    with pytest.raises(MismatchError, match="the index was embedded by 'another'"):
        conceptbind.audit(KINDS["bag"], index=made_by, captions=CAPTIONS, **OPTIONS)
