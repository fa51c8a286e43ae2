"""The card of the model that comes with the package."""


def write_card(folder, card, half_correlation):
    """Write ``README.md`` beside the saved model."""
    text = _TEXT.format(half_correlation=half_correlation, **card)
    (folder / "README.md").write_text(text, encoding="utf-8")


_TEXT = "TODO"
