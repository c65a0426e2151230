#!/usr/bin/env bash
# Take out of a virtual environment what no running service reads.
set -euo pipefail
cd "$1"/lib/python3*/site-packages
# OpenVINO for other devices than CPUs, and readers of other programs' models; it reads its own compiled ones as IR.
# Its converter would be imported at each start
rm -r openvino/{cmake,include,tools} \
    openvino/libs/libopenvino_{c,{gguf,jax,onnx,paddle,pytorch,tensorflow,tensorflow_lite}_frontend}.so.*
# those of Intel's GPUs and NPUs come on x86-64 alone
find openvino/libs \( -name '*_plugin.so' ! -name '*_cpu_plugin.so' -o -name cache.json \) -delete
find numba numpy -type d -name tests -prune -exec rm -r {} +
# symbols for debuggers; what is linked at run time stays
strip --strip-unneeded llvmlite/binding/libllvmlite.so uvloop/loop.*.so
find . -name '*.a' -delete
# bytecode of what no service imports: CUDA's kernels, builds; the sources stay
find numba/cuda setuptools -type d -name __pycache__ -prune -exec rm -r {} +
