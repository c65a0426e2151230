"""The commands of `tintflow` that work on files."""
