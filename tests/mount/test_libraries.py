# SPDX-License-Identifier: MIT
"""A library that is older than what the program was built for is named at the start."""

import os
import pathlib
import re
import subprocess

import pytest

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
CURL = '''
#include <curl/curl.h>

curl_version_info_data *curl_version_info(CURLversion now)
{
	static curl_version_info_data data = { .version = "%s", .ssl_version = "%s" };

	return &data;
}
'''
# What an old library would say, in the place of the one that is there.
OLD = {
    'libfuse': ('3.13.1', 'const char *fuse_pkgversion(void) { return "3.13.1"; }'),
    'cJSON': ('1.7.14', 'const char *cJSON_Version(void) { return "1.7.14"; }'),
    'SQLite': ('3.39.4', 'const char *sqlite3_libversion(void) { return "3.39.4"; }'),
    'zstd': ('1.3.8', 'const char *ZSTD_versionString(void) { return "1.3.8"; }'),
    'libuv': ('1.9.1', 'const char *uv_version_string(void) { return "1.9.1"; }'),
    'libcurl': ('7.87.0', CURL % ('7.87.0', 'OpenSSL/3.0.2')),
    'OpenSSL': ('1.1.1w', CURL % ('8.1.0', 'OpenSSL/1.1.1w')),
}
NEEDED = {'libfuse': 'fuse3', 'libcurl': 'libcurl', 'OpenSSL': 'libssl', 'cJSON': 'libcjson',
          'SQLite': 'sqlite3', 'zstd': 'libzstd', 'libuv': 'libuv'}


@pytest.fixture
def instead(tmp_path):
    """Runs the program with a function of its libraries replaced."""
    def run(code, *words):
        source, library = tmp_path / 'old.c', tmp_path / 'old.so'
        source.write_text(code)
        subprocess.run(['gcc', '-w', '-shared', '-fPIC', source, '-o', library], check=True)
        # A sanitizer wants to be the first library.
        options = os.environ.get('ASAN_OPTIONS', '') + ':verify_asan_link_order=0'
        return subprocess.run([harness.BINARY, *words], capture_output=True, text=True,
                              check=False, timeout=30, stdin=subprocess.DEVNULL,
                              env={**os.environ, 'LD_PRELOAD': str(library),
                                   'ASAN_OPTIONS': options})
    return run


def needed(name):
    """As meson.build has it."""
    text = (ROOT / 'meson.build').read_text()
    return re.search(rf"dependency\('{NEEDED[name]}', version: '>= ([\d.]+)'", text)[1]


@pytest.mark.parametrize('name', OLD)
def test_a_library_that_is_too_old_is_named_with_what_is_needed(instead, name, tmp_path):
    found, code = OLD[name]
    result = instead(code, 'status')
    assert (result.returncode, result.stdout) == (5, '')
    assert result.stderr == (
        f'kapturefs: the library {name} is {found}, and {needed(name)} or newer is needed; fix: '
        f'upgrade its package (ldd says where it is loaded from)\n')
    assert instead(code, 'acme', str(tmp_path)).returncode == 1


@pytest.mark.parametrize('version', ['3.40', '3.100.0', '4', '3.40.1-7+custom'])
def test_a_library_that_is_new_enough_is_not(instead, version):
    code = f'const char *sqlite3_libversion(void) {{ return "{version}"; }}'
    result = instead(code, 'version')
    assert (result.returncode, result.stderr) == (0, '')
