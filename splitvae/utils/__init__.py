"""Helpers that know nothing of the field: files, downloads, text, the console and this machine."""
