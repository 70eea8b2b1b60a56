"""What is too large, too deep or no file at all is refused in one line, before memory is taken."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import resource
import socket
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch

import conceptbind
from conceptbind.benchmarks.base import read_published
from conceptbind.controlled.data import Sampler
from conceptbind.controlled.losses import batch_loss
from conceptbind.controlled.model import ControlledModel
from conceptbind.controlled.recipe import make_recipe
from conceptbind.controlled.store import read_model, write_model
from conceptbind.controlled.training import Look, Trained
from conceptbind.core.errors import (
    ConceptBindError,
    FileError,
    MismatchError,
    UnsafeFileError,
    ValueRangeError,
)
from conceptbind.core.files import file_hash, read_json
from conceptbind.core.kept import read_piece
from conceptbind.core.limits import (
    NUMBERS,
    first_repeated,
    load_options,
    memory,
    read_options,
    require_memory,
    require_numbers,
    require_regular,
)
from conceptbind.core.outcomes import load_outcomes
from conceptbind.repairs.labclip import load_adapter
from conceptbind.repairs.labclip.adapter import _read_weights
from conceptbind.repairs.labclip.pairs import open_rows
from conceptbind.rows.arrays import read_embeddings_file
from conceptbind.scenes import ConceptSpace, load_scenes, text20

ROWS = np.random.default_rng(0).normal(size=(256, 6)).astype(np.float32)


def one_line(error):
    text = str(error)
    assert "\n" not in text
    assert len(text) <= 500
    return text


# Files that are none


def special(tmp_path, kind):
    path = tmp_path / "x"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path.symlink_to("/dev/zero")
    return path


READERS = {
    "options": ("x", read_options),
    "json": ("x", read_json),
    "published": ("x.json", lambda path: read_published(path, lambda _: None)),
    "table": ("x.csv", lambda path: load_scenes(str(path))),
    "scenes": ("x.json", lambda path: load_scenes(f"clevr:{path}")),
    "npy": ("x.npy", read_embeddings_file),
    "npz": ("x.npz", read_embeddings_file),
    "safetensors": ("x.safetensors", read_embeddings_file),
    "rows": ("x.npy", open_rows),
    "pt": ("x.pt", load_adapter),
    "hash": ("x", file_hash),
    "outcomes": ("outcomes.safetensors", lambda path: load_outcomes(path.parent)),
    "piece": ("x.safetensors", read_piece),
    "adapter": ("adapter.safetensors", _read_weights),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["pipe", "folder", "socket", "device"])
@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_a_folder_a_socket_and_a_device_are_no_files(tmp_path, kind, reader):
    name, read = READERS[reader]
    special(tmp_path, kind).rename(tmp_path / name)
    with pytest.raises(ConceptBindError) as caught:
        read(tmp_path / name)
    assert name in one_line(caught.value)


def test_what_a_path_is_instead_is_said(tmp_path):
    for kind, words in (
        ("pipe", "a named pipe"),
        ("folder", "a folder"),
        ("socket", "a socket"),
        ("device", "a device"),
    ):
        (tmp_path / kind).mkdir()
        path = special(tmp_path / kind, kind)
        with pytest.raises(FileError, match=f"it is {words}; expected a table"):
            require_regular(path, "a table")
    with pytest.raises(FileError, match="null byte"):
        require_regular(tmp_path / "a\0b")
    (tmp_path / "there").touch()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert require_regular(tmp_path / "link") == tmp_path / "link"


# Text that is nested, and names that repeat


@pytest.mark.parametrize(
    "deep", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000]
)
def test_json_of_any_depth_is_one_line(tmp_path, deep):
    (tmp_path / "x.json").write_text(deep)
    for read in (
        read_json,
        lambda path: read_published(path, lambda _: None),
        lambda path: load_scenes(f"clevr:{path}"),
    ):
        with pytest.raises(FileError, match="nested too deep") as caught:
            read(tmp_path / "x.json")
        one_line(caught.value)


def test_the_last_of_100_000_items_twice_is_found_at_once(tmp_path):
    names = [f"{i}" for i in range(100_000)]
    (tmp_path / "x.json").write_text(
        "{" + ",".join(f'"{name}":0' for name in [*names, names[-1]]) + "}"
    )
    start = time.perf_counter()
    with pytest.raises(MismatchError, match="has the id '99999' twice"):
        read_published(tmp_path / "x.json", lambda _: None)
    assert first_repeated([*names, names[-1]]) == "99999"
    assert first_repeated(names) is None
    assert ConceptSpace(("word",), (names,)).sizes == (100_000,)
    with pytest.raises(ValueRangeError, match="'99999' appears 2 times"):
        ConceptSpace(("word",), ([*names, names[-1]],))
    assert time.perf_counter() - start < 5  # 10^10 comparisons take minutes


def test_a_vocabulary_of_100_000_words_is_refused_at_once(tmp_path):
    (tmp_path / "words.csv").write_text(
        "colour,shape\n" + "".join(f"c{i},s{i}\n" for i in range(100_000))
    )
    start = time.perf_counter()
    with pytest.raises(ValueRangeError, match="scenes, more than"):
        load_scenes(str(tmp_path / "words.csv"))
    assert time.perf_counter() - start < 10


# Options


def test_options_are_plain_values(tmp_path):
    (tmp_path / "c.yaml").write_text("encoder: tiny\nseed: 3\nwidth: [64, 128]\nout: null\n")
    assert read_options(tmp_path / "c.yaml") == {
        "encoder": "tiny",
        "seed": 3,
        "width": [64, 128],
        "out": None,
    }
    assert load_options("[a, [b]]") == ["a", ["b"]]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{c}: &{c} [{','.join(['*' + b] * 9)}]\n"
    for b, c in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "the anchor or alias 'a' is not read"),
        ("seed: &a\n  again: *a\n", "the anchor or alias 'a'"),
        ("a: " + "[" * 5_000 + "]" * 5_000, "nested more than 20 deep"),
        ("encoder: 'ti\0ny'", "NUL character"),
        ("encoder: !!python/object/apply:os.system ['true']", "is not a file of options"),
        ("encoder: [tiny", "is not a file of options"),
        ("- a\n- b\n", "holds no options"),
        ("3: tiny\n", "holds no options"),
        ("", "holds no options"),
        ("seed: 1\n" * 200_000, "a file of options has at most 1,048,576"),
    ],
)
def test_options_that_are_none_are_refused(tmp_path, text, reason):
    (tmp_path / "c.yaml").write_text(text)
    start = time.perf_counter()
    with pytest.raises(FileError, match=reason) as caught:
        read_options(tmp_path / "c.yaml")
    assert "c.yaml" in one_line(caught.value)
    assert time.perf_counter() - start < 5


# Arrays


def header(text):
    data = text.encode("latin1")
    return b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little") + data


HEADERS = {
    "rows": "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 6), }\n",
    "more rows": "{'descr': '<f4', 'fortran_order': False, 'shape': (257, 6), }\n",
    "fewer rows": "{'descr': '<f4', 'fortran_order': False, 'shape': (255, 6), }\n",
    "negative": "{'descr': '<f4', 'fortran_order': False, 'shape': (-256, -6), }\n",
    "beyond": "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999, 6), }\n",
    "wider": "{'descr': '<f8', 'fortran_order': False, 'shape': (256, 6), }\n",
    "shape": "{'descr': '<f4', 'fortran_order': False, 'shape': 'x', }\n",
    "floats": "{'descr': '<f4', 'fortran_order': False, 'shape': (256.0, 6), }\n",
    "kind": "{'descr': '<q9', 'fortran_order': False, 'shape': (256, 6), }\n",
    "no kind": "{'descr': None, 'fortran_order': False, 'shape': (256, 6), }\n",
    "order": "{'descr': '<f4', 'fortran_order': 3, 'shape': (256, 6), }\n",
    "lacking": "{'descr': '<f4', 'shape': (256, 6), }\n",
    "no dictionary": "[1, 2, 3]\n",
    "code": "__import__('os').system('true')\n",
    "syntax": "{'descr': '<f4', 'fortran_order\n",
    "deep": "(" * 3_000 + ")" * 3_000 + "\n",
    "nul": "{'descr': '<f4',\0 'fortran_order': False, 'shape': (256, 6), }\n",
    "long": "{'descr': '<f4', 'fortran_order': False, 'shape': (256, 6), " + " " * 60_000 + "}\n",
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("kind", ["npy", "npz", "rows"])
def test_a_damaged_header_is_one_line_and_nothing_is_allocated(tmp_path, name, kind):
    data = header(HEADERS[name]) + ROWS.tobytes()
    path = tmp_path / f"x.{'npz' if kind == 'npz' else 'npy'}"
    if kind == "npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("embeddings.npy", data)
    else:
        path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(FileError) as caught:
        (open_rows if kind == "rows" else read_embeddings_file)(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.name in one_line(caught.value)
    assert peak < 30e6


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_whole_headers_are_read(tmp_path, version):
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array(file, ROWS, version=version)
    np.testing.assert_array_equal(
        read_embeddings_file(tmp_path / "x.npy").rows(text20(4, 4), "text"), ROWS
    )
    with (tmp_path / "f.npy").open("wb") as file:
        np.lib.format.write_array(file, np.asfortranarray(ROWS), version=version)
    np.testing.assert_array_equal(open_rows(tmp_path / "f.npy"), ROWS)


def archive_of(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_a_member_that_is_no_array_is_named(tmp_path):
    path = tmp_path / "x.npz"
    for members, reason in (
        (
            {"embeddings.npy": npy(ROWS), "readme.txt": b"hello"},
            "holds 'readme.txt', which is not an array",
        ),
        ({"embeddings": b"hello"}, "holds 'embeddings', which is not an array"),
        ({"embeddings.npy": b"hello"}, "array 'embeddings' of .*damaged"),
        (
            {"embeddings.npy": npy(ROWS), "ids.npy": npy(np.array([b"\xff\xfe"] * 256))},
            "'ids' are not text in UTF-8",
        ),
        ({}, "holds nothing"),
    ):
        archive_of(path, members)
        with pytest.raises(FileError, match=reason) as caught:
            read_embeddings_file(path)
        one_line(caught.value)


def test_a_damaged_archive_is_named(tmp_path):
    whole = tmp_path / "x.npz"
    np.savez_compressed(whole, embeddings=ROWS)
    content = whole.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    for damaged in (content[: len(content) // 2], b"", b"PK", bytes(flipped)):
        whole.write_bytes(damaged)
        with pytest.raises(FileError, match=r"x\.npz") as caught:
            read_embeddings_file(whole)
        one_line(caught.value)


def test_an_archive_is_compared_with_its_scenes_before_it_is_unpacked(tmp_path):
    """480 MB of zeros in 2 MB, which take seconds to unpack; the rows are told from the header."""
    path = tmp_path / "x.npz"
    text = header("{'descr': '<f4', 'fortran_order': False, 'shape': (20000000, 6), }\n")
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("embeddings.npy", "w") as member,
    ):
        member.write(text)
        for _ in range(20):
            member.write(bytes(24_000_000))
    start = time.perf_counter()
    with pytest.raises(
        MismatchError, match="has 20,000,000 rows but the scenes 'text20:4x4' have 256"
    ):
        read_embeddings_file(path, text20(4, 4))
    assert time.perf_counter() - start < 2


def test_an_archive_that_unpacks_to_gigabytes_of_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("conceptbind.core.limits.UNPACKED_BYTES", 1 << 20)
    np.savez_compressed(tmp_path / "x.npz", embeddings=np.zeros((256, 4_000), dtype=np.float32))
    with pytest.raises(FileError, match="would unpack to 3.9 MiB"):
        read_embeddings_file(tmp_path / "x.npz", text20(4, 4))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_tensor_that_states_8_tb_over_one_number_is_refused(tmp_path, zipped):
    one = {"linear.weight": torch.zeros(1).expand(1_000_000, 2_000_000), "t": torch.zeros(1)}
    torch.save(one, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        FileError, match=r"'linear.weight' of shape .* would take 7.3 TiB"
    ) as caught:
        load_adapter(tmp_path / "a.pt")
    one_line(caught.value)


def test_a_whole_pt_file_is_read_in_both_forms(tmp_path):
    weight = torch.nn.Parameter(torch.randn(8, 8))
    for zipped in (True, False):
        torch.save(
            {"linear.weight": weight, "t": torch.zeros(1)},
            tmp_path / "a.pt",
            _use_new_zipfile_serialization=zipped,
        )
        np.testing.assert_array_equal(
            load_adapter(tmp_path / "a.pt").weight, weight.detach().numpy()
        )


def test_flipped_bits_of_archives_are_never_believed(tmp_path):
    """Whatever bit of an .npz or a .pt is flipped: it is refused, or the numbers are the same."""
    weight = np.eye(6, dtype=np.float32)
    torch.save({"linear.weight": torch.eye(6), "t": torch.zeros(1)}, tmp_path / "a.pt")
    np.savez(tmp_path / "a.npz", embeddings=weight)
    refused, random = 0, np.random.default_rng(0)
    for name, read in (
        ("a.pt", lambda path: load_adapter(path).weight),
        ("a.npz", lambda path: read_embeddings_file(path).arrays["embeddings"]),
    ):
        whole = (tmp_path / name).read_bytes()
        for _ in range(150):
            damaged, place = bytearray(whole), int(random.integers(len(whole)))
            damaged[place] ^= 1 << int(random.integers(8))
            (tmp_path / f"x{name}").write_bytes(damaged)
            try:
                found = read(tmp_path / f"x{name}")
            except ConceptBindError as error:
                refused += len(one_line(error)) > 0
            else:
                np.testing.assert_array_equal(found, weight)
    assert refused > 100


def test_a_torch_file_that_was_written_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"linear.weight": torch.eye(6), "t": torch.zeros(1)}, tmp_path / "a.pt")
    finally:
        torch.serialization.set_crc32_options(True)
    np.testing.assert_array_equal(load_adapter(tmp_path / "a.pt").weight, np.eye(6))


def test_objects_in_arrays_stay_unread(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UnsafeFileError, match="Python objects"):
        open_rows(tmp_path / "x.npy")


# Memory


def test_memory_is_asked_for_before_it_is_taken():
    assert 1 << 28 < memory() < 1 << 62
    require_memory(1 << 20, "this", "use less")
    with pytest.raises(
        ValueRangeError,
        match=r"^training needs at least 80 TiB of memory, and .* are there; use less$",
    ):
        require_memory(80 * 2**40, "training", "use less")


def test_numbers_of_options_have_bounds():
    require_numbers(
        {
            "seed": 0,
            "batch": 64,
            "width": [64, 128],
            "rate": 1e-3,
            "jobs": None,
            "encoder": "tiny",
            "values": np.int64(3),
        }
    )
    for name, (least, most) in NUMBERS.items():
        wrong = [
            least - 1,
            most + 1,
            10**40,
            -(10**40),
            float("nan"),
            float("inf"),
            "1",
            True,
            [least, most + 1],
            1 + 0j,
        ]
        wrong += [float(least) + 0.5] if isinstance(least, int) else []
        for value in wrong:
            with pytest.raises(
                ValueRangeError, match=f"^--{name} must be a .*number from "
            ) as caught:
                require_numbers({name: value})
            assert len(one_line(caught.value)) < 160


HUGE = [
    {"batch": 10**9},
    {"batch": 10**7},
    {"batch": 0},
    {"batch": -5},
    {"batch": 2.5},
    {"concepts": 10**9},
    {"concepts": 0},
    {"depth": 10**9},
    {"depth": 1_000, "width": 4096},
    {"depth": -1},
    {"width": 10**9},
    {"width": 1 << 17},
    {"width": 0},
    {"values": 10**9},
    {"values": 10**5},
    {"steps": 10**12},
    {"steps": 0},
    {"seed": -1},
    {"seed": 10**23},
    {"objects": 10**9},
    {"feed_forward": 10**12},
    {"dimension": 10**12},
    {"heads": 10**9},
    {"rate": 1e300},
    {"rate": float("nan")},
]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("options", HUGE, ids=str)
def test_a_training_beyond_bounds_is_refused_before_memory_is_taken(tmp_path, options):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConceptBindError) as caught:
        conceptbind.train(out=str(tmp_path / "run"), device="cpu", **options)
    one_line(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    assert not (tmp_path / "run").exists()


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "options",
    [
        {"seeds": 10**9},
        {"jobs": 10**9},
        {"jobs": 0},
        {"stack": 10**9},
        {"values": [10**9]},
        {"seeds": 1_000, "values": [20] * 4},
        {"spaces": ["99999x99999"]},
        {"width": [64, 0]},
        {"depth": [10**9]},
        {"steps": 10**12},
    ],
    ids=str,
)
def test_a_sweep_beyond_bounds_is_refused_at_once(tmp_path, options):
    with pytest.raises(ConceptBindError) as caught:
        conceptbind.sweep(out=str(tmp_path / "run"), device="cpu", **options)
    one_line(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("measure", {"seed": 10**24}),
        ("measure", {"seed": -1}),
        ("measure", {"seed": 1.5}),
        ("measure", {"jobs": 10**8}),
        ("measure", {"scenes": "clevr2d:1000000000"}),
        ("measure", {"scenes": "clevr2d:0"}),
        ("measure", {"scenes": "clevr2d:-1"}),
        ("measure", {"scenes": "text20:1000000000x1000000000"}),
        ("measure", {"scenes": "clevr2d:" + "9" * 5000}),
        ("render", {"size": 10**9}),
        ("render", {"size": 0}),
        ("render", {"processes": 10**9}),
        ("render", {"processes": 0}),
        ("render", {"seed": 10**40}),
        ("render", {"seed": -1}),
        ("render", {"position_jitter": float("nan")}),
        ("repair", {"encoder": "tiny", "batch": 10**12}),
        ("repair", {"encoder": "tiny", "batch": 0}),
        ("repair", {"encoder": "tiny", "epochs": 10**12}),
        ("repair", {"encoder": "tiny", "epochs": 0}),
        ("repair", {"encoder": "tiny", "rate": float("nan")}),
        ("repair", {"encoder": "tiny", "pull": float("nan")}),
        ("repair", {"encoder": "tiny", "pull": -1}),
        ("repair", {"encoder": "tiny", "seed": -1}),
        ("measure", {"scenes": "text20:" + "9" * 5000 + "x9"}),
        ("measure", {"scenes": "clevr:a.csv:" + "9" * 5000}),
        ("evaluate", {"seed": -1, "benchmark": "zeroshot", "data": "."}),
        ("evaluate", {"seed": 10**20, "benchmark": "coco", "data": "."}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_numbers_of_every_command_are_bounded(tmp_path, command, options):
    with pytest.raises(ConceptBindError) as caught:
        getattr(conceptbind, command)(out=str(tmp_path / "run"), **options)
    one_line(caught.value)
    assert not (tmp_path / "run").exists()


def test_what_a_training_needs_is_told_from_below():
    """The bound must never refuse what would fit: it is less than a step of the real thing
    takes.
    """
    recipe = make_recipe("small", 0.5, values=20, width=256, depth=4, batch=2_048)
    model = ControlledModel(recipe.shape)
    assert 0.9 < recipe.shape.n_weights / sum(p.numel() for p in model.parameters()) <= 1
    kept = 0

    def count(tensor):
        nonlocal kept
        kept += tensor.numel() * tensor.element_size()
        return tensor

    sampler = Sampler(recipe.shape.sizes, recipe.split().train, 2, recipe.batch)
    batch = sampler.draw(torch.Generator().manual_seed(0))
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        batch_loss(model, sampler, batch, torch.Generator())
    assert recipe.memory < kept + 16 * sum(p.numel() for p in model.parameters())


def test_a_damaged_configuration_of_a_model_takes_no_memory(tmp_path):
    recipe = make_recipe(
        "small", 0.5, values=10, width=16, depth=1, heads=2, feed_forward=16, dimension=8
    )
    look = Look(0, **{item.name: 0.0 for item in dataclasses.fields(Look)[1:]})
    write_model(Trained(recipe, ControlledModel(recipe.shape), (look,), look), tmp_path)
    read_model(tmp_path)
    whole = json.loads((tmp_path / "config.json").read_text())
    del whole["checksum"]  # of an earlier version: nothing else refuses it
    for path, value in (
        ("width", 1 << 20),
        ("depth", 10**9),
        ("width", "16"),
        ("depth", 1.5),
        ("sizes", [10, 10.5]),
        ("sizes", 3),
        ("sizes", None),
        ("sizes", [10**12, 10**12]),
        ("dimension", None),
        ("heads", True),
        ("shared", []),
    ):
        changed = json.loads(json.dumps(whole))
        changed["recipe"]["shape"][path] = value
        (tmp_path / "config.json").write_text(json.dumps(changed))
        with pytest.raises(ConceptBindError) as caught:
            read_model(tmp_path)
        one_line(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 1\nscenes: text20\nseed: 2\n", "'seed' stands twice, in lines 1 and 3"),
        ('seed: 1\n"seed": 2\n', "'seed' stands twice, in lines 1 and 2"),
        ("a: {b: 1, b: 2}\n", "'b' stands twice, in lines 1 and 1"),
        ("a:\n- {c: 1}\n- {d: 1, d: 1}\n", "'d' stands twice, in lines 3 and 3"),
    ],
)
def test_a_name_that_stands_twice_is_refused(text, words, tmp_path):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(FileError, match="leave one out") as error:
        read_options(tmp_path / "c.yaml")
    assert words in str(error.value)


def test_a_name_may_stand_once_at_each_place(tmp_path):
    (tmp_path / "c.yaml").write_text("a: {b: 1}\nb: [{a: 1}, {a: 2}]\n")
    assert read_options(tmp_path / "c.yaml") == {"a": {"b": 1}, "b": [{"a": 1}, {"a": 2}]}
