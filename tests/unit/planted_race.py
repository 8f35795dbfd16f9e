# SPDX-License-Identifier: MIT
"""The thread sanitizer sees what it is there to see: a race that was planted is found."""

import os
import subprocess


def test_planted_race_is_found():
    result = subprocess.run([os.environ['PLANTED_RACE']], capture_output=True, text=True,
                            timeout=100, check=False)
    assert 'WARNING: ThreadSanitizer: data race' in result.stderr
    assert 'plant' in result.stderr
    assert result.returncode != 0
