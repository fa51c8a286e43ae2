"""Answer questions about texts and uploaded maps with a model."""

import io
import json
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

import nibabel as nib
import numpy as np

from .._utils.files import replace_surrogates
from .._utils.pages import compress_img, make_anatomy
from .._utils.validation import normalize_text
from ..inference import find_peaks
from ..plotting import DENSITY_UNIT, Z_THRESHOLD, plot_maps
from ._uploads import read_nifti

MAX_TEXT = 5_000
# Number of texts whose maps are kept in memory, and number of uploaded maps that are
# kept. The maps of a text take about 1 MB, and an uploaded map takes half as much.
_N_TEXTS = 24
_N_UPLOADS = 16
# Fraction of the voxels that are shown by default if a map does not contain z values.
_TOP = 0.1
_DOTS_PER_INCH = 150
_UNITS = {"z_map": "z value", "brain_map": DENSITY_UNIT}


class UploadNotFoundError(LookupError):
    """The uploaded map is unknown, or no longer in memory."""


@dataclass(frozen=True)
class MapQuestion:
    """Question about the map of a text, a difference of two maps, or an uploaded map.

    `kind` is "z_map" or "brain_map". Exactly one of `text` and `upload` is given. If
    `minus` is given too, the map of the text `minus` is subtracted from the map of
    `text`.
    """

    kind: str
    text: str | None = None
    minus: str | None = None
    upload: str | None = None

    @property
    def title(self) -> str:
        """Title of the map."""
        if self.upload is not None:
            return "uploaded map"
        return f"{self.text} minus {self.minus}" if self.minus else self.text


def check_text(text: str, name: str = "text") -> str:
    """Return a text in normalized form; check its length and that it has a word."""
    if len(text) > MAX_TEXT:
        raise ValueError(
            f"{name} must have at most {MAX_TEXT:,} characters; got {len(text):,}. "
            "For longer texts, use NeuroContextModel.transform in Python."
        )
    if "\0" in text:
        raise ValueError(f"{name} must not contain null characters. Remove them.")
    text = " ".join(normalize_text(text).split())
    if not any(map(str.isalnum, text)):
        raise ValueError(f"{name} must contain at least one word. Enter a text.")
    return text


class ModelAnswers:
    """Model that answers questions. All methods must be called in the same thread."""

    def __init__(self, model, ontology=None):
        self.model = model
        self.ontology = ontology
        self._inside = np.asarray(model.masker.mask_img_.dataobj) > 0
        self._maps = lru_cache(_N_TEXTS)(self._predict_maps)
        self._uploads = OrderedDict()

    def kinds(self) -> list:
        """Return the names of the maps of the model; the first is the default."""
        maps = self.model.transform(["brain"])
        if self.ontology is not None:
            # The first ranking of tasks embeds them, which can take a minute.
            self._rank(maps["brain_map"][0], "tasks", 1)
        # The result also contains the number of supporting studies, which is not a map.
        return [name for name in _UNITS if name in maps]

    def img(self, question: MapQuestion) -> nib.Nifti1Image:
        """Return the map that a question is about, on the grid of the model."""
        if question.upload is not None:
            if question.upload not in self._uploads:
                raise UploadNotFoundError(
                    "The server no longer has this uploaded map. Upload the file again."
                )
            self._uploads.move_to_end(question.upload)
            return self._uploads[question.upload]
        maps = self._maps_of(question)
        if question.kind not in maps:
            raise ValueError(
                f"map must be a map of the model: {', '.join(maps)}; got "
                f"{question.kind}. Choose another map."
            )
        return maps[question.kind]

    def unit(self, question: MapQuestion) -> str:
        """Return the unit of the map that a question is about."""
        if question.upload is not None:
            return "value"
        is_difference = question.kind == "brain_map" and question.minus
        return ("difference of " if is_difference else "") + _UNITS[question.kind]

    def describe(self, question: MapQuestion, k: int) -> dict:
        """Return the peaks and properties of a map, and terms similar to its texts."""
        img = self.img(question)
        magnitudes = np.abs(np.asarray(img.dataobj)[self._inside])
        answer = {
            "title": question.title,
            "map": None if question.upload else question.kind,
            "unit": self.unit(question),
            "maximum": float(magnitudes.max()),
            "threshold": self._default_threshold(question, magnitudes),
            "peaks": _records(find_peaks(img)),
        }
        if question.minus is not None:
            answer["low_confidence"] = self._low_confidence(self._maps_of(question))
        texts = [text for text in (question.text, question.minus) if text]
        return answer | {"texts": [self._describe_text(text, k) for text in texts]}

    def studies(self, text: str, k: int) -> dict:
        """Return the indexed studies whose maps are most similar to a text."""
        return {"text": text, "studies": _records(self._similar_studies(text, k))}

    def tasks(self, text: str, k: int) -> dict:
        """Return the tasks of the ontology that match the brain map of a text."""
        if self.ontology is None:
            raise ValueError("No tasks are loaded. Start the server with --tasks.")
        ranking = self._rank(self._maps(text, None)["brain_map"], "tasks", k)
        return {"text": text, "tasks": _records(ranking)}

    def decode(self, content: bytes, k: int) -> dict:
        """Decode the content of a NIfTI file, and keep its map for other questions."""
        img = read_nifti(content)
        is_available = {
            "terms": bool(self.model.terms),
            "tasks": self.ontology is not None,
            "studies": self.model.studies is not None,
        }
        tables = {
            name: self._rank(img, name, k)
            for name, available in is_available.items()
            if available
        }
        rankings = {
            name: _records(tables[name]) if name in tables else []
            for name in is_available
        }
        null_maps = next((one.attrs["null_maps"] for one in tables.values()), "")
        if rankings["studies"]:
            studies = self.model.studies
            rows = {one: row for row, one in enumerate(studies.table["study_id"])}
            found = studies.describe(
                [rows[one["study_id"]] for one in rankings["studies"]]
            )
            links = _records(found[["pubmed_url", "year"]])
            for study, link in zip(rankings["studies"], links, strict=True):
                study.update(link)
        upload = secrets.token_urlsafe(12)
        self._uploads[upload] = self._resample(img)
        if len(self._uploads) > _N_UPLOADS:
            self._uploads.popitem(last=False)
        return {"upload": upload, "null_maps": null_maps, **rankings}

    def nifti(self, question: MapQuestion) -> bytes:
        """Return the map that a question is about as the content of a .nii.gz file."""
        return compress_img(self.img(question))

    def picture(self, question: MapQuestion, threshold: float) -> bytes:
        """Return a picture of a map on a glass brain, as the content of a PNG file."""
        figure = plot_maps(
            self.img(question),
            views="glass",
            threshold=threshold,
            two_sided=True,
            title=question.title,
            unit=self.unit(question),
        )
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=_DOTS_PER_INCH)
        return stream.getvalue()

    def surface(self, question: MapQuestion, threshold: float) -> str:
        """Return nilearn's interactive view of a map on the cortex as an HTML page."""
        from nilearn.plotting import view_img_on_surf

        img = self.img(question)
        signed = bool((np.asarray(img.dataobj) <= -threshold).any())
        view = view_img_on_surf(
            img,
            threshold=threshold,
            cmap="RdBu_r" if signed else "inferno_r",
            symmetric_cmap=signed,
            vmin=None if signed else 0,
            title_fontsize=16,
        )
        return view.html

    def template(self) -> bytes:
        """Return an anatomical image of the brain as the content of a .nii.gz file."""
        return make_anatomy()

    def _maps_of(self, question) -> dict:
        return self._maps(question.text, question.minus)

    def _low_confidence(self, maps) -> str:
        """Return a warning if all values of the z map are small, else an empty str."""
        if "z_map" not in maps:
            return ""
        img = maps["z_map"]
        magnitudes = nib.Nifti1Image(np.abs(np.asarray(img.dataobj)), img.affine)
        return self.model.low_confidence_message(magnitudes)

    def _predict_maps(self, text, minus) -> dict:
        """Return the maps of a text, minus those of another text if one is given."""
        for one in filter(None, [text, minus]):
            if not self.model.has_known_words([one])[0]:
                raise ValueError(
                    f"The model does not know any word of “{one[:60]}”. Use other "
                    "words."
                )
        maps = self.model.transform([text], minus=minus)
        return {name: maps[name][0] for name in _UNITS if name in maps}

    def _describe_text(self, text, k) -> dict:
        maps = self._maps(text, None)
        message = ""
        if "z_map" in maps:
            message = self.model.low_confidence_message(maps["z_map"], text)
        words = self.model.similar_words(text).head(k).reset_index()
        return {
            "text": text,
            "marked": self.model.highlighted_text(text),
            "support": self.model.describe_support(text),
            "low_confidence": message,
            "terms": _records(words),
        }

    def _similar_studies(self, text, k):
        if self.model.studies is None:
            raise ValueError(
                "No corpus is indexed. Start the server with --corpus CORPUS."
            )
        return self.model.similar_documents(text, k=k)

    def _rank(self, img, candidates, k):
        return self.model.decode(img, candidates, k=k, ontology=self.ontology)

    def _default_threshold(self, question, magnitudes) -> float:
        is_z = question.kind == "z_map" and question.upload is None
        return Z_THRESHOLD if is_z else float(np.quantile(magnitudes, 1 - _TOP))

    def _resample(self, img):
        """Resample a map to the grid of the model; set voxels outside the mask to 0."""
        from nilearn.image import resample_to_img

        values = np.nan_to_num(np.asarray(img.dataobj))
        resampled = resample_to_img(
            nib.Nifti1Image(values, img.affine),
            self.model.masker.mask_img_,
            interpolation="linear",
            copy_header=True,
            force_resample=True,
        )
        values = np.where(self._inside, np.asarray(resampled.dataobj), 0)
        return nib.Nifti1Image(values.astype(np.float32), resampled.affine)


def _records(frame) -> list:
    """Return the rows of a table as dictionaries that JSON can represent."""
    records = json.loads(frame.to_json(orient="records", double_precision=12))
    return [
        {
            name: replace_surrogates(value) if isinstance(value, str) else value
            for name, value in record.items()
        }
        for record in records
    ]
