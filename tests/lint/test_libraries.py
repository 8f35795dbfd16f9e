# SPDX-License-Identifier: MIT
"""Each external library is seen by as few files as possible."""

import fnmatch
import re

import sources

# Library: the headers that bring it in, and the files that may include them.
LIBRARIES = {
    'cJSON': (r'(cjson/)?cJSON.*\.h', ['src/model/payload*.[ch]', 'src/sandbox/*.c']),
    'libcurl': (r'curl/.*\.h', ['src/io/http*.c', 'include/kapturefs/io/http_*.h']),
    'OpenSSL': (r'openssl/.*\.h', ['src/io/http_connection.c']),
    'SQLite': (r'sqlite3.*\.h', ['src/io/database*.c', 'include/kapturefs/io/database*.h',
                                 'src/store/cache*.c', 'include/kapturefs/store/cache_*.h']),
    'xxHash': (r'xxhash\.h', ['src/store/cache_seal.c', 'src/store/cache_gram.c']),
    'utf8proc': (r'utf8proc\.h', ['src/model/fold.c']),
    'Zstandard': (r'zstd\.h', ['src/store/cache_codec.c']),
    'libfuse': (r'fuse.*\.h|linux/fuse\.h|kapturefs/fs/libfuse\.h', [
        f'{place}/fs/{name}*.[ch]' for place in ('src', 'include/kapturefs')
        for name in ('libfuse', 'filesystem', 'request', 'session', 'channel', 'notifier',
                     'listings')]),
    'libmicrohttpd': (r'microhttpd.*\.h', ['src/sandbox/*.c']),
    'GnuTLS': (r'gnutls/.*\.h', ['src/sandbox/certificates.c', 'src/sandbox/delivery.c']),
    'zlib': (r'zlib\.h', ['src/sandbox/content.c', 'src/io/http_coding.c',
                         'include/kapturefs/io/http_coding.h']),
    'libuv': (r'uv.*\.h', ['src/io/http*.c', 'include/kapturefs/io/http*.h',
                           'src/io/turns.c', 'include/kapturefs/io/turns.h',
                           'src/io/processors.c', 'include/kapturefs/io/processors.h',
                           'src/store/*.[ch]', 'include/kapturefs/store/*.h',
                           'src/fs/*.[ch]', 'include/kapturefs/fs/*.h',
                           'src/command/*.[ch]', 'include/kapturefs/command/*.h']),
    'inih': (r'ini\.h', ['src/config/parse.c']),
    'ncurses': (r'(n?curses|term|panel|form|menu)\.h',
                ['src/command/top.c', 'src/command/top_draw.c']),
}


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
    sources.plant(tmp_path, 'src/store/catalog.c', '#include <sqlite3.h>\n')
    assert violations(tmp_path) == ['src/store/catalog.c: may not see SQLite (sqlite3.h)']
