#!/usr/bin/env bash
# Remove the files that a running service does not need from a virtual environment.
set -euo pipefail
cd "$1"/lib/python3*/site-packages
# OpenVINO's C++ files, converter and readers of other models: the service reads its networks as IR, and the converter
# would be imported at each start
rm -r openvino/{cmake,include,tools} \
    openvino/libs/libopenvino_{c,{gguf,jax,onnx,paddle,pytorch,tensorflow,tensorflow_lite}_frontend}.so.*
# OpenVINO's plugins for other devices than CPUs; those for Intel's GPUs and NPUs exist only on x86-64
find openvino/libs \( -name '*_plugin.so' ! -name '*_cpu_plugin.so' -o -name cache.json \) -delete
find numba numpy -type d -name tests -prune -exec rm -r {} +
# symbols for debuggers, but not those for linking at run time
strip --strip-unneeded llvmlite/binding/libllvmlite.so uvloop/loop.*.so
find . -name '*.a' -delete
# bytecode of modules that no service imports (CUDA's kernels, builds); the sources stay
find numba/cuda setuptools -type d -name __pycache__ -prune -exec rm -r {} +
