"""Tests of the page; a package, so that all share one browser."""
