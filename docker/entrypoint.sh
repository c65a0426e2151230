#!/bin/sh
# numba reads its cache only from a folder that it can write: hand it a copy of the one made with the image.
# On another kind of processor than the image was built on, it compiles for some seconds instead.
set -eu
cp -R /app/numba/. "$NUMBA_CACHE_DIR"
exec tintflow "$@"
