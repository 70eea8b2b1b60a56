"""Two small transformers on symbols: a scene encoder and a query encoder (arXiv 2605.31503, section
7).

    scene   start v_1 .. v_C end   start v_1 .. v_C end   ...   end-of-scene
    query   v end-of-scene         or   start v_1 .. v_C end end-of-scene

The embedding is what stands at end-of-scene. Sequences of one length are encoded together, so that
nothing is padded and no mask is needed: a query of two tokens costs two tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, normalize, scaled_dot_product_attention

from conceptbind.core.errors import UnknownNameError, ValueRangeError, counted, cut, nearest
from conceptbind.core.limits import require_whole

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped


Positions = Literal["learned", "relative"]
POSITIONS = ("learned", "relative")
Attention = Literal["full", "causal"]
ATTENTION = ("full", "causal")
Similarity = Literal["cosine", "dot"]
SIMILARITY = ("cosine", "dot")
MOST_OBJECTS, MOST_CONCEPTS = 10_000_000, 25
START, END, SCENE_END, FIRST_VALUE = 0, 1, 2, 3
"""Ids of the special tokens, and of the first value of the first concept."""


@dataclass(frozen=True)
class Shape:
    """Sizes of both encoders."""

    sizes: tuple[int, ...]
    """(V_1, ..., V_C)."""
    most_objects: int = 2
    """Objects in a scene, at most."""
    width: int = 256
    depth: int = 6
    heads: int = 4
    feed_forward: int = 1024
    dimension: int = 64
    """d, of the embeddings."""
    positions: Positions = "learned"
    """A learned vector for each position, or a penalty on attention that grows with the distance of
    two tokens."""
    shared: bool = False
    """One transformer for scenes and queries instead of two."""
    attention: Attention = "full"
    """Tokens attend to all others, or (`causal`) to those before them, with CLIP's activation: a
    text tower like that of CLIP."""
    similarity: Similarity = "cosine"
    """Scores are cosines times a learned scale, or (`dot`) dot products with an offset for each
    query."""

    def __post_init__(self) -> None:
        for name in ("most_objects", "width", "depth", "heads", "feed_forward", "dimension"):
            require_whole(name, getattr(self, name))
        for size in self.sizes:
            require_whole("the number of values of a concept", size)
        if not self.sizes or min(self.sizes) < 2:
            raise ValueRangeError(f"every concept needs at least two values; got {self.sizes}")
        if len(self.sizes) > MOST_CONCEPTS:
            raise ValueRangeError(
                f"at most {MOST_CONCEPTS} concepts have names; got {len(self.sizes)}"
            )
        if math.prod(self.sizes) > MOST_OBJECTS:
            raise ValueRangeError(
                f"every object is a query, so there may be at most {MOST_OBJECTS:,}; "
                f"{len(self.sizes)} concepts of "
                f"{max(self.sizes):,} values make {math.prod(self.sizes):,}; use fewer values or "
                "concepts"
            )
        for name in ("most_objects", "width", "depth", "heads", "feed_forward", "dimension"):
            if getattr(self, name) < 1:
                raise ValueRangeError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.width % self.heads:
            raise ValueRangeError(
                f"the width must be a multiple of the number of heads; got {self.width} and "
                f"{self.heads}"
            )
        kinds = {"positions": POSITIONS, "attention": ATTENTION, "similarity": SIMILARITY}
        for name, known in kinds.items():
            value = getattr(self, name)
            if value not in known:
                raise UnknownNameError(f"unknown {name} '{cut(value)}'; {nearest(value, known)}")

    @property
    def n_tokens(self) -> int:
        """Values and special tokens."""
        return FIRST_VALUE + sum(self.sizes)

    @property
    def n_weights(self) -> int:
        """Weights of both encoders, but for norms and offsets."""
        block = 4 * self.width**2 + 2 * self.width * self.feed_forward
        tables = (self.n_tokens + (self.longest if self.positions == "learned" else 0)) * self.width
        return (1 if self.shared else 2) * (self.depth * block + tables + self.width * self.entries)

    @property
    def entries(self) -> int:
        """Entries of an embedding: `dimension`, and with dot products one more, which is 1 in
        scenes and the offset in queries, so that a score is one product.
        """
        return self.dimension + (self.similarity == "dot")

    @property
    def longest(self) -> int:
        """Tokens of a scene with all its objects."""
        return self.most_objects * (len(self.sizes) + 2) + 1

    def value_tokens(self, device: str | torch.device = "cpu") -> Int[Tensor, " concepts"]:
        """(C,) token of the first value of each concept."""
        return FIRST_VALUE + torch.tensor([0, *self.sizes[:-1]], device=device).cumsum(0)

    def scene_tokens(
        self, values: Int[Tensor, "scenes slots concepts"]
    ) -> Int[Tensor, "scenes tokens"]:
        """(n, m, C) value ids -> (n, m (C + 2) + 1) tokens.

        Raises:
            ValueRangeError: more objects than the encoders have positions for.
        """
        n, m, _ = values.shape
        if m > self.most_objects:
            raise ValueRangeError(
                f"a scene has {counted(m, 'object')}, but the model reads at most "
                f"{self.most_objects}"
            )
        first, last = values.new_full((n, m, 1), START), values.new_full((n, m, 1), END)
        objects = torch.cat([first, values + self.value_tokens(values.device), last], dim=2)
        return torch.cat([objects.flatten(1), values.new_full((n, 1), SCENE_END)], dim=1)

    def concept_tokens(self, device: str | torch.device = "cpu") -> Int[Tensor, "values 2"]:
        """(V_1 + ... + V_C, 2) tokens of the queries for single values."""
        values = torch.arange(FIRST_VALUE, self.n_tokens, device=device)
        return torch.stack([values, torch.full_like(values, SCENE_END)], dim=1)


class Block(nn.Module):
    """Attention and a feed-forward layer, each behind a layer norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.active = quick_gelu if shape.attention == "causal" else gelu
        self.norm_1, self.norm_2 = nn.LayerNorm(shape.width), nn.LayerNorm(shape.width)
        self.attend, self.join = (
            nn.Linear(shape.width, 3 * shape.width),
            nn.Linear(shape.width, shape.width),
        )
        self.widen, self.narrow = (
            nn.Linear(shape.width, shape.feed_forward),
            nn.Linear(shape.feed_forward, shape.width),
        )
        for last in (self.join, self.narrow):
            nn.init.normal_(last.weight, std=(2 * shape.depth * last.in_features) ** -0.5)
            nn.init.zeros_(last.bias)

    def forward(
        self,
        x: Float[Tensor, "rows tokens width"],
        bias: Float[Tensor, "heads tokens tokens"] | None,
        only_last: bool,
    ) -> Float[Tensor, "rows read width"]:
        """(n, t, width); with `only_last` just the last token, (n, 1, width), attending to all."""
        width = x.shape[-1]
        normed = self.norm_1(x)
        if only_last:  # the last block is read at end-of-scene alone, so it computes no other token
            weight, offset = self.attend.weight, self.attend.bias
            query = over_tokens(normed[:, -1:], weight[:width], offset[:width])
            key, value = over_tokens(normed, weight[width:], offset[width:]).chunk(2, dim=-1)
            x, bias = x[:, -1:], None if bias is None else bias[:, -1:]
        else:
            query, key, value = over_tokens(normed, self.attend.weight, self.attend.bias).chunk(
                3, dim=-1
            )
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value)
        )
        x = x + over_tokens(
            attended(query, key, value, bias).transpose(1, 2).flatten(2),
            self.join.weight,
            self.join.bias,
        )
        wide = self.active(over_tokens(self.norm_2(x), self.widen.weight, self.widen.bias))
        return x + over_tokens(wide, self.narrow.weight, self.narrow.bias)


def quick_gelu(x: Float[Tensor, "*rows width"]) -> Float[Tensor, "*rows width"]:
    """CLIP's approximation of GELU."""
    return x * torch.sigmoid(1.702 * x)


def over_tokens(
    x: Float[Tensor, "rows tokens width_in"],
    weight: Float[Tensor, "width_out width_in"],
    bias: Float[Tensor, " width_out"],
) -> Float[Tensor, "rows tokens width_out"]:
    """(n, t, a) -> (n, t, b), as one product over all n * t tokens.

    The same as `linear(x, weight, bias)`, which for stacked models (under `torch.vmap`) makes a
    small product of every sequence.
    """
    return linear(x.flatten(0, 1), weight, bias).unflatten(0, x.shape[:2])


def attended(
    query: Float[Tensor, "rows heads read width"],
    key: Float[Tensor, "rows heads tokens width"],
    value: Float[Tensor, "rows heads tokens width"],
    bias: Float[Tensor, "heads read tokens"] | None,
) -> Float[Tensor, "rows heads read width"]:
    """(n, heads, t, width / heads) attention; on a CPU never in bfloat16, whose kernel there takes
    three times as long for a few tokens.
    """
    if query.device.type != "cpu" or query.dtype != torch.bfloat16:
        return scaled_dot_product_attention(query, key, value, attn_mask=bias)
    with torch.autocast("cpu", enabled=False):
        mixed = scaled_dot_product_attention(
            query.float(),
            key.float(),
            value.float(),
            attn_mask=None if bias is None else bias.float(),
        )
        return mixed.to(query.dtype)


class Tower(nn.Module):
    """One encoder: tokens to embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.tokens = nn.Embedding(shape.n_tokens, shape.width)
        self.positions = (
            nn.Embedding(shape.longest, shape.width) if shape.positions == "learned" else None
        )
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.norm, self.project = (
            nn.LayerNorm(shape.width),
            nn.Linear(shape.width, shape.entries, bias=False),
        )
        for table in (self.tokens, self.positions):
            if table is not None:
                nn.init.normal_(table.weight, std=0.5)

    def forward(self, tokens: Int[Tensor, "rows tokens"]) -> Float[Tensor, "rows width"]:
        """(n, t) -> (n, d) rows, unit rows where they are compared by cosine."""
        x, bias = self.tokens(tokens), None
        if self.positions is None:
            bias = distance_penalty(tokens.shape[1], self.shape.heads, x.device).to(x.dtype)
        else:
            x = x + self.positions.weight[: tokens.shape[1]]
        if self.shape.attention == "causal":
            later = torch.full((tokens.shape[1],) * 2, float("-inf"), device=x.device).triu(1)
            later = later.to(x.dtype).expand(self.shape.heads, -1, -1)
            bias = later if bias is None else bias + later
        for number, block in enumerate(self.blocks, start=1):
            x = block(x, bias, number == len(self.blocks))
        rows = self.project(self.norm(x[:, -1])).float()
        return normalize(rows, dim=-1) if self.shape.similarity == "cosine" else rows


def distance_penalty(
    length: int, heads: int, device: torch.device
) -> Float[Tensor, "heads tokens tokens"]:
    """(heads, t, t) added to attention: minus the distance of two tokens times a slope that falls
    by 2^(-8 / heads) from head to head.

    Press, Smith, Lewis, "Train short, test long" (arXiv 2108.12409), beginning at 1 and with a last
    head that sees everything alike, where there are several: a single one would not know which
    values stand beside each other.
    """
    at = torch.arange(length, device=device)
    distance = (at[:, None] - at[None, :]).abs().float()
    slopes = torch.tensor(
        [2.0 ** (-8 * h / heads) for h in range(max(1, heads - 1))] + [0.0] * (heads > 1),
        device=device,
    )
    return -slopes[:, None, None] * distance


class ControlledModel(nn.Module):
    """Scene encoder, query encoder and temperature."""

    def __init__(self, shape: Shape, hottest: float = 100.0, scale: float = 10.0) -> None:
        super().__init__()
        self.shape, self.hottest = shape, math.log(hottest)
        self.scene_tower = Tower(shape)
        self.query_tower = self.scene_tower if shape.shared else Tower(shape)
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    def scenes(self, values: Int[Tensor, "scenes slots concepts"]) -> Float[Tensor, "scenes width"]:
        """(n, m, C) value ids -> (n, d) rows, see `Shape.entries`."""
        found: Tensor = self.scene_tower(self.shape.scene_tokens(values))
        if self.shape.similarity == "dot":
            return torch.cat([found[:, :-1], torch.ones_like(found[:, -1:])], dim=1)
        return found

    def objects(self, values: Int[Tensor, "objects concepts"]) -> Float[Tensor, "objects width"]:
        """(n, C) value ids -> (n, d) rows of object queries."""
        found: Tensor = self.query_tower(self.shape.scene_tokens(values[:, None]))
        return found

    def concepts(self) -> Float[Tensor, "values width"]:
        """(V_1 + ... + V_C, d) rows of the queries for single values."""
        found: Tensor = self.query_tower(self.shape.concept_tokens(self.log_scale.device))
        return found

    def scale(self) -> Float[Tensor, ""]:
        """What cosines are multiplied with; 1 for dot products."""
        if self.shape.similarity == "dot":
            return torch.ones_like(self.log_scale)
        return self.log_scale.clamp(max=self.hottest).exp()

    def without_twin(
        self, weights: Mapping[str, Shaped[Tensor, " ..."]]
    ) -> dict[str, Shaped[Tensor, " ..."]]:
        """Weights without the second name of a transformer that scenes and queries share, which a
        file would hold twice.
        """
        return {
            name: value
            for name, value in weights.items()
            if not (self.shape.shared and name.startswith("query_tower."))
        }

    def with_twin(
        self, weights: Mapping[str, Shaped[Tensor, " ..."]]
    ) -> dict[str, Shaped[Tensor, " ..."]]:
        """The inverse of `without_twin`."""
        ours = {
            name: value
            for name, value in weights.items()
            if self.shape.shared and name.startswith("scene_tower.")
        }
        return {
            **weights,
            **{
                name.replace("scene_tower.", "query_tower.", 1): value
                for name, value in ours.items()
            },
        }
