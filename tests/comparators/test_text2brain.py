"""Text2Brain against a network written by hand, its laws, and its errors."""

import pickle

import nibabel as nib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch.nn import functional

from sklearn_neurocontext import (
    KDEDiFuMoMasker,
    load_model,
    retrieval_scores,
    save_model,
    similarity,
)
from sklearn_neurocontext.comparators import Text2Brain
from sklearn_neurocontext.comparators._text2brain import place_in_box
from sklearn_neurocontext.comparators._text2brain_network import Text2BrainNetwork
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.maskers import load_mask
from sklearn_neurocontext.metrics import make_retrieval_scorer
from sklearn_neurocontext.persistence import fingerprint

SMALL = {"n_channels": 8, "n_filters": 8, "max_epochs": 2, "random_state": 0}


class _Mask(nib.Nifti1Image):
    """Mask whose text contains no address, so that names of tests do not vary."""

    def __repr__(self):
        return "mask"


ONE_VOXEL = _Mask(np.ones((1, 1, 1), np.uint8), np.eye(4))
TINY = Text2Brain(ONE_VOXEL, n_channels=2, n_filters=4, max_epochs=1)


@parametrize_with_checks([TINY])
def test_sklearn_check(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def masker():
    """A fitted masker with voxels of 12 mm."""
    return KDEDiFuMoMasker("geometric", 8, target_affine=12.0, fwhm=20.0).fit()


@pytest.fixture(scope="module")
def studies(masker):
    """Standardized proportions of topics, and densities, of 240 studies."""
    corpus = make_studies(240, n_peaks=12, random_state=0)
    X = StandardScaler().fit_transform(corpus.latent)
    return X, masker.peaks_to_voxels(corpus.peaks)


@pytest.fixture(scope="module")
def mask_img(masker, tmp_path_factory):
    """Path of the mask of the masker."""
    path = tmp_path_factory.mktemp("mask") / "mask.nii"
    nib.save(masker.mask_img_, path)
    return str(path)


@pytest.fixture(scope="module")
def fitted(studies, mask_img):
    """A model of 200 studies that was trained for some epochs; do not change it."""
    settings = SMALL | {"max_epochs": 15, "lr": 0.01, "dropout": 0.2}
    model = Text2Brain(mask_img, **settings)
    return model.fit(*(rows[:200] for rows in studies))


def _held_out(studies):
    return tuple(rows[200:] for rows in studies)


# The network


def _forward_by_hand(weights, X, start_shape):
    """Compute the box from the published list of layers, with functions of torch."""

    def normalize(x, name):
        mean, variance, weight, bias = (
            weights[f"{name}.{part}"]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, weight, bias).clip(-6, 6)

    x = X @ weights["linear.weight"].T + weights["linear.bias"]
    x = x.clip(min=0).reshape(len(X), -1, *start_shape)
    for i in range(3):
        kernel, bias = (
            weights[f"upsample.{i}.0.{part}"] for part in ("weight", "bias")
        )
        x = functional.conv_transpose3d(
            x, kernel, bias, stride=2, padding=1, output_padding=1
        )
        x = normalize(x, f"upsample.{i}.1")
    x = functional.conv3d(
        x, weights["output.0.weight"], weights["output.0.bias"], padding=2
    )
    return normalize(x, "output.1")[:, 0, 1:, 1:, 1:]


def test_predictions_equal_network_by_hand(fitted, studies):
    X = _held_out(studies)[0]
    weights = fitted.module_.state_dict()
    box = _forward_by_hand(weights, torch.tensor(X, dtype=torch.float32), (1, 1, 1))
    assert box.shape[1:] == fitted.box_shape_ == (16, 16, 16)
    # The mask is in the center of the box.
    inside = np.asarray(nib.load(fitted.mask_img).dataobj) > 0
    in_box = np.zeros(fitted.box_shape_, bool)
    low, extent = np.argwhere(inside).min(0), np.ptp(np.argwhere(inside), axis=0) + 1
    first = (16 - extent) // 2
    target = tuple(slice(f, f + e) for f, e in zip(first, extent, strict=True))
    source = tuple(slice(s, s + e) for s, e in zip(low, extent, strict=True))
    in_box[target] = inside[source]
    np.testing.assert_allclose(fitted.predict(X), box.numpy()[:, in_box], atol=1e-5)


def test_sizes_of_the_released_model():
    shape, order = place_in_box(np.asarray(load_mask().dataobj) > 0)
    assert shape == (40, 48, 40)
    network = Text2BrainNetwork(768, 29398, order, (4, 5, 4), 64, 32, 0.55).eval()
    sizes = []
    for layer in (*network.upsample, network.output):
        layer.register_forward_hook(lambda *args: sizes.append(tuple(args[2].shape)))
    with torch.inference_mode():
        assert network(torch.zeros(1, 768)).shape == (1, 40 * 48 * 40)
        assert network.predict_voxels(torch.zeros(2, 768)).shape == (2, 29398)
    assert sizes[:4] == [
        (1, 32, 9, 11, 9),
        (1, 16, 19, 23, 19),
        (1, 8, 39, 47, 39),
        (1, 1, 41, 49, 41),
    ]
    assert network.linear.out_features == 4 * 5 * 4 * 64
    defaults = Text2Brain()
    assert (defaults.n_channels, defaults.n_filters, defaults.dropout) == (64, 32, 0.55)


@pytest.mark.parametrize("voxel_mm", [3.0, 4.0, 6.0, 9.0])
def test_box_covers_the_mask(voxel_mm):
    inside = np.asarray(load_mask(target_affine=voxel_mm).dataobj) > 0
    shape, order = place_in_box(inside)
    np.testing.assert_array_equal(np.sort(order), np.arange(np.prod(shape)))
    in_box = np.stack(np.unravel_index(order[: inside.sum()], shape), axis=1)
    # All voxels of the mask are shifted by the same vector.
    assert len(np.unique(in_box - np.argwhere(inside), axis=0)) == 1
    assert all(size % 8 == 0 for size in shape)
    extent = np.ptp(np.argwhere(inside), axis=0) + 1
    assert (np.array(shape) < np.maximum(extent + 8, 17)).all()


# Training


def test_loss_falls_and_model_beats_the_mean_map(fitted, studies):
    X, y = _held_out(studies)
    losses = [epoch["train_loss"] for epoch in fitted.history_]
    assert losses[-1] < 0.6 * losses[0]
    target = y / y.max(axis=1, keepdims=True)
    error = ((fitted.predict(X) - target) ** 2).sum()
    assert error < 0.9 * ((fitted.y_mean_ - target) ** 2).sum()
    assert fitted.score(X, y) > 0.75


def test_output_initially_has_the_scale_of_the_targets(studies, mask_img):
    X, y = studies
    settings = SMALL | {"max_epochs": 1, "lr": 1e-30, "dropout": 0.0}
    network = Text2Brain(mask_img, **settings).fit(X, y).module_.train()
    target = np.zeros((len(X), 16**3))
    target[:, : y.shape[1]] = y / y.max(axis=1, keepdims=True)
    with torch.no_grad():
        box = network(torch.tensor(X, dtype=torch.float32)).numpy()
    # The output lacks the plane that was cropped after the normalization.
    np.testing.assert_allclose(box.std(), target.std(), rtol=0.2)
    np.testing.assert_allclose(box.mean(), target.mean(), rtol=0.5)


def test_mean_and_losses_by_hand(fitted, studies):
    X, y = (rows[:200] for rows in studies)
    target = y / y.max(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.y_mean_, target.mean(axis=0), atol=1e-6)
    monitor = [epoch["monitor"] for epoch in fitted.history_]
    assert monitor == [epoch["valid_loss"] for epoch in fitted.history_]
    assert fitted.best_epoch_ == 1 + int(np.argmin(monitor))
    # Without validation studies and dropout, the loss can be computed from the data.
    model = clone(fitted).set_params(n_validation=0, max_epochs=1, batch_size=200)
    network = model.set_params(dropout=0.0, lr=1e-30).fit(X, y).module_.train()
    with torch.no_grad():
        box = network(torch.tensor(X, dtype=torch.float32)).numpy()
    in_mask, outside = box[:, : y.shape[1]], box[:, y.shape[1] :]
    expected = (((in_mask - target) ** 2).sum() + (outside**2).sum()) / 200
    np.testing.assert_allclose(model.history_[0]["train_loss"], expected, rtol=1e-4)


def test_same_seed_repeats_the_fit(studies, mask_img):
    model = Text2Brain(mask_img, **SMALL)
    state = torch.get_rng_state()
    first, again, other = (
        clone(model).set_params(random_state=seed).fit(*studies).predict(studies[0])
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    assert torch.equal(torch.get_rng_state(), state)


def test_progress_is_shown(studies, mask_img, capsys):
    Text2Brain(mask_img, **SMALL).fit(*studies)
    assert capsys.readouterr() == ("", "")
    Text2Brain(mask_img, verbose=True, **SMALL).fit(*studies)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "epoch 2 of 2" in shown.err


# The contract


def test_unit_of_y_does_not_matter(fitted, studies):
    X, y = _held_out(studies)
    scales = np.random.default_rng(0).uniform(0.1, 9, size=(len(y), 1))
    expected = fitted.similarity(X, y)
    np.testing.assert_allclose(fitted.similarity(X, y * scales), expected, atol=1e-5)


def test_similarity_is_the_cosine_of_differences_from_the_mean(fitted, studies):
    X, y = _held_out(studies)
    predicted = fitted.predict(X).astype(float) - fitted.y_mean_
    observed = y / y.max(axis=1, keepdims=True) - fitted.y_mean_
    expected = [
        [p @ o / np.sqrt((p @ p) * (o @ o)) for o in observed] for p in predicted
    ]
    np.testing.assert_allclose(fitted.similarity(X, y), expected, atol=1e-5)


def test_a_study_without_peaks_is_a_map_of_zeros(studies, mask_img):
    X, y = studies[0], studies[1].copy()
    y[3] = 0
    model = Text2Brain(mask_img, **SMALL).fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(model.similarity(X, y)).all()


def test_pipeline_and_scorers(studies, mask_img):
    pipeline = make_pipeline(StandardScaler(), Text2Brain(mask_img, **SMALL))
    scoring = make_retrieval_scorer([10])
    scores = cross_validate(pipeline, *studies, cv=2, scoring=scoring)
    assert (scores["test_mix_match"] > 0.5).all()
    X, y = studies
    assert similarity(pipeline.fit(X, y), X, y).shape == (240, 240)
    assert retrieval_scores(pipeline, X, y)["n_candidates"] == 240


def test_predictions_become_coefficients(fitted, masker, studies):
    coefficients = masker.voxels_to_coefficients(fitted.predict(studies[0]))
    assert coefficients.shape == (240, 8)


def test_pickle_and_clone_keep_predictions(fitted, studies):
    X, y = _held_out(studies)
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.similarity(X, y), fitted.similarity(X, y))
    assert clone(fitted).get_params() == fitted.get_params()


def test_loaded_models_give_identical_outputs(fitted, studies, tmp_path):
    X, y = _held_out(studies)
    model = pickle.loads(pickle.dumps(fitted))
    model.set_params(n_channels=64, n_filters=32)  # not those of the fit
    loaded = load_model(save_model(model, tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(loaded.similarity(X, y), fitted.similarity(X, y))
    assert fingerprint(loaded) == fingerprint(model)
    half = load_model(save_model(fitted, tmp_path / "half", half=True))
    np.testing.assert_allclose(half.predict(X), fitted.predict(X), atol=0.05)


# Errors


def test_images_cannot_be_saved(tmp_path):
    model = clone(TINY).fit(np.eye(3), [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match=r"mask_img is of type _Mask"):
        save_model(model, tmp_path / "model")


def test_wrong_number_of_voxels_raises(studies, mask_img):
    X, y = studies
    n_voxels = y.shape[1]
    message = rf"mask_img, which has {n_voxels} voxels; got shape \(240, 5\).*peaks_to"
    with pytest.raises(ValueError, match=message):
        Text2Brain(mask_img).fit(X, y[:, :5])
    with pytest.raises(ValueError, match=r"has 29398 voxels; got shape \(240, "):
        Text2Brain().fit(X, y)


def test_peaks_and_texts_raise(fitted, studies):
    X, y = studies
    with pytest.raises(TypeError, match=r"must be densities; got.*peaks_to_voxels"):
        clone(fitted).fit(X, [np.zeros((3, 3))] * len(X))
    with pytest.raises(TypeError, match="must be embeddings; got texts"):
        fitted.predict(["pain"])
    with pytest.raises(ValueError, match=rf"shape \(n_studies, {y.shape[1]}\).*240, 5"):
        fitted.similarity(X, y[:, :5])


def test_metrics_in_the_unit_of_y_raise(fitted, studies):
    with pytest.raises(ValueError, match=r"r2_score needs .* the scale of y"):
        cross_validate(fitted, *studies, cv=2, scoring="r2", error_score="raise")


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_epochs": 0},
        {"batch_size": 0},
        {"lr": 0},
        {"n_channels": 0},
        {"n_filters": 3},
        {"dropout": 1},
        {"weight_decay": -1},
        {"n_validation": -1},
        {"patience": 0},
        {"device": 0},
        {"verbose": "yes"},
    ],
)
def test_wrong_parameters_raise(wrong):
    with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' parameter"):
        clone(TINY).set_params(**wrong).fit(np.eye(3), [1.0, 2.0, 3.0])
