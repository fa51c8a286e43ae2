"""The card of the model that comes with the package."""


def write_card(folder, card, half_correlation):
    """Write ``README.md`` beside the saved model, from what it knows of itself."""
    facts = {
        **card,
        "share": card["n_vocabulary"] / card["n_vocabulary_of_neuroquery"],
        "half": half_correlation,
    }
    (folder / "README.md").write_text(_TEXT.format(**facts), encoding="utf-8")


_TEXT = """# minilm: brain maps of short texts

`NeuroContextModel.from_pretrained()` and `neurocontext map "…"` load this model. It
needs the extra `minilm` (weights of all-MiniLM-L6-v2) and no network. Made by
`python -m training.train train`, which measured all figures below before
matrices were rounded to 16 bits.

## What it was trained on

{n_studies:,} studies of NeuroQuery and Neurosynth 7: their peaks, their titles, and, of
{n_counted:,}, how often NeuroQuery counted terms in title, keywords and abstract. Texts
of abstracts or bodies were not used. {n_development:,} development studies were left
out. Trained on are {n_texts:,} short texts (titles, terms, and pairs of terms that
studies use together); the map of a term is the mean over the studies that use it, with
{settings[prior_studies]:.0f} studies of the mean map added. Features are the TF-IDF
weights of {n_vocabulary:,} terms, and a Gaussian kernel between MiniLM embeddings
({settings[n_nystroem]:,} Nyström components). The model is a closed form: ridge
regression for maps, canonical correlations for comparisons.

Maps lie on a 4 mm grid of the MNI mask. What a text changes in the mean map of all
studies is made of 512 overlapping parts of an atlas that knows nothing but the shape of
the brain, and smoothed with {smoothing_fwhm:.0f} mm; the mean map itself is as fine as
voxels.

## What its maps are

`brain_map` (and the file that `neurocontext map` writes) is the density of peaks to
expect in a study of this text, studies scaled to norm one: the mean map, which holds
what all studies share, plus the predicted deviation d, plus {curvature:g} d²/µ where d
is positive (µ: the mean of the mean map), which gives large deviations back the height
that a regression takes from them. Without the last term, the strongest voxels of many
texts are those of all studies. `z_map` (`--z`) is the deviation d, divided by what
chance gives.

A text of which no voxel's z reaches {null[z_largest_quantile_0.5]:.1f} is warned about:
half of the maps by chance reach it.

## Figures

On the {n_development:,} development studies, which chose the settings (so the figures
are somewhat flattered):

| what | figure |
|---|---:|
| recall@10 / recall@100 of titles, {scores[n_candidates]:.0f} candidates | \
{scores[recall_at_10]:.1%} / {scores[recall_at_100]:.1%} |
| mix&match of titles | {scores[mix_match]:.1%} |
| correlation of a title's map with the density of the study's peaks | \
{scores[map_correlation]:.3f} |
| Dice at the top 10 %, maps of {scores[n_topics]} terms with the density of held-out \
studies that have them in their titles | {scores[topic_dice]:.3f} |
| the same of the mean map | {scores[topic_dice_of_mean_map]:.3f} |
| that density decoded to its own term first, of {scores[n_topics]} | \
{scores[topic_decoded_first]:.1%} |
| {scores[n_queries]} development queries whose 60 strongest voxels lie, by median, \
within 16 mm of an atlas's coordinates | {scores[near]:.0%} |

The queries of the test by position, whose coordinates were fixed before any map was
seen, are in `docs/benchmarks.md`, with the share that was reached.

Maps of models trained on exchanged studies have a mean squared z of
{null[z_mean_square]:.2f}; 95 % and 99 % of their z values are below
{null[z_quantile_0.95]:.2f} and {null[z_quantile_0.99]:.2f}. A map's largest z is below
{null[z_largest_quantile_0.5]:.1f} in half of them, and below
{null[z_largest_quantile_0.95]:.1f} in 95 %, which accounts for the number of voxels.
All this holds for texts of the length of titles; single words have larger values by
chance.

**What pruning and 16 bits cost.** {n_vocabulary:,} of NeuroQuery's
{n_vocabulary_of_neuroquery:,} terms are kept ({share:.1%}), those of at least
{settings[min_studies]} studies and of at most three words; other words reach the map
through MiniLM alone; numbers and function words are no terms. The {n_terms:,} terms of
most studies are listed and decoded. Matrices have 16 bits: the least correlation of a
development query's map with that of the whole model is {half:.5f}.

## Meant for

Looking up where in the brain the literature would expect a task, a process or a
disorder; ranking terms for a map; teaching; a start for a region of interest. Texts are
English: a word, a title, a sentence, or an abstract, though no abstract was trained on.

## Not meant for

Any decision about a person. It says where studies report peaks, not where activity or a
lesion is, and nothing about an effect's sign. It hardly tells left from right ("left
hand", "right hand") and knows no negation ("no pain"): maps are about the topic. What
few studies were about, it does not know, and it gives a map all the same: heed the
warning, and read the z map. Peaks depend on methods, fashion and thresholds of the
studies, mostly of the years before 2018. Texts of many topics, as bodies of articles
are, get a mean of their maps.
Peaks of Neurosynth that are stated in Talairach space were converted; NeuroQuery states
no space, so that some of its peaks are a few millimetres off.

## Licences

The model is under the package's licence, BSD-3-Clause, as far as its makers' rights
reach. It was made from NeuroQuery's data (BSD-3-Clause; Dockès et al., eLife 2020) and
from Neurosynth's, which are under the Open Database License 1.0 (ODbL; Yarkoni et al.,
Nature Methods 2011): name both. What it holds of single studies, the coefficients of
{n_reference:,} of them without name or title, is shared alike, under the ODbL. It holds
none of their peaks or titles.
MiniLM's weights (Apache-2.0) come from their own package.
"""
