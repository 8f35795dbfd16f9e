# SPDX-License-Identifier: MIT
"""The thread sanitizer sees what it is there to see: a race that was planted is found."""

import os
import subprocess

TRIES = 20      # on a machine that runs one thread at a time the two may miss each other


def planted():
    return subprocess.run([os.environ['PLANTED_RACE']], capture_output=True, text=True,
                          timeout=100, check=False)


def test_planted_race_is_found():
    for _ in range(TRIES):
        result = planted()
        if 'WARNING: ThreadSanitizer: data race' in result.stderr:
            break
    assert 'plant' in result.stderr
    assert result.returncode != 0
