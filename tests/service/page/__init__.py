"""The page's tests: a package, so that one browser serves them all."""
