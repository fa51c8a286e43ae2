"""Predicted maps that notebooks display; summary of a model."""

from dataclasses import dataclass

from ..plotting import Z_THRESHOLD
from ._regions import peak_table
from ._report_parts import describe_metadata, picture, show_img, show_rows, table

# Maximum number of texts whose maps a notebook displays, and of rows in its tables.
_MAX_TEXTS = 3
_MAX_ROWS = 10


@dataclass(eq=False, repr=False, kw_only=True)
class PredictedMaps(dict):
    """Dictionary of predicted maps, which notebooks display as pictures and tables.

    `NeuroContextModel.transform` and ``model(text)`` return such a dictionary. They
    document its keys. The value of a map is an image or a list of images.

    Parameters
    ----------
    texts : list of str
        The texts whose maps were predicted.
    minus : str or None
        Text whose map was subtracted.
    unit : str
        Unit of the brain maps.
    supports : list of str
        For each map, a sentence about the number of training studies that support it.
        The sentence is empty if the model does not know this number.
    messages : list of str
        For each map, the low-confidence message, which is empty if the confidence is
        not low.
    card : dict
        Metadata of the model.

    Examples
    --------
    >>> from sklearn_neurocontext import NeuroContextModel
    >>> model = NeuroContextModel.from_pretrained()  # doctest: +SKIP
    >>> maps = model.transform(["fear", "pain"])  # doctest: +SKIP
    >>> maps.plot("z_map", index=1)  # doctest: +SKIP
    """

    texts: list
    minus: str | None
    unit: str
    supports: list
    messages: list
    card: dict

    def plot(self, name=None, *, index=0, peaks=False, **options):
        """Plot a map in slices, on a glass brain and on the cortical surface.

        z maps and differences of two texts are plotted with both signs.

        Parameters
        ----------
        name : {"brain_map", "z_map"} or None, default=None
            Map to plot. If None, the brain map of a text is plotted, or the z map of a
            difference of two texts. If the model has no z maps, the brain map is
            plotted in both cases.
        index : int, default=0
            Position of the text in `texts`.
        peaks : bool, default=False
            Whether to print the table of the strongest peaks below the map, see
            `peak_table`.
        **options
            Other parameters of :func:`~sklearn_neurocontext.plotting.plot_maps`, for
            example ``views="glass"``. By default, the threshold of z maps is 3.

        Returns
        -------
        figure : matplotlib Figure
            Figure of width 12 inches.

        Raises
        ------
        ValueError
            If `name` is neither "brain_map" nor "z_map", or if there is no such map.
        IndexError
            If there is no text at the position `index`.
        """
        from ..plotting import plot_maps

        name, img = self._select(name, index)
        is_z = name == "z_map"
        unit = self.unit if self.minus is None else f"difference of {self.unit}"
        defaults = {
            "title": self._title(index),
            "note": f"{self.supports[index]} {self.messages[index]}".strip(),
            "unit": "z value" if is_z else unit,
            "threshold": Z_THRESHOLD if is_z else None,
            "two_sided": is_z or self.minus is not None,
        }
        options = defaults | options
        if peaks:
            shared = {"threshold", "top", "two_sided"} & set(options)
            table = peak_table(img, **{key: options[key] for key in shared})
            options["peaks"] = table
        return plot_maps(img, **options)

    def view(self, name=None, *, index=0):
        """Return nilearn's interactive viewer of a map.

        Parameters
        ----------
        name : {"brain_map", "z_map"} or None, default=None
            Map to show, as in `plot`.
        index : int, default=0
            Position of the text in `texts`.

        Returns
        -------
        view : nilearn.plotting.html_stat_map.StatMapView
            Viewer of the top 10 % of voxels of a brain map, or of the voxels of a z map
            with a magnitude of at least 3. Notebooks display it.
            ``view.open_in_browser()`` opens it, and ``view.save_as_html(path)`` saves
            it.

        Raises
        ------
        ValueError
            If `name` is neither "brain_map" nor "z_map", or if there is no such map.
        IndexError
            If there is no text at the position `index`.
        """
        name, img = self._select(name, index)
        return show_img(img, Z_THRESHOLD if name == "z_map" else None)

    def __repr__(self):
        """Return a summary in one line."""
        titles = [repr(self._title(i)[:60]) for i in range(len(self.texts))]
        shown = ", ".join(titles[:_MAX_TEXTS])
        shown += ", …" if len(titles) > _MAX_TEXTS else ""
        return f"<Predicted maps of {shown}; keys: {', '.join(self)}>"

    def _repr_html_(self):
        """Return pictures and tables for display in notebooks; all text is escaped."""
        maps = []
        for index in range(min(len(self.texts), _MAX_TEXTS)):
            one = {"title": self._title(index), "picture": None}
            one |= {"support": self.supports[index], "message": self.messages[index]}
            try:
                # The page states support and message above the picture.
                figure = self.plot(index=index, views="glass", note="")
                one["picture"] = picture(figure, "glass brain")
            except ValueError as error:  # for example, no positive voxel
                one["error"] = str(error)
            maps.append(one)
        tables = {}
        if len(self.get("similar_words", ())):
            words = self["similar_words"].head(_MAX_ROWS).reset_index()
            formats = dict.fromkeys(words.columns[1:], "{:.2g}".format)
            formats["n_documents"] = "{:,.0f}".format
            tables["Terms with similar maps"] = table(words, formats)
        if len(self.get("similar_documents", ())):
            found = self["similar_documents"].head(_MAX_ROWS)
            tables["Studies with matching maps"] = table(
                found[["title", "year", "similarity"]], {"similarity": "{:.2f}".format}
            )
        n_omitted = len(self.texts) - len(maps)
        return show_rows(
            "result.html",
            maps=maps,
            tables=tables,
            n_omitted=n_omitted,
            metadata=describe_metadata(self.card),
        )

    def _title(self, index) -> str:
        """Return the text at a position, with the text that was subtracted."""
        text = self.texts[index]
        return text if self.minus is None else f"{text} minus {self.minus}"

    def _select(self, name, index):
        """Return the name and the image of a map."""
        if name is None:
            is_signed = self.minus is not None and "z_map" in self
            name = "z_map" if is_signed else "brain_map"
        if name not in ("brain_map", "z_map") or name not in self:
            known = [one for one in ("brain_map", "z_map") if one in self]
            raise ValueError(f"name must be one of {known}; got {name!r}.")
        imgs = self[name]
        return name, ([*imgs] if isinstance(imgs, list) else [imgs])[index]


def summarize_model(model, unit, has_z) -> dict:
    """Return a summary of a `NeuroContextModel`, as a dict from headings to texts."""
    settings = model.card.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    n_studies = model.card.get("n_studies")
    training = [] if n_studies is None else [f"{n_studies:,} studies"]
    names = ("corpus", "text_field", "estimator")
    training += [f"{name} {settings[name]}" for name in names if name in settings]
    scores = model.card.get("scores")
    scores = scores if isinstance(scores, dict) else {}
    n_indexed = "none" if model.studies is None else f"{len(model.studies.titles):,}"
    return {
        "use": "predict brain maps of texts: model(text); find terms, studies or tasks "
        "that match a brain map: model.decode(img)",
        "limits": "maps show where studies report peaks, not the sign or the strength "
        "of activation; not for diagnosis",
        "model": describe_steps(model.model),
        "training": ", ".join(training) or "not stated in the card",
        "scores": ", ".join(
            f"{name} {scores[name]:.3g}"
            for name in ("mix_match", "recall_at_10", "n_candidates")
            if name in scores
        )
        or "not stated in the card",
        "atlas": f"{model.masker.n_elements_:,} components",
        "unit of brain maps": unit,
        "z maps": f"yes, low-confidence threshold {model.z_threshold:g}"
        if has_z
        else "no",
        "terms": f"{len(model.terms):,}",
        "indexed studies": n_indexed,
    }


def describe_steps(model) -> str:
    """Return the names of the classes of a pipeline's steps or of an ensemble."""
    steps = getattr(model, "steps", None)
    if steps is None:
        names = [name for name, _ in model.estimators]
        return f"{type(model).__name__} of {', '.join(names)}"
    return " → ".join(type(step).__name__ for _, step in steps)
