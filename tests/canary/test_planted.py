# SPDX-License-Identifier: MIT
"""A check that finds nothing is worth something only if it finds what has been planted."""

import os
import subprocess

import pytest

PLANTED = dict(pair.split('=', 1) for pair in os.environ['PLANTED'].split())

# Planted defect: what the report says of it, and where it happened.
REPORTS = {
    'address': ('heap-buffer-overflow', 'naming_decode'),
    'undefined': ('signed integer overflow', 'clock.c'),
    'leak': ('LeakSanitizer: detected memory leaks', 'buffer_'),
}


@pytest.mark.parametrize('defect', sorted(PLANTED))
def test_planted_defect_is_found(defect):
    result = subprocess.run([PLANTED[defect]], capture_output=True, text=True, check=False,
                            timeout=60)
    kind, place = REPORTS[defect]
    assert kind in result.stderr
    assert place in result.stderr
    assert result.returncode != 0


def test_every_kind_of_defect_is_planted():
    assert sorted(PLANTED) == sorted(REPORTS)
