"""`python -m benchmarks.quality`: quality of colors on photos that training never saw.

Every photo is squeezed to 256×256; its lightness is colorized, and the result compared with its own colors. Errors are
root mean squares over the pixels and channels of a photo, in hundredths of the sRGB range, averaged over the photos.
The variance over samples is averaged likewise: see `benchmarks.quality.measures`. All figures have bootstrap errors
over the photos.

Figures are at the measured temperature; those named `_default` are at the service's default, and `gray` is the photo's
lightness alone. A classifier other than h (EfficientNet-Lite2) gives KID (×10³), FID and, where ImageNet classes are
known, the percentage of photos that it still recognizes.
"""

import typer

from benchmarks.network import load_colorizer
from benchmarks.quality.comparison import Judge, Labels, Limit, Samples, Temperature, compare
from benchmarks.quality.methods import CinnMethod
from benchmarks.report import JsonFile
from training.commands import RELEASED, Device, HeldOutPhotos, Weights, errors_printed

app = typer.Typer(add_completion=False)


@app.command()
def main(
    data: HeldOutPhotos,
    weights: Weights = RELEASED,
    json_file: JsonFile = None,
    labels: Labels = None,
    judge: Judge = True,
    temperature: Temperature = 1.0,
    samples: Samples = 8,
    limit: Limit = None,
    device: Device = "auto",
) -> None:
    """Measure the colors of photos whose true colors are known."""
    with errors_printed():
        cinn = CinnMethod(load_colorizer(weights, device))
        compare(cinn, (), data, labels, judge, temperature, samples, limit, json_file)


if __name__ == "__main__":
    app()
