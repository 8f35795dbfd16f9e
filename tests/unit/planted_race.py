# SPDX-License-Identifier: MIT
"""The thread sanitizer sees what it is there to see: a race that was planted is found."""

import os
import subprocess


RUNS_MAX = 5
RACE = 'WARNING: ThreadSanitizer: data race'


def test_planted_race_is_found():
    """Sooner or later: on a busy machine the threads may take turns for all of a run."""
    for _ in range(RUNS_MAX):
        result = subprocess.run([os.environ['PLANTED_RACE']], capture_output=True, text=True,
                                timeout=100, check=False)
        if RACE in result.stderr:
            break
    assert RACE in result.stderr
    assert 'plant' in result.stderr
    assert result.returncode != 0
