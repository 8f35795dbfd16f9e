# SPDX-License-Identifier: MIT
"""The packages as people get them, but that their unit tests are not run once more."""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope='session')
def package(tmp_path_factory):
    """(their folder, what lintian said of them)"""
    directory = tmp_path_factory.mktemp('deb')
    result = subprocess.run(
        [ROOT / 'bootstrap', 'deb', directory], capture_output=True, text=True, check=False,
        timeout=1000, env={**os.environ, 'DEB_BUILD_OPTIONS': 'nocheck'})
    assert result.returncode == 0, result.stderr
    return directory, result.stderr
