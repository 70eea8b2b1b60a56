"""Solid scenes: cubes, cylinders and spheres on a ground plane, in light with soft shadows (mitsuba
3, one thread).

The objects are placed in the picture first, in circles that do not overlap, and put on the ground
along the camera's rays. Spheres around the objects that touched in space would overlap in the
picture too, so objects neither overlap nor hide one another. The same seed and versions give the
same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from math import cos, pi, radians, sin, tan
from typing import TYPE_CHECKING, Any

import numpy as np

from conceptbind.core.errors import (
    MissingExtraError,
    UnknownNameError,
    ValueRangeError,
    counted,
    cut,
    nearest,
)
from conceptbind.pictures.layout import place
from conceptbind.pictures.vocabulary import COLORS, SOLID_SHAPES

if TYPE_CHECKING:
    from jaxtyping import Float
    from PIL.Image import Image

    from conceptbind.core.typing import Floats

VARIANT = "scalar_rgb"
FIELD = 18.0
"""Angle of view in degrees. Narrow, so that objects at the back are not much smaller than those in
front."""
DISTANCE = 20.0
"""Distance from the camera to the middle of the ground."""
ELEVATION, ELEVATION_JITTER, TURN_JITTER = 38.0, 6.0, 25.0
"""Degrees of the camera above the ground, and how far it and the light around it may change."""
LIGHT_AZIMUTH, LIGHT_AZIMUTH_JITTER, LIGHT_ELEVATION, LIGHT_ELEVATION_JITTER = 40.0, 20.0, 52.0, 8.0
"""Degrees of the main light: to the left of the camera, above the ground, and their changes."""
LIGHT_DISTANCE, LIGHT_SIDE = 28.0, 3.0
"""How far the main light is, and half of its side: what makes its shadows soft."""
KEY, FILL = 0.7, 0.45
"""Shares of white that a white surface gives back when it faces the main light, and the camera,
behind which the fill light stands."""
FILL_DISTANCE = 40.0
"""How far the fill light is; from further away it falls more evenly on the front and the back of
the scene."""
GROUND = 0.55
"""Linear reflectance of the ground, a light grey."""
MARGIN = 0.95
"""Share of its circle that an object may fill; the rest is for perspective, which draws spheres as
ellipses."""
LARGEST = 0.2
"""Largest radius as a share of the picture; one object alone would otherwise fill it."""
HALF_SIZES = {"cube": 1 / 3**0.5, "cylinder": 0.66, "sphere": 0.82}
"""Half of the height of each shape in a sphere of radius 1; chosen so that they look equally
large."""


@dataclass(frozen=True)
class SolidStyle:
    """How solid scenes look."""

    size: int = 224
    """Width and height in pixels."""
    supersampling: int = 3
    """Rays along each side of a pixel."""
    position_jitter: float = 0.5
    """Share of the free space around an object that it may use."""
    size_jitter: float = 0.15
    """Objects are up to this share smaller."""
    camera_jitter: float = 0.5
    """Share of the largest change of the camera: 6 degrees up or down, 25 degrees around."""
    light_jitter: float = 0.5
    """Share of the largest change of the main light: 20 degrees around, 8 degrees up or down, a
    fifth brighter or darker."""
    turn_jitter: float = 1.0
    """Share of the turns of an object about its own axis, at most 45 degrees to either side."""
    halves: bool = True
    """Two objects stand left and right."""


@dataclass(frozen=True, eq=False)
class SolidLayout:
    """Where m objects stand, ordered from left to right in the picture. In the scene, z points up
    and the camera looks along y.
    """

    positions: Float[Floats, "objects 3"]
    """(m, 3) middles of the objects in the scene; the ground is z = 0."""
    extents: Float[Floats, " objects"]
    """(m,) radii of the spheres around the objects in the scene."""
    centres: Float[Floats, "objects 2"]
    """(m, 2) the middles as the picture shows them, as shares of its side; y points down."""
    radii: Float[Floats, " objects"]
    """(m,) radii of those spheres in the picture, as shares of its side."""


@dataclass(frozen=True, eq=False)
class _Camera:
    """A pinhole: where it stands and its axes, each (3,)."""

    origin: Floats
    forward: Floats
    right: Floats
    up: Floats

    def rays(self, centres: Floats) -> Floats:
        """Directions (m, 3) through points (m, 2) of the picture; their share along `forward` is
        1.
        """
        across = (2 * centres - 1) * tan(radians(FIELD / 2))
        return np.asarray(self.forward + across[:, :1] * self.right - across[:, 1:] * self.up)


def draw_solid(
    objects: Sequence[tuple[str, str]], rng: np.random.Generator, style: SolidStyle | None = None
) -> tuple[Image, SolidLayout]:
    """A picture of objects (colour, shape), placed from left to right, and where they stand.

    It sets mitsuba to one thread in this process: pictures are then the same to the byte, and
    processes may be forked.

    Args:
        objects: m pairs of a colour and a solid shape.
        rng: source of all jitter and of the rays.
        style: how it looks.

    Raises:
        MissingExtraError: mitsuba is not installed.
        UnknownNameError: a colour or shape that is not known.
        ValueRangeError: more objects than fit, so many on so few pixels that shapes could not be
            told apart, or a jitter out of range.
    """
    style = style or SolidStyle()
    for color, shape in objects:
        if color not in COLORS:
            raise UnknownNameError(
                f"the renderer knows no colour '{cut(color)}'; {nearest(color, COLORS)}"
            )
        if shape not in SOLID_SHAPES:
            raise UnknownNameError(
                f"the solid renderer knows no shape '{cut(shape)}'; {nearest(shape, SOLID_SHAPES)}"
            )
    if not all(
        0 <= jitter <= 1 for jitter in (style.camera_jitter, style.light_jitter, style.turn_jitter)
    ):
        raise ValueRangeError(
            "jitter must lie between 0 and 1; "
            f"got camera {style.camera_jitter}, light {style.light_jitter} and turn "
            f"{style.turn_jitter}"
        )
    if style.supersampling < 1:
        raise ValueRangeError(
            f"a pixel needs at least 1 ray; got supersampling {style.supersampling}"
        )
    camera = _camera(rng, style.camera_jitter)
    layout = _stand([shape for _, shape in objects], camera, rng, style)
    if layout.radii.min() * style.size < 4:
        raise ValueRangeError(
            f"{counted(len(objects), 'object')} on {style.size} pixels would be "
            f"{2 * layout.radii.min() * style.size:.0f} pixels wide; "
            "use a larger size or fewer objects"
        )
    return _render(objects, layout, camera, rng, style), layout


def _camera(rng: np.random.Generator, jitter: float) -> _Camera:
    """A camera in front of the scene (at negative y), looking at its middle."""
    height, around = jitter * rng.uniform(-1, 1, 2)
    elevation, azimuth = (
        radians(ELEVATION + ELEVATION_JITTER * height),
        radians(TURN_JITTER * around),
    )
    forward = np.array(
        [-sin(azimuth) * cos(elevation), cos(azimuth) * cos(elevation), -sin(elevation)]
    )
    right = np.array([cos(azimuth), sin(azimuth), 0.0])
    return _Camera(-DISTANCE * forward, forward, right, np.cross(right, forward))


def _stand(
    shapes: Sequence[str], camera: _Camera, rng: np.random.Generator, style: SolidStyle
) -> SolidLayout:
    """Put objects on the ground where the rays through a flat layout meet it."""
    flat = place(
        len(shapes),
        rng,
        position_jitter=style.position_jitter,
        size_jitter=style.size_jitter,
        halves=style.halves,
    )
    allowed = MARGIN * np.minimum(flat.radii, LARGEST)  # (m,) as shares of the picture
    # (m,) height of a middle, as a share of the object's radius
    rise = np.array([HALF_SIZES[shape] for shape in shapes])
    rays = camera.rays(flat.centres)  # (m, 3)
    fall = -rays[:, 2]
    width = 2 * tan(radians(FIELD / 2))  # of the picture at depth 1
    # a radius r at depth t fills r / (width t) of the picture, and its middle at the height rise r
    # lies at t = (z - rise r) / fall
    largest = allowed * width * camera.origin[2] / (fall + allowed * width * rise)  # (m,)
    share = flat.radii / flat.radii.max()
    extents = (
        largest / share
    ).min() * share  # sizes differ by their jitter only, so that perspective stays true
    depths = (camera.origin[2] - rise * extents) / fall
    return SolidLayout(
        camera.origin + depths[:, None] * rays, extents, flat.centres, extents / (width * depths)
    )


def _render(
    objects: Sequence[tuple[str, str]],
    layout: SolidLayout,
    camera: _Camera,
    rng: np.random.Generator,
    style: SolidStyle,
) -> Image:
    """Trace the rays."""
    from PIL import Image as Pillow

    try:
        # untyped where they are missing, so untyped everywhere
        drjit, mitsuba = (
            import_module("drjit"),
            import_module("mitsuba"),
        )
    except ImportError as error:
        raise MissingExtraError("mitsuba", "render3d", "drawing solid scenes") from error

    linear = np.zeros((style.size, style.size, 3))
    before = mitsuba.variant()
    drjit.set_thread_count(1)
    mitsuba.set_variant(VARIANT)
    try:
        transform = mitsuba.ScalarTransform4f
        turns = 45 * style.turn_jitter * rng.uniform(-1, 1, len(objects))
        parts = [
            part
            for i, (color, shape) in enumerate(objects)
            for part in _solid(
                transform, color, shape, layout.positions[i], layout.extents[i], turns[i]
            )
        ]
        common = {
            "type": "scene",
            "integrator": {"type": "direct", "emitter_samples": 1, "bsdf_samples": 0},
            "ground": {
                "type": "rectangle",
                "to_world": transform().scale(50),
                "bsdf": _matte((GROUND,) * 3),
            },
            **{f"part{i}": part for i, part in enumerate(parts)},
        }
        lights = _lights(transform, camera, rng, style.light_jitter)
        seed = int(rng.integers(2**31))
        # one light at a time: choosing between them ray by ray would be noise
        for light, side in zip(
            lights, (style.supersampling, max(1, style.supersampling - 1)), strict=True
        ):
            scene = mitsuba.load_dict(
                {
                    **common,
                    "sensor": _sensor(transform, camera, style.size, side**2),
                    "light": light,
                }
            )
            linear += np.array(mitsuba.render(scene, seed=seed))
    finally:
        if before is not None and before != VARIANT:
            mitsuba.set_variant(before)
    return Pillow.fromarray(np.round(255 * _encoded(linear)).astype(np.uint8))


def _solid(
    transform: Any, color: str, shape: str, position: Floats, extent: float, turn: float
) -> list[dict[str, Any]]:
    """The parts of one object in mitsuba's scene; a cylinder has a lid of its own."""
    half = float(extent) * HALF_SIZES[shape]
    where = transform().translate(position.tolist()).rotate([0, 0, 1], float(turn)).scale(half)
    red, green, blue = _linear(np.array(COLORS[color]) / 255).tolist()
    surface = {
        "type": "principled",
        "base_color": {"type": "rgb", "value": [red, green, blue]},
        "roughness": 0.6,
        "specular": 0.15,
    }
    body = {"type": shape, "to_world": where, "bsdf": surface}
    if shape != "cylinder":
        return [body]
    lid = {"type": "disk", "to_world": where @ transform().translate([0, 0, 1]), "bsdf": surface}
    return [{**body, "p0": [0, 0, -1], "p1": [0, 0, 1]}, lid]


def _matte(reflectance: Sequence[float]) -> dict[str, Any]:
    return {"type": "diffuse", "reflectance": {"type": "rgb", "value": list(reflectance)}}


def _sensor(transform: Any, camera: _Camera, size: int, rays: int) -> dict[str, Any]:
    """The camera, with a film of size x size pixels and so many rays to each."""
    film = {
        "type": "hdrfilm",
        "width": size,
        "height": size,
        "rfilter": {"type": "gaussian"},
        "pixel_format": "rgb",
        "component_format": "float32",
    }
    return {
        "type": "perspective",
        "fov": FIELD,
        "to_world": transform().look_at(camera.origin.tolist(), [0, 0, 0], [0, 0, 1]),
        "film": film,
        "sampler": {"type": "multijitter", "sample_count": rays},
    }


def _lights(
    transform: Any, camera: _Camera, rng: np.random.Generator, jitter: float
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A square of light from the left, and light from behind the camera, whose shadows lie behind
    the objects.
    """
    around, height, power = jitter * rng.uniform(-1, 1, 3)
    azimuth = radians(LIGHT_AZIMUTH + LIGHT_AZIMUTH_JITTER * around)
    elevation = radians(LIGHT_ELEVATION + LIGHT_ELEVATION_JITTER * height)
    direction = -sin(azimuth) * camera.right - cos(azimuth) * np.cross([0, 0, 1], camera.right)
    origin = LIGHT_DISTANCE * (cos(elevation) * direction + np.array([0, 0, sin(elevation)]))
    # radiance x area / distance^2 = pi x the share that white gives back
    radiance = pi * KEY * (1 + 0.2 * power) * LIGHT_DISTANCE**2 / (2 * LIGHT_SIDE) ** 2
    key = {
        "type": "rectangle",
        "to_world": transform().look_at(origin.tolist(), [0, 0, 0], [0, 0, 1]).scale(LIGHT_SIDE),
        "emitter": {"type": "area", "radiance": {"type": "rgb", "value": float(radiance)}},
    }
    intensity = pi * FILL * FILL_DISTANCE**2
    fill = {
        "type": "point",
        "position": (-FILL_DISTANCE * camera.forward).tolist(),
        "intensity": {"type": "rgb", "value": intensity},
    }
    return key, fill


def _linear(encoded: Floats) -> Floats:
    """Light from sRGB values in 0..1 (IEC 61966-2-1)."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _encoded(linear: Floats) -> Floats:
    """SRGB values in 0..1 from light; what is brighter than white is white."""
    light = np.clip(linear, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
