"""Sections about one text: its map, what it resembles."""

import numpy as np

from .._validation import check_texts
from ..models._members import units_of
from ..plotting import plot_predicted_map, plot_surface_maps
from ..plotting._glass_brain import keep_strongest
from ..plotting._style import UNIT_NORM
from ._page import caveat, picture, provenance, table, viewer

PLAIN = "density of peaks"
_UNIT_WORDS = {
    PLAIN: "",
    UNIT_NORM: ", what to expect in a study where the densities of all studies are "
    "scaled to norm 1, so that those with many peaks count no more than others",
}


def text_sections(model, text, k, top) -> list:
    """Give headings and HTML about a text, as `page` takes them."""
    (text,) = check_texts([text], "results")
    result = model(text)
    img, marked = result["brain_map"], result["highlighted_text"]
    known = "<mark" in marked
    words = "Marked: terms the model knows." if known else "No term of the model in it."
    quote = f"<blockquote>{marked}</blockquote>\n<p>{words}</p>"
    quote = caveat(model.caveat(text)) + quote
    sections = [("Text", quote), *map_sections(model, img, top, text=text)]
    if "similar_words" in result:
        sections.append(("Terms with similar maps", _words(result, k)))
    if result["similar_documents"] is not None:
        sections.append(("Studies with matching maps", _documents(model, text, k)))
    return [*sections, ("Where this comes from", provenance(model=model.card))]


def map_sections(model, img, top, *, text=None) -> list:
    """Show a map in the viewer, on the surface, and below its text on a glass brain.

    Without a text, it is the mean map of studies.
    """
    unit = density_unit(model)
    kept_img = keep_strongest(img, top, "The map")
    words = (
        f"<p>The strongest {100 * top:g} % of voxels. Drag to move through the brain. "
        f"Unit: {unit}{_UNIT_WORDS[unit]}.</p>"
    )
    heading, name = "Mean map of the studies", "mean of the studies"
    pictures = []
    if text is not None:
        heading, name = "Predicted map", "predicted"
        note = model.caveat(text)
        glass = plot_predicted_map(img, text=text, top=top, unit=unit, note=note)
        pictures.append(picture(glass, "glass brain"))
    surface = plot_surface_maps({name: img}, top=top, unit=unit)
    pictures.append(picture(surface, "cortical surface"))
    return [(heading, words + viewer(kept_img)), ("Pictures", "\n".join(pictures))]


def density_unit(model) -> str:
    """Say in what unit a model predicts densities."""
    if model.unit_maps or units_of(model.model) != {None}:
        return UNIT_NORM
    return PLAIN


def _words(result, k):
    words = result["similar_words"].head(k).reset_index()
    text = (
        "<p>By <i>weight_in_brain_map</i>, the likeness (cosine) of a term's map and "
        "the text's, the mean map taken out; <i>similarity</i> is that of the words "
        "themselves, <i>n_documents</i> the number of training studies with the term."
        "</p>\n"
    )
    two = "{:.2f}".format
    names = ("similarity", "weight_in_brain_map", "weight_in_query")
    return text + table(
        words, {**dict.fromkeys(names, two), "n_documents": "{:,}".format}
    )


def _documents(model, text, k):
    """List the best studies, beside what the others of the corpus reach."""
    n_studies = len(model.studies.titles)
    ranked = model.similar_documents(text, k=n_studies)
    middle, high = np.quantile(ranked["similarity"], (0.5, 0.95))
    words = (
        f"<p>The best of {n_studies:,} studies of the corpus. Some are always best: "
        f"compare with the middle one of all, which has {middle:.2f}, and with the "
        f"{high:.2f} that one in twenty reaches. Studies that the model was trained on "
        "match too well.</p>\n"
    )
    return words + table(ranked.head(k), {"similarity": "{:.2f}".format})
