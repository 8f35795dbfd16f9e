# SPDX-License-Identifier: MIT
"""Each way in which views once did not agree is found when it is built into the program again."""

import os

import pytest

import harness
import planted
from points import POINTS
from test_coherence import play_point

BUILD = os.environ['BUILD']


@pytest.mark.parametrize('name', planted.DEFECTS)
def test_planted_defect_is_found(name, tmp_path, monkeypatch):
    defect = planted.DEFECTS[name]
    program = planted.build_variant(BUILD, defect, tmp_path)
    monkeypatch.setattr(harness, 'BINARY', str(program))
    _, wrong = play_point(defect.point)
    assert wrong and 'Broken' in wrong[1], wrong


def test_every_point_that_may_be_wrong_is_planted():
    assert {defect.point for defect in planted.DEFECTS.values()} == set(POINTS)
