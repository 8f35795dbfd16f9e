# SPDX-License-Identifier: MIT
"""The fixtures of the mount tests, whose harness and server these tests use, too."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'mount'))

import api as api_module  # noqa: E402
import harness  # noqa: E402


def pytest_sessionstart(session):
    harness.require_fuse()


@pytest.fixture
def api():
    server = api_module.Api()
    yield server
    server.close()
