"""Change one setting of the paper's recipe at a time, and measure the difference.

`docs/differences.md` explains the settings. Each section has a reference. All other
rows of the section differ from the reference in the setting that their name states.
"""

import argparse
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline
from torch import nn
from torch.nn.utils import parametrize

from sklearn_neurocontext import (
    ContrastiveTextBrain,
    KDEDiFuMoMasker,
    MLPBaseline,
)
from sklearn_neurocontext.datasets import add_texts, load_corpus
from sklearn_neurocontext.experiments import (
    make_embedder,
    make_estimators,
    make_masker,
    prepare_paper_studies,
    run_benchmark,
)
from sklearn_neurocontext.metrics import (
    bootstrap_interval,
    dice_score,
    mix_match_score,
    recall_at_k,
    true_ranks,
)

# The rows of `neurocontext reproduce` have the same names, so both can use the same
# records.
PAPER = "contrastive, paper recipe"
_RAW_SCALE = 10.0
_TOP = 0.1


# Variants of the networks


class WithoutBrainNorm(ContrastiveTextBrain):
    """Network whose brain encoder has no layer norm."""

    def _empty_network(self, attribute, weights=None):
        network = super()._empty_network(attribute, weights)
        if attribute == "module_":
            for head in network.brain:
                head.norm = nn.Identity()
        return network


class WithoutBrainDropout(ContrastiveTextBrain):
    """Network whose brain encoder has no dropout."""

    def _empty_network(self, attribute, weights=None):
        network = super()._empty_network(attribute, weights)
        if attribute == "module_":
            for head in network.brain:
                head.dropout = nn.Identity()
        return network


class WithoutBrainNormAndDropout(WithoutBrainNorm, WithoutBrainDropout):
    """Network whose brain encoder has neither layer norm nor dropout."""


class WithoutSecondLayer(ContrastiveTextBrain):
    """Network whose projection head has no second linear layer.

    The head computes ``norm(p + dropout(gelu(p)))``, where p is a linear projection of
    the input.
    """

    def _empty_network(self, attribute, weights=None):
        network = super()._empty_network(attribute, weights)
        if attribute == "module_":
            network.text[0].linear = nn.Identity()
        return network


class RawLogitScale(ContrastiveTextBrain):
    """Network that learns the logit scale 1/τ itself, with weight decay.

    The initial value is 10. ContrastiveTextBrain learns log(1/τ), without weight decay.
    """

    def _empty_network(self, attribute, weights=None):
        network = super()._empty_network(attribute, weights)
        if attribute == "module_":
            nn.init.constant_(network.log_logit_scale, np.log(_RAW_SCALE))
            # The learned parameter gets another name, so that it has weight decay.
            parametrize.register_parametrization(network, "log_logit_scale", _Log())
        return network


class _Log(nn.Module):
    """Parametrization by the exponential of the value."""

    def forward(self, scale):
        return scale.log()

    def right_inverse(self, log_scale):
        return log_scale.exp()


class WithoutOutputLayer(ContrastiveTextBrain):
    """Network whose decoder has no linear layer after its two residual heads."""

    def _empty_network(self, attribute, weights=None):
        network = super()._empty_network(attribute, weights)
        if attribute == "decoder_":
            network.output = nn.Identity()
        return network


class ReLUPerceptron(MLPBaseline):
    """Multilayer perceptron with ReLU in place of GELU."""

    def _fit_network(self, build, *args, **kwargs):
        super()._fit_network(lambda: _replace_gelu(build()), *args, **kwargs)


def _replace_gelu(network):
    for index, layer in enumerate(network.layers):
        if isinstance(layer, nn.GELU):
            network.layers[index] = nn.ReLU()
    return network


# Rows


def recipe_rows() -> dict:
    """Return variants of the paper's recipe that have the same X and y."""
    params = {"decoder": None, "random_state": 0}
    paper = partial(ContrastiveTextBrain.paper, **params)
    normalizer, scaler, network = (step for _, step in paper().steps)
    return {
        PAPER: paper(),
        "best epoch": paper(n_validation=1000, patience=5, restore_best=True),
        "y_scaling='unit'": paper(y_scaling="unit"),
        "y_scaling='sqrt'": paper(y_scaling="sqrt"),
        "X not normalized": make_pipeline(scaler, network),
        "X not standardized": make_pipeline(normalizer, network),
        "batch_size=512, lr=1e-3": paper(batch_size=512, lr=1e-3),
        "lr=1e-4": paper(lr=1e-4),
        "dropout=0.6": paper(dropout=0.6),
        "brain heads without layer norm": WithoutBrainNorm.paper(**params),
        "brain heads without dropout": WithoutBrainDropout.paper(**params),
        "brain heads without both": WithoutBrainNormAndDropout.paper(**params),
        "projection head without second layer": WithoutSecondLayer.paper(**params),
        "logit scale learned directly": RawLogitScale.paper(**params),
        "contrastive, defaults": make_estimators(["contrastive"])["contrastive"],
    }


def perceptron_rows() -> dict:
    """Return multilayer perceptrons with GELU and with ReLU."""
    mlp = make_estimators(["mlp"])["mlp"]
    relu = make_pipeline(*(step for _, step in mlp.steps[:-1]), ReLUPerceptron())
    return {"mlp": mlp, "mlp, ReLU": relu.set_params(reluperceptron__random_state=0)}


def run_on_targets(estimators, X, targets, splits, **options):
    """Run the same estimators on several y, and combine the results.

    Parameters
    ----------
    estimators : dict of str to estimator
        Estimators by name.
    X : ndarray of shape (n_studies, n_features)
        Embeddings.
    targets : dict of str to ndarray of shape (n_studies, n_components)
        Coefficients by a suffix of the names of the rows.
    splits : list of (train, test)
        Splits.
    **options
        Parameters of `run_benchmark`.

    Returns
    -------
    results : dict of str to BenchmarkResult
        A result for each estimator. The reference is the first y.
    """
    runs = {}
    for suffix, y in targets.items():
        named = {f"{name}{suffix}": model for name, model in estimators.items()}
        runs[suffix] = run_benchmark(named, X, y, splits, reference=None, **options)
    first = next(iter(targets))
    results = {}
    for name in estimators:
        records, provenance = [], []
        for suffix, run in runs.items():
            offset = len(provenance)
            provenance += run.provenance
            records += [
                {**record, "run": record["run"] + offset}
                for record in run.records
                if record["estimator"] == f"{name}{suffix}"
            ]
        results[name] = replace(
            runs[first],
            records=records,
            provenance=provenance,
            reference=f"{name}{first}",
        )
    return results


# Decoder and ties


def decoder_rows() -> dict:
    """Return the paper's recipe with and without the decoder's last linear layer."""
    return {
        "decoder='residual'": ContrastiveTextBrain.paper(random_state=0),
        "without linear layer": WithoutOutputLayer.paper(random_state=0),
    }


def dice_of_studies(estimator, X, y, split, masker) -> np.ndarray:
    """Fit an estimator and return the Dice overlap of each test study, (n_test,)."""
    train, test = split
    predicted = estimator.fit(X[train], y[train]).predict(X[test])
    maps = map(masker.coefficients_to_voxels, (y[test], predicted))
    return np.array([dice_score(*pair, top=_TOP) for pair in zip(*maps, strict=True)])


def compare_decoders(X, y, split, masker, groups, output) -> str:
    """Return a Markdown table of the Dice overlap of all decoders."""
    test = split[1]
    scores = {}
    for name, estimator in decoder_rows().items():
        path = output / f"dice_{name.replace(' ', '_')}_{len(test)}.txt"
        if not path.exists():
            dice = dice_of_studies(estimator, X, y, split, masker)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savetxt(path, dice)
        scores[name] = np.loadtxt(path)
    reference = next(iter(scores.values()))
    lines = ["| decoder | mean Dice | minus reference |", "|---|---:|---:|"]
    for name, dice in scores.items():
        means = [dice.mean(), *bootstrap_interval(dice, groups=groups[test])]
        paired = dice - reference
        change = [paired.mean(), *bootstrap_interval(paired, groups=groups[test])]
        cells = ["{:.3f} [{:.3f}, {:.3f}]".format(*one) for one in (means, change)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def compare_ties(n_studies=1000) -> str:
    """Return a Markdown table of scores of a model whose similarities are constant."""
    similarities = np.zeros((n_studies, n_studies))
    best, worst = true_ranks(similarities).T
    expected = recall_at_k(similarities, 10), mix_match_score(similarities)
    optimistic = np.mean(best <= 10), np.mean((n_studies - best) / (n_studies - 1))
    strict = np.mean(worst <= 10), np.mean((n_studies - worst) / (n_studies - 1))
    lines = ["| ties | recall@10 (%) | mix&match (%) |", "|---|---:|---:|"]
    rows = {"in random order": expected, "true candidate first": optimistic}
    for name, scores in (rows | {"true candidate last": strict}).items():
        lines.append("| {} | {:.1f} | {:.1f} |".format(name, *np.multiply(100, scores)))
    return "\n".join(lines) + "\n"


# Command


def load_bodies(path, n_splits, n_candidates):
    """Load the studies with bodies, with texts, peaks, coefficients and splits."""
    corpus = add_texts(load_corpus("neuroquery+neurosynth"), "body", path)
    options = {"n_splits": n_splits, "n_candidates": n_candidates}
    return prepare_paper_studies(corpus, ["body"], **options)["body"]


def compare_all(studies, X, output, *, atlas=None) -> dict:
    """Compute all sections. Return Markdown text by the name of the section."""
    y, splits = studies.y, studies.splits
    options = {
        "output": output,
        "groups": studies.groups,
        "settings": studies.metadata,
        "on_progress": _show,
    }
    run = partial(run_benchmark, X=X, splits=splits, **options)
    results = {
        "recipe": run(recipe_rows(), y=y, reference=PAPER),
        "mlp": run(perceptron_rows(), y=y, reference="mlp"),
    }
    two = {PAPER: recipe_rows()[PAPER], "ridge": make_estimators(["ridge"])["ridge"]}
    floor = KDEDiFuMoMasker("geometric", y.shape[1], voxelization="neuroquery")
    targets = {"": y, ", floor": floor.fit_transform(studies.peaks)}
    for name, result in run_on_targets(two, X, targets, splits, **options).items():
        results[f"voxelization, {name}"] = result
    if atlas is not None:
        targets = _atlas_targets(atlas, studies.peaks)
        for name, result in run_on_targets(two, X, targets, splits, **options).items():
            results[f"atlas, {name}"] = result
    sections = {}
    for name, result in results.items():
        result.write(output / name.replace(", ", "_").replace(" ", "_"))
        sections[name] = result.to_markdown()
    masker = make_masker("geometric", y.shape[1]).fit()
    sections["decoder"] = compare_decoders(
        X, y, splits[0], masker, studies.groups, output
    )
    sections["ties"] = compare_ties()
    return sections


def _atlas_targets(atlas, peaks) -> dict:
    """Return coefficients of an image of maps, and of as many geometric parcels."""
    y = make_masker(atlas).fit_transform(peaks)
    n_maps = y.shape[1]
    parcels = make_masker("geometric", n_maps).fit_transform(peaks)
    return {f", {n_maps} geometric parcels": parcels, f", {n_maps} maps of atlas": y}


def _show(n_done, n_total, record):
    name, split = record["estimator"], record["split"] + 1
    print(f"{n_done}/{n_total} {name}, split {split}", flush=True)


def main():
    """Parse the command line and print all sections."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = os.environ.get("NEUROCONTEXT_DATA")
    bodies = Path(data) / "fulltext" / "fulltext.jsonl.xz" if data else None
    parser.add_argument(
        "--bodies",
        type=Path,
        default=bodies,
        required=bodies is None,
        help="file with bodies by PMID (default: fulltext/fulltext.jsonl.xz in the "
        "folder NEUROCONTEXT_DATA)",
    )
    parser.add_argument(
        "--atlas",
        type=Path,
        help="4D image of an atlas, which is compared with as many geometric parcels",
    )
    parser.add_argument("--n-splits", type=int, default=5)
    parser.add_argument("--n-candidates", type=int, default=1000)
    parser.add_argument("--cache", help="embedding store (SQLite file)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("differences_output"),
        help="folder of tables and records; to resume an interrupted run, repeat the "
        "command. Delete the records after a change of this script.",
    )
    options = parser.parse_args()
    studies = load_bodies(options.bodies, options.n_splits, options.n_candidates)
    embedder = make_embedder("minilm").set_params(cache=options.cache or "memory")
    X = embedder.fit_transform(studies.texts)
    sections = compare_all(studies, X, options.output, atlas=options.atlas)
    text = "\n".join(f"## {name}\n\n{table}" for name, table in sections.items())
    (options.output / "table.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
