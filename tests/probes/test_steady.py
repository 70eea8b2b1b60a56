"""The same digits for any number of threads: weights of probes to the last bit, and every number of
the studies that fit them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from conceptbind.geometry import geometry_study
from conceptbind.probes import LinearProbe, fit_scene_probes, probe_study
from conceptbind.probes.threads import in_order, steady
from conceptbind.rows.embeddings import Embeddings
from conceptbind.scenes import split_scenes, text20
from conceptbind.within import attribute_records
from planted import concept_codes, object_codes

SCENES = text20(9, 9)  # 6,561 scenes: several pieces of rows
RNG = np.random.default_rng(0)
# Objects in many small directions, the case in which a rounding error finds other weights.
ROWS = concept_codes(SCENES, 48) + 0.02 * object_codes(SCENES, 48, seed=1)
ROWS += (0.005 * RNG.normal(size=ROWS.shape)).astype(np.float32)


@contextmanager
def threads(n):
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def with_threads(n, work):
    with threads(n):
        return work()


@pytest.mark.parametrize("n", [2, 4])
def test_weights_of_probes_are_the_same_to_the_last_bit(n):
    split = split_scenes(SCENES, "pair")

    def weights():
        found = fit_scene_probes(ROWS, SCENES, split, l2_grid=(1.0, 1e-3))
        return [found.head(concept).weight for concept in (0, 1, None)]

    for one, several in zip(with_threads(1, weights), with_threads(n, weights), strict=True):
        np.testing.assert_array_equal(one, several)


def test_linear_probes_too():
    labels = SCENES.objects[:, 0]
    one, two = (
        with_threads(n, lambda: LinearProbe(l2=1e-3).fit(ROWS, labels).coef_) for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def test_every_number_of_the_studies():
    scenes = text20(5, 5)
    rows = concept_codes(scenes, 24) + 0.05 * object_codes(scenes, 24, seed=1)
    embeddings = Embeddings(
        rows.astype(np.float32), "text", scenes.content_hash, scenes.name, "planted", "1"
    )
    split = split_scenes(scenes, "pair")

    def numbers():
        study = probe_study(embeddings, scenes, split)
        geometry = geometry_study(embeddings, scenes, split, study.probes)
        return [
            record.flat()
            for record in (
                *study.records,
                *geometry.records,
                *attribute_records(embeddings, scenes),
            )
        ]

    one, two = (with_threads(n, numbers) for n in (1, 2))
    assert len(one) > 50
    assert one == two


def test_pieces_come_in_order_and_are_computed_at_once():
    meeting = threading.Barrier(3, timeout=30)

    def work(number):
        meeting.wait()  # nobody passes until three pieces are computed at once
        return number, torch.get_num_threads()

    with threads(3), steady():
        found = list(in_order(work, range(9)))
    assert found == [(number, 1) for number in range(9)]


FIRST_PRODUCT = """
import torch
from conceptbind.probes.threads import in_order, steady

torch.set_num_threads(2)
block = torch.randn(251, 24, generator=torch.Generator().manual_seed(0))
shares = torch.full((251, 5), 0.2)
with steady():
    (found,) = in_order(lambda rows: shares.T @ rows, [block])
    assert torch.equal(found, shares.T @ block)
"""


def test_the_first_product_of_a_thread_has_one_thread_too():
    """In a process that no variable tells how many threads to use, unlike most tests here."""
    told = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    run = subprocess.run(
        [sys.executable, "-c", FIRST_PRODUCT],
        env={**told, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_threads_are_given_back_and_nesting_changes_nothing():
    with threads(2):
        with steady(), steady():
            assert torch.get_num_threads() == 1
            assert {pool["num_threads"] for pool in threadpool_info()} == {1}
        assert torch.get_num_threads() == 2


def test_an_error_in_a_piece_is_the_callers():
    def broken(number):
        raise ValueError(f"piece {number}")

    with threads(2), steady(), pytest.raises(ValueError, match="piece 0"):
        list(in_order(broken, range(5)))
    with threads(2), steady():
        assert list(in_order(abs, [-1])) == [1]
