#!/usr/bin/env bash
# Take out of a virtual environment what no running service reads.
set -euo pipefail
cd "$1"/lib/python3*/site-packages
rm -r torch/include torch/bin/protoc*
# OpenVINO for other devices than CPUs, and readers of other programs' models; it reads its own compiled ones as IR.
# Its converter would be imported at each start
rm -r openvino/{cmake,include,tools} openvino/libs/libopenvino_{auto,auto_batch,hetero,intel_gpu,intel_npu}_plugin.so \
    openvino/libs/libopenvino_{c,{gguf,jax,onnx,paddle,pytorch,tensorflow,tensorflow_lite}_frontend}.so.* openvino/libs/cache.json
find networkx numba numpy sympy -type d -name tests -prune -exec rm -r {} +
# symbols for debuggers, a fifth of the largest libraries; what is linked at run time stays
strip --strip-unneeded torch/lib/libtorch_{cpu,python}.so llvmlite/binding/libllvmlite.so uvloop/loop.*.so
find . -name '*.a' -delete
# bytecode of what no service imports: torch.compile, export, tests' helpers, builds; the sources stay
find mpmath networkx numba/cuda setuptools sympy torch/_dynamo torch/_inductor torch/onnx torch/testing/_internal \
    -type d -name __pycache__ -prune -exec rm -r {} +
