"""Clicks, prepared cases, splits by patient, batches."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from spinehub.case import DIAGNOSES, Case, Lesion
from spinehub.dataset import (
    PARTS,
    Augmentation,
    LesionBatches,
    PreparationPlan,
    SliceBatches,
    augment,
    prefetch,
    prepare_case,
    prepare_cohort,
    read_prepared,
    simulated_click,
    split_patients,
)
from spinehub.dataset.teacher import CATEGORY_SIZES, NUMBERS, sign_vector
from spinehub.errors import InvalidArgumentError
from spinehub.inputs import PreprocessingSpec
from spinehub.series import DynamicSeries
from spinehub.simulate import bayes_posterior, draw_recipe
from spinehub.volume import Grid, Mask

SPEC = PreprocessingSpec(size=32)
PLAN = PreparationPlan({"unet": SPEC}, tabular=True, seed=3)


def phantom(number: int, *, times: bool = True) -> Case:
    """A body with a ball that takes up contrast; a primary tumour's ball takes up more."""
    rng = np.random.default_rng(number)
    affine = np.array([[0, 0, -4.5, 18.0], [-1.5, 0, 0, 30.0], [0, -1.5, 0, 30.0], [0, 0, 0, 1.0]])
    grid = Grid((40, 40, 9), affine)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    centre = np.array([20, 20, 4]) + rng.integers(-3, 4, 3) * [1, 1, 0]
    ball = np.linalg.norm((index - centre) * [1.5, 1.5, 4.5], axis=-1) < 10.0
    body = np.hypot(index[..., 0] - 20, index[..., 1] - 20) < 18
    seconds = np.arange(0.0, 300.0, 15.0)
    uptake = np.clip((seconds - 40.0) / 40.0, 0.0, 1.0)
    rise = np.where(ball, 1.0 + 0.5 * (number % 2), 0.15)
    frames = 100.0 * body[..., None] * (1.0 + rise[..., None] * uptake) + rng.normal(0, 1, (*grid.shape, len(seconds)))
    series = DynamicSeries(frames.astype(np.float32), grid, seconds if times else None)
    lesion = Lesion(Mask(ball, grid), diagnosis=DIAGNOSES[number % 2])
    return Case(f"case-{number}", f"patient-{number}", series, (lesion,))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    for number in range(4):
        # Features take the longest; one case shows them.
        prepare_case(phantom(number), PLAN if number == 1 else PreparationPlan({"unet": SPEC}, seed=3), folder)
    return folder


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.integers(-8, 8))
def test_a_click_lies_deep_in_the_lesion(seed: int, shift: int) -> None:
    grid = Grid((24, 20, 10), np.diag([1.0, 1.2, 4.0, 1.0]))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    ball = np.linalg.norm((index - [12 + shift, 10, 5]) * grid.spacing_mm, axis=-1) < 7.0
    click = simulated_click(Mask(ball, grid), np.random.default_rng(seed))
    depth = distance_transform_edt(np.pad(ball, 1), sampling=grid.spacing_mm)[1:-1, 1:-1, 1:-1]
    assert not click.background
    assert depth[click.index_on(grid)] >= 0.7 * depth.max()


def test_an_empty_lesion_cannot_be_clicked() -> None:
    with pytest.raises(InvalidArgumentError, match="empty mask"):
        simulated_click(Mask(np.zeros((3, 3, 3), bool), Grid((3, 3, 3), np.eye(4))), np.random.default_rng(0))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), count=st.integers(9, 60))
def test_no_patient_is_in_two_parts(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    patients = [f"p{k % (count - 2)}" for k in range(count)]
    labels = [DIAGNOSES[int(p[1:]) % 2] for p in patients]
    order = rng.permutation(count)
    parts = split_patients(patients, labels, seed)
    assert {part for p, part in zip(patients, parts, strict=True) if p == "p0"} == {parts[0]}
    shuffled = split_patients([patients[k] for k in order], [labels[k] for k in order], seed)
    assert [parts[k] for k in order] == list(shuffled)
    for part in PARTS:
        assert {label for label, where in zip(labels, parts, strict=True) if where == part} == set(DIAGNOSES)


def test_split_shares_and_refusals() -> None:
    patients = [str(k) for k in range(200)]
    labels = [k % 2 for k in range(200)]
    parts = split_patients(patients, labels, 0)
    assert [parts.count(part) for part in PARTS] == [140, 20, 40]
    assert split_patients(patients, labels, 1) != parts
    with pytest.raises(InvalidArgumentError, match="at least 3 patients"):
        split_patients(["a", "b", "c", "d"], [0, 0, 0, 1], 0)
    with pytest.raises(InvalidArgumentError, match="one entry per case"):
        split_patients(["a"], [], 0)


def test_prepared_stacks_hold_lesion_region_and_truth(prepared: Path) -> None:
    for case in read_prepared(prepared, [f"case-{k}" for k in range(4)]):
        stacks = case.stacks("unet")
        assert list(stacks) == ["dynamic", "pre_post", "single"]
        for regime, stack in stacks.items():
            everything = np.arange(stack.slice_count)
            values, labels = stack.values(everything), stack.labels(everything)
            assert values.shape == (9, 13, 32, 32)
            assert set(np.unique(labels)) == {0, 1 + case.label}
            inside = stack.inside(everything) >= 0.5
            truth = labels > 0
            assert (inside & truth).any(), regime  # it grew from a click in the lesion
            shown = values.any(axis=(0, 2, 3)).sum()
            assert shown == {"dynamic": 13, "pre_post": 3, "single": 1}[regime]
            assert np.isfinite(values).all()
        # The lesion takes up more than the body, as drawn.
        dynamic = stacks["dynamic"]
        middle = np.array([4])
        peak = dynamic.values(middle)[0, 0][dynamic.labels(middle)[0] > 0]
        assert np.median(peak) == pytest.approx(1.0 + 0.5 * case.label, abs=0.1)


def test_tables_hold_parameters_and_features(prepared: Path) -> None:
    case = read_prepared(prepared, ["case-1"])[0]
    assert case.tables["dynamic"]["parameters"]["early_enhancement"] > 0.0
    assert case.tables["single"]["parameters"] == {}
    features = case.tables["dynamic"]["features"]
    assert len(features["names"]) == len(features["values"]) > 100
    assert features["provenance"]["settings_sha256"]


def test_preparing_again_keeps_what_is_unchanged(prepared: Path) -> None:
    path = prepared / "case-0" / "unet" / "dynamic.npy"
    before = path.stat().st_mtime_ns
    prepare_case(phantom(0), PreparationPlan({"unet": SPEC}, seed=3), prepared)
    assert path.stat().st_mtime_ns == before
    # Another preprocessing is another part; the old one stays.
    prepare_case(phantom(0), PreparationPlan({"crop": PreprocessingSpec(size=16)}, seed=3), prepared)
    assert path.stat().st_mtime_ns == before
    assert (prepared / "case-0" / "crop" / "dynamic.npy").is_file()


def test_preparing_is_the_same_in_processes(prepared: Path, tmp_path: Path) -> None:
    told = []
    plan = PreparationPlan({"unet": SPEC}, seed=3)
    prepare_cohort([phantom(0), phantom(1)], plan, tmp_path, workers=2, progress=lambda share, _: told.append(share))
    assert told == [0.5, 1.0]
    for case in ("case-0", "case-1"):
        for name in ("dynamic.npy", "single-masks.npy"):
            again, first = (np.load(folder / case / "unet" / name) for folder in (tmp_path, prepared))
            # Half precision: a sum taken in another order may round the other way.
            np.testing.assert_allclose(again.astype(float), first.astype(float), rtol=2e-3, atol=1e-3)


def test_series_without_times_has_no_dynamic_regime(tmp_path: Path) -> None:
    prepare_cohort([phantom(7, times=False)], PreparationPlan({"unet": SPEC}), tmp_path, workers=1)
    assert list(read_prepared(tmp_path, ["case-7"])[0].stacks("unet")) == ["pre_post", "single"]


def test_refusals_name_the_case(tmp_path: Path) -> None:
    blank = phantom(2)
    unknown = Case("nameless", "p", blank.series, (Lesion(blank.lesions[0].mask),))
    with pytest.raises(InvalidArgumentError, match=r"case nameless cannot be prepared.*diagnosis must be known"):
        prepare_cohort([unknown], PLAN, tmp_path, workers=1)
    with pytest.raises(InvalidArgumentError, match="different case_id"):
        prepare_cohort([blank, blank], PLAN, tmp_path)
    with pytest.raises(InvalidArgumentError, match="workers must be"):
        prepare_cohort([blank], PLAN, tmp_path, workers=0)
    with pytest.raises(InvalidArgumentError, match="case absent was not prepared"):
        read_prepared(tmp_path, ["absent"])


def test_a_part_that_was_not_prepared_is_named(prepared: Path, tmp_path: Path) -> None:
    case = read_prepared(prepared, ["case-3"])[0]
    with pytest.raises(InvalidArgumentError, match="not prepared for 'other'"):
        case.stacks("other")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "case.json").write_text(json.dumps(case.facts))
    with pytest.raises(InvalidArgumentError, match="not prepared with features"):
        _ = read_prepared(tmp_path, ["x"])[0].tables


def test_slice_batches_depend_on_seed_and_step_alone(prepared: Path) -> None:
    cases = read_prepared(prepared, [f"case-{k}" for k in range(4)])
    batches = [SliceBatches(cases, "unet", seed=1, size=6, how=Augmentation()) for _ in range(2)]
    one, other = batches[0].batch(5), batches[1].batch(5)
    assert torch.equal(one.values, other.values)
    assert torch.equal(one.labels, other.labels)
    assert not torch.equal(one.values, batches[0].batch(6).values)
    assert one.values.shape == (6, 13, 32, 32)
    assert one.labels.dtype == torch.int64
    assert set(one.labels.unique().tolist()) <= {0, 1, 2}


def test_slices_show_lesions_as_often_as_asked(prepared: Path) -> None:
    cases = read_prepared(prepared, [f"case-{k}" for k in range(4)])
    batches = SliceBatches(cases, "unet", seed=2, size=40, lesion_share=1.0)
    labels = batches.batch(0).labels
    assert (labels > 0).flatten(1).any(dim=1).all()
    assert [int(row.max()) for row in labels] == [1, 2] * 20  # half of each class


def test_lesion_batches_hold_the_region_last(prepared: Path) -> None:
    cases = read_prepared(prepared, [f"case-{k}" for k in range(4)])
    batch = LesionBatches(cases, "unet", seed=1, size=4, slices=3).batch(0)
    assert batch.slices.shape == (4, 3, 14, 32, 32)
    np.testing.assert_allclose(batch.targets, [0.025, 0.975, 0.025, 0.975])  # nobody knows a posterior of these
    assert batch.signs.shape == (4, 8)
    assert batch.signs.isnan().all()
    assert batch.lesion.shape == (4, 3, 32, 32)
    assert set(batch.lesion.unique().tolist()) == {0.0, 1.0}
    region = batch.slices[:, :, -1]
    assert ((region.flatten(2).sum(dim=2) > 0) == batch.valid).all()
    assert batch.valid.any(dim=1).all()


def test_slices_of_one_lesion_lie_in_a_row(prepared: Path) -> None:
    cases = read_prepared(prepared, [f"case-{k}" for k in range(4)])
    batch = SliceBatches(cases, "unet", seed=2, size=12, slices=3, lesion_share=1.0).batch(0)
    assert [int(row.max()) for row in batch.labels] == [1, 1, 1, 2, 2, 2] * 2
    np.testing.assert_allclose(batch.targets, [0.025, 0.975] * 2)
    assert batch.inside.flatten(1).any(dim=1).unflatten(0, (4, 3)).any(dim=1).all()
    with pytest.raises(InvalidArgumentError, match="multiple of slices = 5"):
        SliceBatches(cases, "unet", seed=2, size=12, slices=5)


def test_a_click_is_shown_as_it_is_nowhere_or_elsewhere_but_never_as_the_truth(prepared: Path) -> None:
    cases = read_prepared(prepared, [f"case-{k}" for k in range(4)])
    grown = [stack.inside(np.arange(stack.slice_count)) for case in cases for stack in case.stacks("unet").values()]
    known = {each.tobytes() for stack in grown for each in stack}
    batch = SliceBatches(cases, "unet", seed=3, size=400, slices=2, lesion_share=1.0, with_region=True).batch(0)
    assert batch.values.shape[1] == 14
    region = batch.values[:, -1].numpy()
    hidden = np.array([not each.any() for each in region])
    as_it_is = np.array([each.tobytes() in known for each in region]) & ~hidden
    assert 0.17 < hidden.mean() < 0.40  # a quarter, and slices without region
    assert 0.45 < as_it_is.mean() < 0.70
    elsewhere = region[~hidden & ~as_it_is]
    areas = {round(float(each.sum()), 3) for stack in grown for each in stack}
    assert 0.05 < len(elsewhere) / len(region) < 0.25
    assert all(round(float(each.sum()), 3) in areas for each in elsewhere)


def test_simulated_cases_are_taught_the_posterior_and_their_signs(tmp_path: Path) -> None:
    recipe = draw_recipe(3, 0)
    prepare_case(recipe, PreparationPlan({"unet": SPEC}), tmp_path)
    case = read_prepared(tmp_path, [recipe.case_id])[0]
    assert case.target == case.posterior == pytest.approx(bayes_posterior(recipe))
    signs = recipe.lesions[0].signs
    vector = dict(zip((*NUMBERS, *CATEGORY_SIZES), sign_vector(case.signs), strict=True))
    assert vector["ve"] == pytest.approx(np.log(signs.ve / 0.245) / 0.22, rel=1e-5)
    assert vector["rim_contrast"] == pytest.approx((signs.rim_contrast - 0.15) / 0.45, rel=1e-5)
    assert ("none", "small", "large")[int(vector["soft_tissue_mass"])] == signs.soft_tissue_mass
    assert np.isnan(sign_vector(None)).all()


def test_slices_with_more_lesion_are_drawn_more_often(prepared: Path) -> None:
    cases = read_prepared(prepared, [f"case-{k}" for k in range(4)])
    batches = SliceBatches(cases, "unet", seed=2, size=200, lesion_share=1.0)
    areas = (batches.batch(0).labels > 0).sum(dim=(1, 2)).double()
    pixels = [stack.lesion_pixels for case in cases for stack in case.stacks("unet").values()]
    # Drawn in proportion to the root of its area, a slice has the mean area sum(a^1.5) / sum(a^0.5), not sum(a) / n.
    by_root = np.mean([(each**1.5).sum() / (each**0.5).sum() for each in pixels])
    assert float(areas.mean()) == pytest.approx(by_root, rel=0.1)


def test_one_class_cannot_be_learned(prepared: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="both classes"):
        SliceBatches(read_prepared(prepared, ["case-0", "case-2"]), "unet", seed=0)


def test_augmentation_moves_values_and_masks_together() -> None:
    values = torch.zeros(4, 2, 13, 32, 32)
    square = torch.zeros(4, 2, 1, 32, 32)
    square[..., 10:20, 12:18] = 1.0
    values[:, :, :5] = 3.0 * square
    how = Augmentation(gain=0.0, map_gain=0.0, noise=0.0, hide_maps=0.0, hide_late=0.0)
    moved, masks = augment(values, square, 3, torch.Generator().manual_seed(1), how)
    torch.testing.assert_close(moved[:, :, :5], (3.0 * masks).expand(-1, -1, 5, -1, -1), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(masks, square)
    torch.testing.assert_close(masks[:, 0], masks[:, 1])  # slices of one case alike
    assert not torch.allclose(masks[0], masks[1])  # cases in their own ways
    assert not moved[:, :, 5:].any()  # what was not acquired stays 0


def test_a_smaller_result_is_the_middle_of_the_whole_one() -> None:
    values = torch.rand(3, 1, 13, 32, 48)
    how = Augmentation(gain=0.0, map_gain=0.0, noise=0.0, hide_maps=0.0, hide_late=0.0)
    whole, middle = (
        augment(values, values[:, :, :1], 3, torch.Generator().manual_seed(5), how, size=size)[0] for size in (None, 16)
    )
    torch.testing.assert_close(middle, whole[..., 8:24, 16:32], rtol=1e-4, atol=1e-5)


def test_crops_are_drawn_as_often_as_asked(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinehub.dataset.batches._STRIDE", 8)
    cases = read_prepared(prepared, [f"case-{k}" for k in range(4)])
    batches = SliceBatches(cases, "unet", seed=4, size=2, how=Augmentation(), crops={0.5: 0.7, 1.0: 0.3})
    sizes = [batches.batch(step).values.shape[-1] for step in range(40)]
    assert set(sizes) == {16, 32}
    assert 20 <= sizes.count(16) <= 36


def test_augmentation_hides_channels_as_often_as_asked() -> None:
    values = torch.ones(400, 1, 13, 8, 8)
    how = Augmentation(noise=0.0, hide_maps=0.3, hide_late=0.5)
    moved, _ = augment(values, torch.zeros(400, 1, 1, 8, 8), 3, torch.Generator().manual_seed(2), how)
    shown = moved.flatten(3).any(dim=3)[:, 0]
    without_maps = (~shown[:, :3]).all(dim=1)
    assert 0.2 < without_maps.float().mean() < 0.4
    early_end = ~shown[:, 12]
    assert 0.25 < early_end.float().mean() < 0.45  # 0.5 of the other 0.7
    assert not shown[early_end, 2].any()  # no wash-out without the end
    assert shown[:, 3:8].all()


def test_no_augmentation_is_the_identity() -> None:
    values = torch.rand(2, 1, 13, 16, 16)
    how = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    moved, _ = augment(values, values[:, :, :1], 3, torch.Generator(), how)
    torch.testing.assert_close(moved, values, rtol=1e-4, atol=1e-5)


def test_prefetched_batches_come_in_order() -> None:
    batches = prefetch(lambda step: step * 10, 3)
    assert [next(batches) for _ in range(4)] == [30, 40, 50, 60]
    batches.close()


def test_prefetch_passes_errors_on() -> None:
    def broken(step: int) -> int:
        raise ValueError(f"no batch {step}")

    with pytest.raises(ValueError, match="no batch 0"):
        next(prefetch(broken, 0))
