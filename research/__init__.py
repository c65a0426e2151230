"""The paper's experiments, beside the product and not part of the wheel."""
