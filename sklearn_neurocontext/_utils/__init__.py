"""Utilities shared by all subpackages; they import no other subpackage."""
