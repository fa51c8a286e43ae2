"""Sections about one text: its map, what it resembles."""

from .._validation import check_texts
from ..models._members import units_of
from ..plotting import plot_predicted_map, plot_surface_maps
from ..plotting._glass_brain import keep_strongest
from ._page import picture, provenance, table, viewer


def text_sections(model, text, k, top) -> list:
    """Give headings and HTML about a text, as `page` takes them."""
    (text,) = check_texts([text], "results")
    result = model(text)
    img, marked = result["brain_map"], result["highlighted_text"]
    quote = f"<blockquote>{marked}</blockquote>\n<p>Marked: terms the model knows.</p>"
    sections = [("Text", quote), *map_sections(model, img, top, text=text)]
    if "similar_words" in result:
        sections.append(("Terms with similar maps", _words(result, k)))
    if result["similar_documents"] is not None:
        sections.append(("Studies with matching maps", _documents(result, k)))
    return [*sections, ("Where this comes from", provenance(model=model.card))]


def map_sections(model, img, top, *, text=None, heading="Predicted map") -> list:
    """Show a map in the viewer, on the surface, and below its text on a glass brain."""
    unit = density_unit(model)
    kept_img = keep_strongest(img, top, "The predicted map")
    words = (
        f"<p>The strongest {100 * top:g} % of voxels. Drag to move through the brain; "
        f"the unit is: {unit}.</p>"
    )
    pictures = []
    if text is not None:
        glass = plot_predicted_map(img, text=text, top=top, unit=unit)
        pictures.append(picture(glass, "glass brain"))
    surface = plot_surface_maps({heading.lower(): img}, top=top, unit=unit)
    pictures.append(picture(surface, "cortical surface"))
    return [(heading, words + viewer(kept_img)), ("Pictures", "\n".join(pictures))]


def density_unit(model) -> str:
    """Say in what unit a model predicts densities."""
    if model.unit_maps or units_of(model.model) != {None}:
        return "unit-norm density"
    return "density of peaks"


def _words(result, k):
    words = result["similar_words"].head(k).reset_index()
    return table(
        words,
        {
            "similarity": "{:.2f}".format,
            "weight_in_brain_map": "{:.2f}".format,
            "weight_in_query": "{:.2f}".format,
            "n_documents": "{:,}".format,
        },
    )


def _documents(result, k):
    return table(result["similar_documents"].head(k), {"similarity": "{:.2f}".format})
