"""Retrieval of maps from texts and of texts from maps."""
