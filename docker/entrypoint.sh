#!/bin/sh
# numba reads its cache only from a writable folder, so copy the image's cache to one.
# On a kind of processor other than the build machine's, numba compiles instead, for some seconds.
set -eu
cp -R /app/numba/. "$NUMBA_CACHE_DIR"
exec tintflow "$@"
