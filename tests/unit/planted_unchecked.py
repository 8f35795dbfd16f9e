# SPDX-License-Identifier: MIT
"""Failing every allocation once finds the one whose result nobody looks at."""

import os
import subprocess


def test_planted_unchecked_allocation_is_found():
    result = subprocess.run([os.environ['PLANTED_UNCHECKED']], capture_output=True, text=True,
                            timeout=100, check=False, env={**os.environ,
                                                           'CMOCKA_MESSAGE_OUTPUT': 'STDOUT'})
    told = result.stdout + result.stderr
    assert result.returncode != 0
    assert 'test_every_allocation_of_a_lookup_fails_once' in told
    assert 'Segmentation fault' in told or 'null pointer' in told
