"""What a sweep runs over: coverages, approximators, draws, and planted rules."""

from __future__ import annotations

from dataclasses import dataclass

from conceptbind.complexity.cells import APPROXIMATORS, Cell
from conceptbind.core.errors import UnknownNameError, ValueRangeError, cut, nearest


@dataclass(frozen=True)
class Sweep:
    """What a sweep runs over."""

    coverages: tuple[float, ...]
    models: tuple[tuple[str, int | None], ...]
    """Approximators with their width: the largest rank of products, of which validation chooses
    one, the hidden units of a network, the trees of an ensemble."""
    seeds: int
    """Draws of the train objects."""
    most_scenes: int
    """Scenes fitted and scored in one cell, at most."""
    starts: int
    """Random starts of a product probe at each rank."""
    planted: tuple[int, ...] = (4,)
    """Ranks of the planted rules that tell what the sweep could have found; none where a negative
    answer is not wanted."""

    def __post_init__(self) -> None:
        if (
            not self.coverages
            or not self.models
            or self.seeds < 1
            or self.starts < 1
            or self.most_scenes < 1
        ):
            raise ValueRangeError(
                "a sweep needs at least one coverage, one approximator, one seed, one start and "
                "one scene"
            )
        for coverage in self.coverages:
            if not 0 < coverage < 1:
                raise ValueRangeError(f"coverages must lie between 0 and 1; got {coverage}")
        for name, width in self.models:
            if name not in APPROXIMATORS:
                raise UnknownNameError(
                    f"unknown approximator '{cut(name)}'; {nearest(name, APPROXIMATORS)}"
                )
            if width is not None and width < 1:
                raise ValueRangeError(f"the width of '{name}' must be at least 1; got {width}")
        if any(rank < 1 for rank in self.planted):
            raise ValueRangeError(f"a planted rule has a rank of at least 1; got {self.planted}")

    @property
    def n_fits(self) -> int:
        """All fits, those to planted rules included."""
        return (len(self.models) + len(self.planted)) * len(self.coverages) * self.seeds

    def cells(self) -> list[Cell]:
        """All cells, the costly ones first, so that no worker ends with one of them."""
        found = [
            Cell(name, width, coverage, seed)
            for name, width in self.models
            for coverage in self.coverages
            for seed in range(self.seeds)
        ]
        return sorted(
            found,
            key=lambda cell: (-cell.coverage, -(cell.width or 0), cell.approximator, cell.seed),
        )


SHORT = Sweep(
    (0.2, 0.5, 0.8), (("additive", None), ("per_object_product", 16), ("mlp", 256)), 5, 2_000, 1
)
"""Part of every measurement. Five draws are the fewest whose range holds the median often enough
(`metrics.median_interval`)."""
FULL = Sweep(
    tuple(round(0.1 * step, 1) for step in range(1, 10)),
    (
        ("additive", None),
        ("per_object_product", 16),
        ("global_product", 16),
        *(("mlp", width) for width in (64, 256, 1024, 4096)),
        ("boosting", None),
        ("forest", None),
    ),
    5,
    8_000,
    2,
    (1, 4, 16),
)
"""All of arXiv 2605.31503, section 6."""
NAMED = Sweep(
    SHORT.coverages,
    (
        ("additive", None),
        ("per_object_product", 16),
        ("role_filler", 16),
        ("holographic", 16),
        ("tensor_product", 8),
        ("bilinear", 8),
        ("matrix_vector", 8),
    ),
    5,
    2_000,
    1,
)
"""The binding operators that have a name (`complexity.operators`)."""
DEEPER = Sweep(
    SHORT.coverages,
    (
        ("additive", None),
        ("per_object_product", 16),
        ("mlp", 256),
        ("mlp_2_layers", 256),
        ("mlp_3_layers", 256),
        ("mlp_per_object_product", 256),
        ("mlp_global_product", 256),
    ),
    5,
    2_000,
    1,
)
"""Networks with several hidden layers, and networks that products feed."""
SWEEPS = {"short": SHORT, "full": FULL, "operators": NAMED, "networks": DEEPER}
"""Sweeps by the effort that is asked for."""
