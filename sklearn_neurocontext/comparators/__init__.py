"""Systems that the NeuroConText paper compares with, as estimators."""

__all__: list[str] = []
