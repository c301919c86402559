"""What every package may use and nothing of the field stands in: files, downloads, text, this machine."""
