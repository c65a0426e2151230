"""The paper's experiments; not part of the product or the wheel."""
