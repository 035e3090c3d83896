"""Derivatives as graph transformations."""
