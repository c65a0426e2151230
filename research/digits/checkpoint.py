"""Weights of the digits' networks on disk, in the format of `model.flow.weights_file`."""

from dataclasses import asdict
from pathlib import Path

from model.flow.weights_file import open_weights, restore, write_weights
from research.digits.classifier import DigitClassifier
from research.digits.flow import DigitFlow, DigitFlowConfig

__all__ = ["load_classifier", "load_flow", "save_classifier", "save_flow"]

FLOW_NAME = "tintflow-mnist-1"
CLASSIFIER_NAME = "tintflow-mnist-classifier-1"


def save_flow(flow: DigitFlow, path: Path) -> None:
    """Write the cINN's parameters in float16 and its buffers as they are."""
    write_weights(flow, {"name": FLOW_NAME, "config": asdict(flow.config)}, path)


def load_flow(path: Path) -> DigitFlow:
    """Read a file of `save_flow`. Raises CheckpointError if it is missing, damaged or of another network."""
    file = open_weights(path, FLOW_NAME)
    return restore(DigitFlow(DigitFlowConfig(**file.metadata["config"])), file.tensors(), path)


def save_classifier(classifier: DigitClassifier, path: Path) -> None:
    """Write the classifier's parameters in float16."""
    write_weights(classifier, {"name": CLASSIFIER_NAME}, path)


def load_classifier(path: Path) -> DigitClassifier:
    """Read a file of `save_classifier`. Raises CheckpointError if it is missing, damaged or of another network."""
    return restore(DigitClassifier(), open_weights(path, CLASSIFIER_NAME).tensors(), path)
