"""Utilities for all subpackages. This subpackage does not import other subpackages."""
