# SPDX-License-Identifier: MIT
"""Headers stand alone; every source file says its licence."""

import subprocess

import pytest
import sources

PACKAGES = ['fuse3', 'libcurl', 'libcjson', 'sqlite3', 'libuv', 'libmicrohttpd']
SPDX = 'SPDX-License-Identifier: MIT'


def library_flags():
    return subprocess.run(['pkg-config', '--cflags', *PACKAGES], check=True, capture_output=True,
                          text=True).stdout.split()


def compile_alone(root, header, flags):
    """What the compiler has against a file that is nothing but this header."""
    command = ['gcc', '-fsyntax-only', '-std=gnu17', '-Wall', '-Wextra', '-Werror', '-D_GNU_SOURCE',
               '-D_FILE_OFFSET_BITS=64', f'-I{root}/include', *flags, '-x', 'c', '-']
    return subprocess.run(command, input=f'#include "{header}"\n', capture_output=True,
                          text=True).stderr


def headers(root):
    return sources.files(root, 'src', 'include', suffixes=('.h',))


def without_pragma_once(root):
    return [sources.name(root, path) for path in headers(root)
            if '\n#pragma once\n' not in '\n' + path.read_text()]


def without_licence(root):
    return [sources.name(root, path)
            for path in sources.files(root, 'src', 'include', 'tests', suffixes=('.c', '.h', '.py'))
            if not any(SPDX in line for line in path.read_text().splitlines()[:3])]


@pytest.fixture(scope='module')
def flags():
    return library_flags()


@pytest.mark.parametrize('header', headers(sources.ROOT),
                         ids=lambda path: sources.name(sources.ROOT, path))
def test_header_compiles_alone(header, flags):
    assert compile_alone(sources.ROOT, header, flags) == ''


def test_every_header_is_included_once():
    assert without_pragma_once(sources.ROOT) == []


def test_every_source_file_says_its_licence():
    assert without_licence(sources.ROOT) == []


def test_a_header_that_leans_on_another_is_found(tmp_path, flags):
    header = sources.plant(tmp_path, 'include/kapturefs/base/x.h', 'size_t length(void);\n')
    assert 'size_t' in compile_alone(tmp_path, header, flags)


def test_a_header_without_pragma_and_licence_is_found(tmp_path):
    sources.plant(tmp_path, 'include/kapturefs/base/x.h', '/* nothing */\n')
    assert without_pragma_once(tmp_path) == ['include/kapturefs/base/x.h']
    assert without_licence(tmp_path) == ['include/kapturefs/base/x.h']
