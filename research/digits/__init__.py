"""The paper's MNIST experiments: a cINN that draws handwritten digits of a given class."""
