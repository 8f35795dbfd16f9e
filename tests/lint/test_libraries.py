# SPDX-License-Identifier: MIT
"""Each external library is seen by as few files as possible, and linked by who has a use for it."""

import fnmatch
import os
import pathlib
import re
import subprocess

import pytest
import sources

# Library: the headers that bring it in, and the files that may include them.
LIBRARIES = {
    'cJSON': (r'(cjson/)?cJSON.*\.h', ['src/model/payload*.[ch]', 'src/sandbox/*.c']),
    'libcurl': (r'curl/.*\.h', ['src/io/http*.c', 'src/io/http*.h',
                                 'include/kapturefs/io/http_*.h']),
    'OpenSSL': (r'openssl/.*\.h', ['src/io/http_connection.c']),
    'SQLite': (r'sqlite3.*\.h', ['src/io/database*.[ch]', 'include/kapturefs/io/database*.h',
                                 'src/store/cache*.c', 'include/kapturefs/store/cache_*.h',
                                 'src/cache/*.[ch]', 'include/kapturefs/cache/*.h']),
    'xxHash': (r'xxhash\.h', ['src/base/string_set.c',
                              'src/store/cache_seal.c', 'src/store/cache_gram.c',
                              'src/cache/checksum.c', 'src/cache/gram.c']),
    'utf8proc': (r'utf8proc\.h', ['src/model/fold.c']),
    'Zstandard': (r'zstd\.h', ['src/store/cache_codec.c', 'src/cache/compression.c']),
    'libfuse': (r'fuse.*\.h|linux/fuse\.h|kapturefs/fs/libfuse\.h', [
        f'{place}/fs/{name}*.[ch]' for place in ('src', 'include/kapturefs')
        for name in ('libfuse', 'filesystem', 'request', 'session', 'channel', 'notifier',
                     'listings', 'client_process')]),
    'libmicrohttpd': (r'microhttpd.*\.h', ['src/sandbox/*.c']),
    'GnuTLS': (r'gnutls/.*\.h', ['src/sandbox/certificates.c', 'src/sandbox/delivery.c']),
    'zlib': (r'zlib\.h', ['src/sandbox/content.c', 'src/io/http_coding.c',
                         'src/io/http_coding.h', 'include/kapturefs/io/http_coding.h']),
    'libuv': (r'uv.*\.h', ['src/io/http*.[ch]', 'include/kapturefs/io/http*.h',
                           'src/io/turns.c', 'include/kapturefs/io/turns.h',
                           'src/io/loop_statistics.c', 'include/kapturefs/io/loop_statistics.h',
                           'src/io/processors.c', 'include/kapturefs/io/processors.h',
                           'src/store/*.[ch]', 'include/kapturefs/store/*.h',
                           'src/api/*.[ch]', 'include/kapturefs/api/*.h',
                           'src/cache/*.[ch]', 'include/kapturefs/cache/*.h',
                           'src/catalog/*.[ch]', 'include/kapturefs/catalog/*.h',
                           'src/daemon/*.[ch]', 'include/kapturefs/daemon/*.h',
                           'src/fs/*.[ch]', 'include/kapturefs/fs/*.h',
                           'src/command/*.[ch]', 'include/kapturefs/command/*.h']),
    'inih': (r'ini\.h', ['src/config/parse.c']),
    'ncurses': (r'(n?curses|term|panel|form|menu)\.h',
                ['src/command/top.c', 'src/command/top_draw.c']),
}

# What a program may not need: the one that holds the token no server, the server nothing of that.
NEEDLESS = {
    'kapturefs': ['microhttpd', 'gnutls'],
    'kapturefs-sandbox': ['curl', 'ssl', 'crypto', 'fuse3', 'sqlite3', 'uv', 'inih', 'systemd',
                          'ncursesw', 'zstd', 'xxhash'],
}


def needed(path):
    """The libraries that the program itself asks the loader for: `gnutls`, `c`."""
    output = subprocess.run(['readelf', '--wide', '--dynamic', path], capture_output=True,
                            text=True, check=True, env={**os.environ, 'LC_ALL': 'C'}).stdout
    return re.findall(r'\(NEEDED\).*\[lib([^\]]+?)(?:-[\d.]+)?\.so', output)


def violations(root):
    found = []
    for path in sources.files(root, 'src', 'include'):
        name = sources.name(root, path)
        for _, target in sources.includes(path):
            for library, (headers, places) in LIBRARIES.items():
                if re.fullmatch(headers, target) and not any(
                        fnmatch.fnmatchcase(name, place) for place in places):
                    found.append(f'{name}: may not see {library} ({target})')
    return found


def test_each_library_is_seen_only_where_the_table_says():
    assert violations(sources.ROOT) == []


def test_every_library_of_the_table_is_found_when_planted_in_the_wrong_file(tmp_path):
    headers = ['cjson/cJSON.h', 'curl/curl.h', 'sqlite3.h', 'fuse_lowlevel.h', 'microhttpd.h',
               'uv.h', 'ini.h', 'xxhash.h', 'utf8proc.h', 'zstd.h', 'gnutls/gnutls.h', 'zlib.h',
               'curses.h', 'openssl/ssl.h']
    assert len(headers) == len(LIBRARIES)
    sources.plant(tmp_path, 'src/base/log.c', ''.join(f'#include <{h}>\n' for h in headers))
    assert len(violations(tmp_path)) == len(headers)


def test_a_second_file_of_the_right_layer_is_found(tmp_path):
    sources.plant(tmp_path, 'src/catalog/find.c', '#include <sqlite3.h>\n')
    assert violations(tmp_path) == ['src/catalog/find.c: may not see SQLite (sqlite3.h)']


@pytest.mark.parametrize('name', NEEDLESS)
def test_neither_program_links_what_is_for_the_other(name):
    libraries = needed(pathlib.Path(os.environ['KAPTUREFS']).with_name(name))
    assert 'c' in libraries
    assert [library for library in libraries if library in NEEDLESS[name]] == []


def test_a_program_that_links_a_server_is_found(tmp_path):
    source = sources.plant(tmp_path, 'server.c', 'int gnutls_global_init(void);\n'
                           'int main(void) { return gnutls_global_init(); }\n')
    subprocess.run(['gcc', '-o', tmp_path / 'server', source, '-lgnutls'], check=True)
    assert 'gnutls' in needed(tmp_path / 'server')
