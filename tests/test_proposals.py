"""Proposals: crops cover the body, what the network says stays in its place, components become places to look at."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spinehub.errors import InvalidArgumentError
from spinehub.growing import GrowingWarning
from spinehub.inputs import PreprocessingSpec, SliceStack, crop_box
from spinehub.perfusion import Timing, assess_timing
from spinehub.report import deepest_voxel
from spinehub.routes import lesion_probability, network_mask, propose_lesions
from spinehub.routes.proposals import lesion_components, mask_at, search_centers
from spinehub.series import DynamicSeries, ParametricMap
from spinehub.volume import Grid, Mask, Seed

SPEC = PreprocessingSpec(size=64, depth_mm=40.0)
LARGE, SMALL, SPECK = (22, 80, 4), (66, 30, 8), (50, 95, 2)


class Reader:
    """Stands in for the U-Net: calls lesion what lights up, as probable as it enhances by 2 %, up to 1."""

    spec = SPEC

    def __init__(self) -> None:
        self.stacks: list[SliceStack] = []
        self.regions: list[NDArray[np.float32] | None] = []

    def segment(self, stack: SliceStack, inside: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        self.stacks.append(stack)
        self.regions.append(inside)
        enhancement = stack.values[:, SPEC.channel_names.index("peak_enhancement")]
        lesion = np.clip(enhancement / 2.0, 0.0, 1.0)
        return np.stack([1.0 - lesion, 0.5 * lesion, 0.5 * lesion], axis=1).astype(np.float32)


def oblique_grid(shape: tuple[int, int, int] = (88, 120, 12)) -> Grid:
    """Sagittal slices 1.8 mm in plane, tilted by 15 degrees, axes permuted and flipped."""
    angle = np.radians(15.0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[0, 0, 1.0], [-1.0, 0, 0], [0, -1.0, 0]]) * (1.8, 1.8, 5.0)
    affine[:3, 3] = (-20.0, 70.0, 90.0)
    return Grid(shape, affine)


def ball(grid: Grid, centre: tuple[int, int, int], radius_mm: float) -> NDArray[np.bool_]:
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    return np.asarray(np.linalg.norm((index - centre) * np.asarray(grid.spacing_mm), axis=-1) <= radius_mm)


@pytest.fixture(scope="module")
def series() -> DynamicSeries:
    """A body with a rim of air, two balls that light up fully and a speck; frames before and after contrast."""
    grid = oblique_grid()
    body = np.zeros(grid.shape)
    body[4:-4, 4:-4] = 100.0
    lit = ball(grid, LARGE, 15.0) | ball(grid, SMALL, 9.0) | ball(grid, SPECK, 2.0)
    return DynamicSeries(np.stack([body, body * (1.0 + 2.0 * lit)], axis=-1).astype(np.float32), grid)


@pytest.mark.parametrize("shape", [(88, 120, 12), (30, 200, 40), (20, 20, 3)])
def test_crops_cover_every_voxel_of_the_body(shape: tuple[int, int, int]) -> None:
    grid = oblique_grid(shape)
    body = np.zeros(shape, bool)
    body[2:-1, 1:-3, 1:] = True
    covered = np.zeros(shape, bool)
    for center in search_centers(grid, SPEC, body):
        covered[crop_box(grid, SPEC, center)] = True
    assert covered[body].all()


def test_nothing_is_searched_without_a_body() -> None:
    assert search_centers(oblique_grid(), SPEC, np.zeros((88, 120, 12), bool)) == ()


def test_a_volume_too_large_to_be_searched_is_refused() -> None:
    grid = Grid((300, 300, 300), np.diag([10.0, 10.0, 10.0, 1.0]))
    with pytest.raises(InvalidArgumentError, match="at most 200 crops"):
        search_centers(grid, SPEC, np.ones(grid.shape, bool))


def test_the_whole_body_is_read_and_every_voxel_keeps_its_place(series: DynamicSeries) -> None:
    reader = Reader()
    probability = lesion_probability(series, reader).values
    assert len(reader.stacks) > 4
    body = series.frames[..., 0] > 0
    assert np.isnan(probability[~body]).all()
    deep = ball(series.grid, LARGE, 11.0) | ball(series.grid, SMALL, 5.0)
    away = body & ~(ball(series.grid, LARGE, 21.0) | ball(series.grid, SMALL, 15.0) | ball(series.grid, SPECK, 10.0))
    np.testing.assert_allclose(probability[deep], 1.0, atol=1e-5)
    np.testing.assert_allclose(probability[away], 0.0, atol=1e-5)


def test_the_larger_ball_comes_first_each_seed_in_its_middle(series: DynamicSeries) -> None:
    found = propose_lesions(series, Reader())
    centres = [np.asarray(proposal.seed.position_mm) for proposal in found]
    expected = [np.asarray(series.grid.position_of(place)) for place in (LARGE, SMALL)]
    assert len(found) == 2  # the speck is smaller than 0.3 ml
    for centre, place in zip(centres, expected, strict=True):
        assert np.linalg.norm(centre - place) <= 2.5
    assert found[0].volume_ml == pytest.approx(4 / 3 * np.pi * 1.5**3, rel=0.15)
    assert all(0.5 <= proposal.probability <= 1.0 for proposal in found)
    assert len(propose_lesions(series, Reader(), count=1)) == 1


def test_a_search_tells_how_far_it_is_and_ends_when_asked(series: DynamicSeries) -> None:
    told: list[tuple[float, str]] = []

    class Stop(Exception):  # noqa: N818 - a signal
        pass

    def tell(share: float, text: str) -> None:
        told.append((share, text))
        if "crop 3" in text:
            raise Stop

    reader = Reader()
    with pytest.raises(Stop):
        lesion_probability(series, reader, progress=tell)
    assert len(reader.stacks) == 2
    assert [share for share, _ in told] == sorted(share for share, _ in told)


def test_nothing_is_marked_in_a_search(series: DynamicSeries) -> None:
    reader = Reader()
    propose_lesions(series, reader)
    assert reader.regions
    assert all(region is None for region in reader.regions)


def test_given_timing_and_maps_are_used(series: DynamicSeries) -> None:
    timing: Timing = assess_timing(series)
    assert propose_lesions(series, Reader(), timing=timing, maps={}) == ()  # without the map the stand-in sees nothing


def test_components_rank_by_probability_mass_and_touch_by_faces() -> None:
    grid = Grid((12, 12, 4), np.diag([5.0, 5.0, 5.0, 1.0]))
    values = np.full(grid.shape, np.nan, np.float32)
    values[0:2, 0:2, 0:2] = 0.95  # 8 voxels: 7.6
    values[2, 2, 2] = 0.9  # touches the first by a corner alone: a component of its own, 0.125 ml
    values[6:9, 6:9, 0:2] = 0.5  # 18 voxels, the surest 9.0
    values[6:9, 6, 0] = 0.9  # 0.375 ml of it are sure
    values[6:9, 0:3, 0:3] = 0.8  # large, and nowhere sure
    found = lesion_components(ParametricMap("lesion_probability", "", values, grid))
    assert [proposal.mask.count for proposal in found] == [18, 8]
    assert found[1].probability == pytest.approx(0.95)
    with pytest.raises(InvalidArgumentError, match="count"):
        lesion_components(ParametricMap("lesion_probability", "", values, grid), count=0)
    assert lesion_components(ParametricMap("lesion_probability", "", np.zeros(grid.shape), grid)) == ()


def test_the_networks_own_mask_is_the_piece_at_the_seed(series: DynamicSeries) -> None:
    place = (LARGE[0] + 3, LARGE[1], LARGE[2])
    reader = Reader()
    mask = network_mask(series, [Seed.at_index(place, series.grid)], reader)
    truth = ball(series.grid, LARGE, 15.0)
    # What grows from the click is shown to the network, in the middle of its crop.
    (region,), (stack,) = reader.regions, reader.stacks
    assert region is not None
    grown = stack.to_grid(region, series.grid) >= 0.5
    assert 2 * (grown & truth).sum() / (grown.sum() + truth.sum()) > 0.8
    overlap = 2 * (mask.voxels & truth).sum() / (mask.count + truth.sum())
    assert overlap > 0.9
    assert not (mask.voxels & ball(series.grid, SMALL, 9.0)).any()


def test_a_background_seed_takes_what_is_nearer_to_it(series: DynamicSeries) -> None:
    seeds = [
        Seed.at_index((LARGE[0] - 5, LARGE[1], LARGE[2]), series.grid),
        Seed.at_index((LARGE[0] + 5, LARGE[1], LARGE[2]), series.grid, background=True),
    ]
    mask = network_mask(series, seeds, Reader())
    assert not mask.voxels[LARGE[0] + 1 :].any()
    assert mask.voxels[LARGE[0] - 5, LARGE[1], LARGE[2]]


def test_a_seed_far_from_any_lesion_is_refused(series: DynamicSeries) -> None:
    # Nothing grows in even tissue, which growing says too.
    with pytest.warns(GrowingWarning), pytest.raises(InvalidArgumentError, match="sees no lesion within 10 mm"):
        network_mask(series, [Seed.at_index((40, 60, 6), series.grid)], Reader())
    with pytest.raises(InvalidArgumentError, match="foreground seed"):
        network_mask(series, [Seed.at_index(LARGE, series.grid, background=True)], Reader())


def test_a_seed_beside_a_lesion_takes_the_nearest_one() -> None:
    grid = Grid((20, 5, 5), np.eye(4))
    values = np.zeros(grid.shape, np.float32)
    values[2:4] = values[12:14] = 0.8
    probability = ParametricMap("lesion_probability", "", values, grid)
    assert mask_at(probability, (9, 2, 2)).voxels[12:14].all()
    with pytest.raises(InvalidArgumentError, match="sees no lesion within 3 mm"):
        mask_at(probability, (8, 2, 2), within_mm=3.0)


@pytest.mark.parametrize(("spacing", "depth_mm"), [((1.0, 1.0, 1.0), 2.0), ((1.0, 1.0, 6.0), 4.0)])
def test_the_deepest_voxel_is_farthest_from_the_edge(spacing: tuple[float, float, float], depth_mm: float) -> None:
    low, high = np.array([2, 1, 1]), np.array([12, 7, 3])  # first and last voxel of a block
    voxels = np.zeros((15, 9, 5), bool)
    voxels[2:13, 1:8, 1:4] = True
    place = np.array(deepest_voxel(Mask(voxels, Grid(voxels.shape, np.diag([*spacing, 1.0])))))
    assert min((np.minimum(place - low, high - place) + 1) * spacing) == depth_mm


def test_the_end_of_the_volume_is_an_edge_too() -> None:
    edge: Any = np.zeros((4, 4, 4), bool)
    edge[0:3, 0:3, 0:3] = True  # the end of the volume is an edge too
    assert deepest_voxel(Mask(edge, Grid(edge.shape, np.eye(4)))) == (1, 1, 1)
    with pytest.raises(InvalidArgumentError, match="empty"):
        deepest_voxel(Mask(np.zeros((2, 2, 2), bool), Grid((2, 2, 2), np.eye(4))))
