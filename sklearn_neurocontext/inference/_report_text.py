"""Sections about one text: its map, what it resembles."""

import numpy as np

from .._utils.estimators import innermost_model
from .._utils.validation import check_texts
from .._utils.volumes import keep_strongest
from ..plotting import DENSITY_UNIT, plot_predicted_map, plot_surface_maps
from ._report_page import caveat, picture, provenance, table, viewer

PLAIN = "density of peaks"
_UNIT_WORDS = {
    PLAIN: "",
    DENSITY_UNIT: ", what to expect in a study where the densities of all studies are "
    "scaled to norm 1, so that those with many peaks count no more than others",
}


def text_sections(model, text, k, top) -> list:
    """Give headings and HTML about a text, as `page` takes them."""
    (text,) = check_texts([text], "results")
    maps = model.transform([text])
    (img,), marked = maps["brain_map"], model.highlighted_text(text)
    note = model.caveat(maps["z_map"][0]) if "z_map" in maps else ""
    words = "Marked: terms that the model lists."
    if "<mark" not in marked:
        words = f"It holds none of the {len(model.terms):,} terms that the model lists."
    quote = f"{caveat(note)}<blockquote>{marked}</blockquote>\n<p>{words}</p>"
    sections = [("Text", quote)]
    sections += map_sections(model, img, top, text=text, note=note)
    if model.terms:
        terms = _words(model.similar_words(text), k)
        sections.append(("Terms with similar maps", terms))
    if model.studies is not None:
        ranked = model.similar_documents(text, k=len(model.studies.titles))
        sections.append(("Studies with matching maps", _documents(ranked, k)))
    return [*sections, ("Where this comes from", provenance(model=model.card))]


def map_sections(model, img, top, *, text=None, note="") -> list:
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
        glass = plot_predicted_map(img, text=text, top=top, unit=unit, note=note)
        pictures.append(picture(glass, "glass brain"))
    surface = plot_surface_maps({name: img}, top=top, unit=unit)
    pictures.append(picture(surface, "cortical surface"))
    return [(heading, words + viewer(kept_img)), ("Pictures", "\n".join(pictures))]


def density_unit(model) -> str:
    """Say in what unit a model predicts densities."""
    y_scaling = getattr(innermost_model(model.model), "y_scaling", None)
    is_scaled = model.unit_maps or y_scaling is not None
    return DENSITY_UNIT if is_scaled else PLAIN


def _words(similar_words, k):
    words = similar_words.head(k).reset_index()
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


def _documents(ranked, k):
    """List the best studies, beside what the others of the corpus reach."""
    median, high = np.quantile(ranked["similarity"], (0.5, 0.95))
    words = (
        f"<p>The best of the {len(ranked):,} studies of the corpus, whose median is "
        f"{median:.2f}; one in twenty reaches {high:.2f}. Some study is always the "
        "best, also by chance, and studies that the model was trained on match too "
        "well.</p>\n"
    )
    return words + table(ranked.head(k), {"similarity": "{:.2f}".format})
