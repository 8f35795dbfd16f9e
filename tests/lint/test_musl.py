# SPDX-License-Identifier: MIT
"""The program needs no C library but what POSIX and Linux have: it compiles with musl's headers.

The libraries of this system are glibc's, so nothing can be linked; their headers alone are lent.
"""

import pathlib
import shutil
import subprocess

import pytest
import sources

SYSTEM = pathlib.Path('/usr/include')
LENT = ['linux', 'asm-generic', 'fuse3', 'sqlite3.h', 'uv.h', 'uv', 'ini.h', 'xxhash.h',
        'utf8proc.h', 'zstd.h', 'zstd_errors.h', 'microhttpd.h', 'gnutls', 'zlib.h', 'zconf.h',
        'cjson', 'openssl', 'systemd', 'curses.h', 'ncurses.h', 'ncurses_dll.h', 'unctrl.h',
        'term.h']
LENT_BY_MACHINE = ['asm', 'curl', 'openssl']

pytestmark = pytest.mark.skipif(not shutil.which('musl-gcc'), reason='no musl-gcc')


def lend(source, target):
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


@pytest.fixture(scope='module')
def lent(tmp_path_factory):
    """A folder with the libraries' headers and none of the C library's."""
    folder = tmp_path_factory.mktemp('include')
    machine = SYSTEM / subprocess.run(['gcc', '-print-multiarch'], check=True, capture_output=True,
                                      text=True).stdout.strip()
    for place, names in ((SYSTEM, LENT), (machine, LENT_BY_MACHINE)):
        for name in names:
            lend(next(path / name for path in (place, SYSTEM) if (path / name).exists()),
                 folder / name)
    return folder


def complaints(lent, *paths):
    command = ['musl-gcc', '-fsyntax-only', '-std=gnu17', '-Wall', '-Werror', '-D_GNU_SOURCE',
               '-D_FILE_OFFSET_BITS=64', '-DKAPTUREFS_VERSION="0"', '-DFUSERMOUNT=""',
               '-DKAPTUREFS_BINDIR=""', '-DHAVE_LIBSYSTEMD=1',
               '-DHAVE_STRERRORNAME_NP=0', f'-I{sources.ROOT}/include', '-isystem', lent,
               '-isystem', lent / 'fuse3', *paths]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_every_source_file_compiles_with_musl(lent):
    assert complaints(lent, *sources.files(sources.ROOT, 'src', suffixes=('.c',))) == ''


@pytest.mark.parametrize('call', ['strerrorname_np(1)', 'gnu_get_libc_version()', 'mallinfo2()'])
def test_what_only_glibc_has_is_found(lent, tmp_path, call):
    planted = sources.plant(tmp_path, 'planted.c', '#include <malloc.h>\n#include <string.h>\n'
                            f'void planted(void);\nvoid planted(void) {{ (void){call}; }}\n')
    assert 'implicit declaration' in complaints(lent, planted)
