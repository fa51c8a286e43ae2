"""Published maps, decoded to the domains and tasks of the Cognitive Atlas.

    python -m benchmarks.encoding.ontology FOLDER [--model MODEL] [--output CSV]

FOLDER contains subfolders with ``descriptions.tsv`` and the maps named there, as in
``published_maps.py``. ``accepted.tsv`` lists the domains (at most two) and the tasks
(at most five) that are accepted for each map. They were chosen from the descriptions
alone, before any map was decoded. The motor map of nilearn is added. The script counts
the maps with an accepted domain among the first two, and with an accepted task among
the first five, for several orders of the candidates:

- similarity: plain similarity of name and definition with the map (for a domain, the
  mean over its concepts);
- p value: the order of `decode`, by p value and then by similarity;
- probability: noisy-OR from tasks over concepts to domains, as in NiCLIP;
- lift: probability divided by prior probability;
- similarity of the name: the name alone is encoded.

The Cognitive Atlas is downloaded, or read from the folder that ``NEUROCONTEXT_DATA``
names.
"""

import argparse
from pathlib import Path

import pandas as pd
from nilearn.datasets import load_sample_motor_activation_image

from sklearn_neurocontext import NeuroContextModel
from sklearn_neurocontext.datasets import fetch_cognitive_atlas
from sklearn_neurocontext.experiments import read_described_maps

ACCEPTED = Path(__file__).with_name("accepted.tsv")
MOTOR = "nilearn_motor"
# Number of candidates among which an accepted one counts.
N_FIRST = {"domains": 2, "tasks": 5}
NAME = "similarity of the name"
# Published figures of NiCLIP, from the file review_response.md of its repository
# (github NBCLab/brain-decoder): percent of maps with a right task among the first four
# and a right domain among the first two.
NICLIP = pd.DataFrame(
    [
        ("NiCLIP, HCP group maps (7), reduced ontology", 90.48, 62.86),
        ("NiCLIP, HCP single subjects, reduced ontology", 52.01, 38.19),
        ("NiCLIP, IBC (1,608 maps)", 33.74, 15.67),
        ("NiCLIP, CNP (130 maps)", 20.77, 0.77),
        ("GC-LDA, HCP group maps (7), reduced ontology", None, 17.14),
        ("GC-LDA, IBC (1,608 maps)", None, 16.36),
        ("GC-LDA, CNP (130 maps)", None, 1.54),
    ],
    columns=["published", "domain among 2", "task among 4"],
)
DIFFERENCES = """\
What differs: NiCLIP's figures are for contrast maps of HCP, IBC and CNP, whose tasks
are known. NiCLIP counts a task among the first four. Its reduced ontology contains a
few tasks chosen by hand; with the full ontology, its figures on HCP are near zero.
Here, most maps are meta-analytic maps of topics, up to five tasks are accepted for each
map, all tasks with evidence are candidates, and a task counts among the first five. The
topic maps were made from articles, many of which are training studies of the shipped
model."""


def order_candidates(model, img, kind, ontology) -> dict:
    """Return the candidates of a kind for a map, best first, in each order."""
    table = model.decode(img, kind, k=10_000, ontology=ontology, null="studies")
    table["lift"] = table["probability"] / table["prior_probability"]
    orders = {
        "similarity": table.sort_values("similarity", ascending=False, kind="stable"),
        "p value": table,
    }
    for name in ("probability", "lift"):
        orders[name] = table.sort_values(name, ascending=False, kind="stable")
    by_name = model.decode(
        img, table["candidate"].tolist(), k=len(table), null="studies"
    )
    orders[NAME] = by_name.sort_values("similarity", ascending=False, kind="stable")
    return {name: one["candidate"].tolist() for name, one in orders.items()}


def measure(model, maps, accepted, ontology) -> pd.DataFrame:
    """Return the rank of the first accepted candidate of each map, kind and order."""
    rows = []
    for one in maps.itertuples():
        for kind in N_FIRST:
            right = accepted.loc[one.name, kind].split("; ")
            orders = order_candidates(model, one.path, kind, ontology)
            for order, names in orders.items():
                ranks = [names.index(name) + 1 for name in right if name in names]
                rows.append(
                    {
                        "map": one.name,
                        "kind": kind,
                        "order": order,
                        "rank": min(ranks, default=None),
                        "n_candidates": len(names),
                        "n_accepted": len(ranks),
                        "first": "; ".join(names[: N_FIRST[kind]]),
                    }
                )
    return pd.DataFrame(rows)


def summarize(table) -> pd.DataFrame:
    """Return the percent of maps with an accepted candidate among the first ones."""
    limit = table["kind"].map(N_FIRST)
    hits = table.assign(hit=100.0 * (table["rank"] <= limit))
    wide = hits.pivot_table("hit", "order", "kind", sort=False)
    # Chance: an accepted candidate among the first ones of a random order.
    miss = [
        _miss_probability(one.n_candidates, one.n_accepted, N_FIRST[one.kind])
        for one in table.itertuples()
    ]
    chance = table.assign(chance=100 * (1 - pd.Series(miss))).groupby("kind")["chance"]
    wide.loc["chance"] = chance.mean()
    return wide.rename(columns=lambda kind: f"{kind} among {N_FIRST[kind]}")


def _miss_probability(n_candidates, n_accepted, n_first) -> float:
    """Return the probability that none of the first random candidates is accepted."""
    result = 1.0
    for place in range(min(n_first, n_candidates)):
        result *= max(n_candidates - n_accepted - place, 0) / (n_candidates - place)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    model = NeuroContextModel.from_pretrained(
        *([] if arguments.model is None else [arguments.model])
    )
    accepted = pd.read_csv(ACCEPTED, sep="\t", index_col="name")
    maps = read_described_maps(arguments.folder)[["name", "path"]]
    motor = {"name": MOTOR, "path": load_sample_motor_activation_image()}
    maps = pd.concat([maps, pd.DataFrame([motor])], ignore_index=True)
    ontology = fetch_cognitive_atlas()
    table = measure(model, maps, accepted, ontology)
    if arguments.output is not None:
        table.to_csv(arguments.output, index=False)
    print(ontology.description)
    candidates = table.groupby("kind")["n_candidates"].max().to_dict()
    print(f"{len(maps)} maps; candidates: {candidates}")
    print(summarize(table).to_string(float_format="{:.1f}".format))
    print()
    print(NICLIP.to_string(index=False, na_rep="–"))
    print(DIFFERENCES)


if __name__ == "__main__":
    main()
