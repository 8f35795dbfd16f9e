# SPDX-License-Identifier: MIT
"""A defect that was planted in a target is found: by its corpus, or by the engine from nothing."""

import os
import pathlib
import subprocess

TARGET = pathlib.Path(os.environ['FUZZ_TARGET'])
CORPUS = pathlib.Path(os.environ['FUZZ_CORPUS'])
HAS_ENGINE = 'FUZZ_ENGINE' in os.environ


def run(arguments):
    return subprocess.run([TARGET, *arguments], capture_output=True, text=True, check=False,
                          errors='backslashreplace', timeout=600)


def test_planted_defect_is_found(tmp_path):
    if HAS_ENGINE:
        result = run(['-max_total_time=300', f'-artifact_prefix={tmp_path}/broken-by-',
                      '-max_len=64', tmp_path])
        assert list(tmp_path.glob('broken-by-*')) != []
    else:
        result = run([CORPUS])
    assert result.returncode != 0
    assert 'planted' in result.stdout + result.stderr
