#!/bin/sh
# SPDX-License-Identifier: MIT
# Run a command with mounts of its own. Those of others that are kapturefs' are not kept: a file
# system lives on after it was unmounted, and its daemon with it, for as long as it is mounted in
# any namespace.
exec unshare --mount --propagation slave sh -c '
	umount --lazy --no-canonicalize --all --types fuse.kapturefs 2>/dev/null
	exec "$@"' sh "$@"
