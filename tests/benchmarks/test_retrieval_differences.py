"""Variants of the paper's recipe differ from it in the structure that they name."""

import numpy as np
import pytest
from torch import nn

from benchmarks.retrieval import differences
from benchmarks.retrieval.differences import (
    PAPER,
    compare_decoders,
    compare_ties,
    decoder_rows,
    perceptron_rows,
    recipe_rows,
    run_on_targets,
)
from sklearn_neurocontext import KDEDiFuMoMasker, RidgeBaseline, similarity
from sklearn_neurocontext.datasets import make_studies
from sklearn_neurocontext.experiments import prepare_paper_studies

N_COMPONENTS = 6
QUICK = {"max_epochs": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def data():
    """Embeddings and coefficients of 60 studies."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, X @ rng.normal(size=(4, N_COMPONENTS)) + rng.normal(size=(60, 6))


def fit(row, data):
    """Return the network of a row after two epochs."""
    row[-1].set_params(**QUICK)
    return row.fit(*data)[-1]


def count(module, kind) -> int:
    """Return the number of layers of one kind."""
    return sum(isinstance(layer, kind) for layer in module.modules())


@pytest.mark.parametrize("name", recipe_rows())
def test_each_variant_trains_and_differs_from_the_recipe(name, data):
    rows = recipe_rows()
    paper, variant = (fit(rows[key], data) for key in (PAPER, name))
    scores = [similarity(rows[key], *data) for key in (PAPER, name)]
    assert np.isfinite(scores[1]).all()
    same = np.array_equal(*scores)
    # With two epochs and few studies, the best epoch may be the last.
    assert same == (name == PAPER) or name == "best epoch"
    assert variant.n_epochs_ == paper.n_epochs_ == 2


@pytest.mark.parametrize(
    ("name", "n_norms", "n_dropouts", "n_linear"),
    [
        (PAPER, 3, 3, 4),
        ("brain heads without layer norm", 0, 3, 4),
        ("brain heads without dropout", 3, 0, 4),
        ("brain heads without both", 0, 0, 4),
        ("projection head without second layer", 3, 3, 3),
    ],
)
def test_layers_of_variants(name, n_norms, n_dropouts, n_linear, data):
    towers = fit(recipe_rows()[name], data).module_
    dropout = type(towers.text[0].dropout)
    assert count(towers.brain, nn.LayerNorm) == n_norms
    assert count(towers.brain, dropout) == n_dropouts
    assert count(towers.text, nn.Linear) == n_linear
    assert count(towers.brain, nn.Linear) == count(towers.text, nn.LayerNorm) == 3


def test_logit_scale_is_learned_directly_with_weight_decay(data):
    row = recipe_rows()["logit scale learned directly"]
    scales = []
    for weight_decay in (0.5, 0.0):
        row[-1].set_params(weight_decay=weight_decay, lr=0.1)
        network = fit(row, data)
        scale = network.module_.parametrizations.log_logit_scale.original.detach()
        scales.append(float(scale))
        assert scales[-1] == pytest.approx(1 / network.temperature_, rel=1e-5)
    # Each of the 2 × 4 steps multiplies the scale by 1 - 0.1 × 0.5.
    assert scales[0] < 0.8 * scales[1]


def test_perceptron_with_relu(data):
    networks = {name: fit(row, data).module_ for name, row in perceptron_rows().items()}
    counts = [(count(one, nn.GELU), count(one, nn.ReLU)) for one in networks.values()]
    assert counts == [(2, 0), (0, 2)]


def test_decoder_without_linear_layer(data):
    networks = [fit(row, data).decoder_ for row in decoder_rows().values()]
    assert [count(one, nn.Linear) for one in networks] == [3, 2]


def test_results_of_several_targets_are_paired(data, tmp_path):
    X, y = data
    split = np.arange(40), np.arange(40, 60)
    targets = {"": y, ", squares": y**2}
    options = {"output": tmp_path, "ks": (2,)}
    rows = {"ridge": RidgeBaseline()}
    [result] = run_on_targets(rows, X, targets, [split], **options).values()
    names = [record["estimator"] for record in result.records]
    assert names == ["ridge", "ridge, squares"]
    assert len(result.provenance) == 2
    differences = result.differences()
    assert set(differences["estimator"]) == {"ridge, squares"}
    assert differences["low"].notna().all()


def test_dice_is_read_in_a_second_run(data, tmp_path, monkeypatch):
    masker = KDEDiFuMoMasker("geometric", 8).fit()
    X, y = data[0], np.abs(np.pad(data[1], ((0, 0), (0, 2))))
    split = np.arange(40), np.arange(40, 60)
    rows = decoder_rows()
    for row in rows.values():
        row[-1].set_params(**QUICK)
    monkeypatch.setattr(differences, "decoder_rows", lambda: rows)
    arguments = X, y, split, masker, np.arange(60), tmp_path
    table = compare_decoders(*arguments)
    assert "| decoder='residual' |" in table
    assert "0.000 [0.000, 0.000]" in table
    monkeypatch.setattr(differences, "dice_of_studies", None)
    assert compare_decoders(*arguments) == table


def test_a_constant_similarity_has_chance_level_only_in_random_order():
    lines = compare_ties(100).splitlines()[2:]
    scores = [[float(cell) for cell in line.split("|")[2:4]] for line in lines]
    assert scores == [[10, 50], [100, 100], [0, 0]]


def test_sections_of_a_small_corpus(tmp_path, monkeypatch):
    for name in ("recipe_rows", "perceptron_rows", "decoder_rows"):
        rows = dict(list(getattr(differences, name)().items())[:2])
        for row in rows.values():
            row[-1].set_params(**QUICK)
        monkeypatch.setattr(differences, name, lambda rows=rows: rows)
    corpus = make_studies(n_studies=60, random_state=0)
    options = {"n_components": 8, "n_splits": 2}
    studies = prepare_paper_studies(corpus, ["title"], **options)["title"]
    X = np.random.default_rng(0).normal(size=(60, 4))
    sections = differences.compare_all(studies, X, tmp_path)
    assert list(sections) == [
        "recipe",
        "mlp",
        f"voxelization, {PAPER}",
        "voxelization, ridge",
        "decoder",
        "ties",
    ]
    assert "| best epoch |" in sections["recipe"]
    assert "| ridge, floor |" in sections["voxelization, ridge"]
    assert (tmp_path / "recipe" / "results.json").exists()


def test_help_names_the_options(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["differences", "--help"])
    with pytest.raises(SystemExit, match="0"):
        differences.main()
    assert "--bodies" in capsys.readouterr().out
