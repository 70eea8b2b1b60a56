"""What decides how a controlled model is trained."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from conceptbind.controlled.data import ObjectSplit, Queried, split_objects
from conceptbind.controlled.model import Shape
from conceptbind.core.errors import (
    FileError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    nearest,
)
from conceptbind.core.limits import device_memory, require_memory, require_whole

Objective = Literal["queries", "scenes"]
OBJECTIVES = ("queries", "scenes")
Optimiser = Literal["adamw", "muon"]
OPTIMISERS = ("adamw", "muon")
Precision = Literal["float32", "bf16"]
"""Number format of matrix products in a training."""
PRECISIONS = ("float32", "bf16")


@dataclass(frozen=True)
class Recipe:
    """Everything that the weights depend on, but for the machine."""

    shape: Shape
    coverage: float
    """Share of the objects that are trained on."""
    seed: int = 0
    objective: Objective = "queries"
    """Scenes against queries of concepts and objects (arXiv 2605.31503, section 7), or against
    themselves with their objects reordered."""
    batch: int = 512
    steps: int = 50_000
    rate: float = 3e-5
    """Largest learning rate, of AdamW."""
    matrix_rate: float = 2e-2
    """Largest learning rate of Muon, which updates the matrices of the blocks where it is chosen;
    all else is AdamW's."""
    optimiser: Optimiser = "adamw"
    weight_decay: float = 0.01
    warm_up: float = 0.1
    """Share of the steps on which the rate rises."""
    decay: float = 0.9
    """Share of the steps, the last, on which it falls to 0."""
    concept_weight: float = 1.0
    """Weight of the loss on concept queries beside that on object queries."""
    scale: float = 10.0
    """What cosines are multiplied with at the start; it is learned."""
    hottest: float = 100.0
    """Its ceiling."""
    looks: int = 40
    """How often validation objects are looked at."""
    enough: float = 0.995
    """Recognition of scenes of validation objects, among all objects, at which training ends."""
    precision: Precision = "float32"
    """Number format of all products in training, those of the scores included; weights and moments,
    and what is scored afterwards, are float32."""
    most_swaps: int | None = None
    """Objects with one attribute taken from another object of the scene that are queries too, drawn
    for each scene among train objects; by default all are, and 0 is none."""
    negatives: int = 0
    """Further train objects that are queries, for each object that is asked for."""
    most_object_queries: int | None = None
    """Objects of a batch that are asked for, at most, drawn at random."""
    most_concept_queries: int | None = None
    """Values of a batch that are asked for, at most; by default all values are queries."""

    def __post_init__(self) -> None:
        kinds = {"objective": OBJECTIVES, "optimiser": OPTIMISERS, "precision": PRECISIONS}
        for name, known in kinds.items():
            value = getattr(self, name)
            if value not in known:
                raise UnknownNameError(f"unknown {name} '{cut(value)}'; {nearest(value, known)}")
        for name in ("batch", "steps", "looks", "seed"):
            require_whole(name, getattr(self, name))
        for name, least in LEAST.items():
            _require_least(name, getattr(self, name), least)
        for name in ("batch", "steps", "looks"):
            if getattr(self, name) < 1:
                raise ValueRangeError(f"{name} must be at least 1; got {getattr(self, name)}")
        for name in ("rate", "matrix_rate", "scale", "hottest"):
            if not getattr(self, name) > 0:
                raise ValueRangeError(f"{name} must be above 0; got {getattr(self, name)}")
        if not self.concept_weight >= 0:
            raise ValueRangeError(f"concept_weight must be at least 0; got {self.concept_weight}")
        if not 0 <= self.seed < 1 << 62:
            raise ValueRangeError(f"seed must lie between 0 and {1 << 62}; got {self.seed}")
        for name in ("warm_up", "decay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueRangeError(f"{name} must lie between 0 and 1; got {getattr(self, name)}")

    @property
    def sizes_name(self) -> str:
        """For example 50x50."""
        return "x".join(map(str, self.shape.sizes))

    def split(self) -> ObjectSplit:
        """Train, validation and test objects; raises as `split_objects` does."""
        if self.objective == "scenes" and self.shape.most_objects < 2:
            raise ValueRangeError(
                "the objective 'scenes' compares scenes with their objects in another order: use "
                "at least two objects"
            )
        return split_objects(self.shape.sizes, self.coverage, self.seed)

    @property
    def memory(self) -> int:
        """Bytes that training takes, at least: weights with gradients and two moments; what a step
        keeps of a batch; its scores.
        """
        shape = self.shape
        # of scenes of 1 to m objects
        tokens = self.batch * (shape.longest + len(shape.sizes) + 3) // 2
        kept = tokens * (shape.depth - 1) * (6 * shape.width + 2 * shape.feed_forward)
        targets = self.batch * len(shape.sizes) * max(shape.sizes)
        return 4 * (4 * shape.n_weights + kept + 2 * targets)

    def check(self, device: str = "cpu") -> None:
        """Refuse now what training would refuse: a coverage that leaves nothing, scenes of more
        objects than there are, more than memory.

        Raises:
            ValueRangeError: see there.
        """
        shape = self.shape
        require_memory(
            self.memory,
            f"a training with batch {self.batch:,}, width {shape.width:,}, depth {shape.depth:,}, "
            f"feed_forward {shape.feed_forward:,}, "
            f"dimension {shape.dimension:,} and {self.sizes_name} values",
            "use smaller numbers",
            device_memory(device),
        )
        split, m = self.split(), self.shape.most_objects
        for name, part in (
            ("train", split.train),
            ("validation", split.validation),
            ("test", split.test),
        ):
            if len(part) < m:
                raise ValueRangeError(
                    f"scenes of {counted(m, 'object')} need as many {name} objects, but coverage "
                    f"{self.coverage} of {self.sizes_name} leaves {len(part)}; "
                    "use more values, another coverage or fewer objects in a scene"
                )
        if self.batch < m:
            raise ValueRangeError(
                f"a batch needs a scene of every number of objects: at least {m}; got {self.batch}"
            )

    def rate_at(self, step: int) -> float:
        """Share of the largest learning rate at a step: a linear rise, a plateau, a linear fall."""
        rise = min(1.0, (step + 1) / max(1.0, self.warm_up * self.steps))
        fall = min(1.0, (self.steps - step) / max(1.0, self.decay * self.steps))
        return rise * fall

    @property
    def queried(self) -> Queried:
        """Which queries its batches have."""
        return {
            "most_swaps": self.most_swaps,
            "negatives": self.negatives,
            "most_object_queries": self.most_object_queries,
            "most_concept_queries": self.most_concept_queries,
        }

    @property
    def key(self) -> str:
        """What tells two recipes apart. Settings that came later do not stand in it where they are
        as ever, so that models of earlier versions are found.
        """
        # earlier versions had a setting that 0 of most_swaps now says
        text = repr(self).replace(", scale=", ", swaps=True, scale=", 1)
        for name, usual in {**LATER, **LATER_SHAPE}.items():
            text = text.replace(f", {name}={usual!r}", "")
        return text

    def flat(self) -> dict[str, Any]:
        """As it is written to `config.json`; later settings only where they are not as ever."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        found["swaps"] = self.most_swaps != 0  # as earlier versions wrote and read it
        for settings, later in ((found, LATER), (found["shape"], LATER_SHAPE)):
            for name, usual in later.items():
                if settings[name] == usual:
                    del settings[name]
        return found

    @classmethod
    def read(cls, content: Any, where: str) -> Recipe:
        """From `config.json`.

        Raises:
            FileError: it is not a recipe.
        """
        try:
            shape, content = dict(content["shape"]), dict(content)
            if not content.pop("swaps", True):  # of earlier versions
                content["most_swaps"] = 0
            unknown = set(content) - {item.name for item in fields(cls)}
            if unknown:
                raise KeyError(", ".join(sorted(unknown)))
            return cls(**{**content, "shape": Shape(**{**shape, "sizes": tuple(shape["sizes"])})})
        except (KeyError, TypeError, ValueError) as error:
            raise FileError(
                f"{where} does not hold the recipe of a controlled model ({error}); train it again"
            ) from error


def _require_least(name: str, number: int | None, least: int) -> None:
    """Raise ValueRangeError unless a number that was asked for is whole and large enough."""
    if number is None:
        return
    require_whole(name, number)
    if number < least:
        raise ValueRangeError(f"{name} must be at least {least}; got {number}")


PRESETS: dict[str, dict[str, Any]] = {
    "small": {
        "values": 50,
        "concepts": 2,
        "objects": 2,
        "width": 128,
        "depth": 2,
        "heads": 4,
        "feed_forward": 512,
        "dimension": 256,
        "positions": "relative",
        "shared": True,
        "batch": 256,
        "steps": 2_400,
        "rate": 7e-4,
        "matrix_rate": 7e-3,
        "optimiser": "muon",
        "warm_up": 0.05,
        "decay": 0.5,
        "concept_weight": 0.2,
        "scale": 20.0,
    },
    "published": {
        "values": 20,
        "concepts": 2,
        "objects": 2,
        "width": 256,
        "depth": 6,
        "heads": 4,
        "feed_forward": 1024,
        "dimension": 64,
        "positions": "learned",
        "shared": False,
        "batch": 512,
        "steps": 50_000,
        "rate": 3e-5,
        "matrix_rate": 2e-2,
        "optimiser": "adamw",
        "warm_up": 0.1,
        "decay": 0.9,
        "concept_weight": 1.0,
        "scale": 10.0,
    },
}
"""Settings by name: one that binds within minutes on two cores, and that of arXiv 2605.31503."""
LATER: dict[str, Any] = {
    "most_swaps": None,
    "negatives": 0,
    "most_object_queries": None,
    "most_concept_queries": None,
}
LEAST = {"most_swaps": 0, "negatives": 0, "most_object_queries": 1, "most_concept_queries": 1}
LATER_SHAPE: dict[str, Any] = {"attention": "full", "similarity": "cosine"}
"""Settings that came after the first models, with what they were before; the same in every
preset."""
SHAPE = ("width", "depth", "heads", "feed_forward", "dimension", "positions", "shared")


def read_sizes(space: str) -> tuple[int, ...]:
    """The number of values of each concept of an object space such as 20x20x20.

    Args:
        space: numbers of values with an x between.

    Raises:
        ValueRangeError: it is not of that form.
    """
    parts = space.split("x")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise ValueRangeError(
            "an object space is the numbers of values of its concepts, such as 50x50 or 20x20x20; "
            f"got '{space}'"
        )
    return tuple(map(int, parts))


def make_recipe(
    preset: str,
    coverage: float,
    seed: int = 0,
    objective: Objective = "queries",
    *,
    precision: Precision = "float32",
    **changed: Any,
) -> Recipe:
    """A preset with some settings changed; None leaves a setting as it is.

    Args:
        preset: `small` or `published`.
        coverage: share of the objects that are trained on.
        seed: of objects, weights and batches.
        objective: `queries` or `scenes`.
        precision: of the products, see `training.precision_of`.
        changed: settings by their names in `PRESETS`, or `sizes`, the number of values of each
            concept, instead of values and concepts.

    Raises:
        UnknownNameError: no such preset or setting.
        ValueRangeError: a setting is out of range.
    """
    if preset not in PRESETS:
        raise UnknownNameError(f"unknown preset '{cut(preset)}'; {nearest(preset, PRESETS)}")
    sizes = changed.pop("sizes", None)
    known = {**PRESETS[preset], **LATER, **LATER_SHAPE}
    settings = {**known, **{name: value for name, value in changed.items() if value is not None}}
    for name in changed:
        if name not in known:
            raise UnknownNameError(f"unknown setting '{cut(name)}'; {nearest(name, known)}")
    for name in ("values", "concepts", "objects"):
        if settings[name] < 1:
            raise ValueRangeError(f"{name} must be at least 1; got {settings[name]}")
    sizes = sizes or (settings["values"],) * settings["concepts"]
    del settings["values"], settings["concepts"]
    shape = Shape(
        tuple(map(int, sizes)),
        settings.pop("objects"),
        **{name: settings.pop(name) for name in (*SHAPE, *LATER_SHAPE)},
    )
    return Recipe(shape, coverage, seed, objective, precision=precision, **settings)
