# SPDX-License-Identifier: MIT
"""What the tests attack the daemon by (tests/mount/attack.c) is in no program that is installed."""

import os
import pathlib
import re
import subprocess

import sources

ATTACK = sources.ROOT / 'tests' / 'mount' / 'attack.c'


def marks():
    """Words that only an attack has: of its texts, those that no other source has as well."""
    words = set(re.findall(r'"([^"\\%\s]{8,})["%]', ATTACK.read_text()))
    others = '\n'.join(path.read_text() for path in sources.files(sources.ROOT, 'src', 'include'))
    return {word for word in words if word not in others and '.h' not in word}


def found_in(program):
    content = pathlib.Path(program).read_bytes()
    return {word for word in marks() if word.encode() in content}


def symbols(program):
    return subprocess.run(['nm', program], check=True, capture_output=True, text=True).stdout


def test_the_program_has_nothing_of_it():
    assert found_in(os.environ['KAPTUREFS']) == set()
    assert 'attack' not in symbols(os.environ['KAPTUREFS'])


def test_a_program_that_has_it_is_found(tmp_path):
    program = tmp_path / 'attacked'
    subprocess.run(['gcc', '-D_GNU_SOURCE', '-c', f'-I{sources.ROOT}/include', '-o', program,
                    ATTACK], check=True)
    assert len(found_in(program)) > 5
    assert 'attack' in symbols(program)
