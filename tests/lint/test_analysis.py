# SPDX-License-Identifier: MIT
"""What analyzers find in the program and in the shell scripts is mended, or has its reason here.

gcc's analyzer follows each path through a function, as it is compiled for the program; it knows
scope cleanup, as clang's does not, and takes a fifth of the time. cppcheck reads the sources by
themselves. Another gcc has other false alarms: the one of Debian 12 is asked.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest
import sources

BUILD = pathlib.Path(os.environ['KAPTUREFS']).parents[1]

# What is not asked for, and why.
GCC_NOT = {
    'malloc-leak': 'what is stored in a structure that came from elsewhere counts as lost; leaks '
                   'are found by the sanitizers, under every failure of memory (test_allocations)',
}
CPPCHECK_NOT = {
    'memleak': 'it does not know that cleanup() frees at the end of a scope; the sanitizers do',
    'varFuncNullUB': 'NULL is a pointer with every C library of Linux',
    '*:/usr/include/*': 'headers of others',
}


def gcc_version():
    words = subprocess.run(['gcc', '-dumpversion'], capture_output=True, text=True, check=False)
    return words.stdout.strip().split('.')[0]


with_gcc = pytest.mark.skipif(not shutil.which('gcc') or gcc_version() != '12',
                              reason='is judged by gcc 12')
with_cppcheck = pytest.mark.skipif(not shutil.which('cppcheck'), reason='no cppcheck')
with_shellcheck = pytest.mark.skipif(not shutil.which('shellcheck'), reason='no shellcheck')


# gcc

def commands():
    """(path, words) for each of the program's sources."""
    for entry in json.loads((BUILD / 'compile_commands.json').read_text()):
        path = pathlib.Path(BUILD, entry['file']).resolve()
        if path.is_relative_to(sources.ROOT / 'src'):
            yield path, shlex.split(entry['command'])


def analyze(path, words, target):
    """What the analyzer says of a file, a line each. ccache remembers it of what it has seen."""
    kept = [word for word in words
            if word not in ('-MD', '-Werror', '-fdiagnostics-color=always')]
    for option in ('-MQ', '-MF', '-o', '-c'):
        at = kept.index(option)
        del kept[at:at + 2]
    output = subprocess.run(
        [*kept, '-fanalyzer', '-fdiagnostics-plain-output',
         *(f'-Wno-analyzer-{name}' for name in GCC_NOT), '-o', target, '-c', path],
        cwd=BUILD, capture_output=True, text=True, check=False).stderr
    return re.findall(r'^\S+?([\w.]+:\d+:\d+: (?:warning|error): .*)$', output, re.MULTILINE)


@with_gcc
def test_gcc_finds_nothing_in_the_program(tmp_path):
    found = dict(commands())
    assert len(found) > 150
    if 'gcc' not in found[sources.ROOT / 'src/main.c'][:2]:
        pytest.skip('the build is of another compiler')
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda item: analyze(item[1][0], item[1][1], tmp_path / f'{item[0]}.o'),
                           enumerate(found.items()))
        assert [line for lines in results for line in lines] == []


PLANTED = {
    'double-free': 'void f(char *p) { free(p); free(p); }',
    'use-after-free': 'char f(char *p) { free(p); return *p; }',
    'null-dereference': 'int f(int *p) { if (!p) return *p; return 0; }',
    'possible-null-dereference': 'char *f(int n) { char *p = malloc(9); *p = (char)n; return p; }',
    'use-of-uninitialized-value': 'int g(void); int f(int n) { int i; if (n > 2) i = g(); '
                                  'return i; }',
}


@with_gcc
@pytest.mark.parametrize('name', PLANTED)
def test_gcc_finds_what_is_planted(tmp_path, name):
    planted = sources.plant(tmp_path, 'planted.c', f'#include <stdlib.h>\n{PLANTED[name]}\n')
    words = dict(commands())[sources.ROOT / 'src/main.c']
    if 'gcc' not in words[:2]:
        pytest.skip('the build is of another compiler')
    assert f'-Wanalyzer-{name}]' in '\n'.join(analyze(planted, words, tmp_path / 'planted.o'))


# cppcheck

def cppcheck(root, *paths):
    output = subprocess.run(
        ['cppcheck', '--quiet', '-j', str(os.cpu_count()),
         '--enable=warning,performance,portability',
         *(f'--suppress={name}' for name in CPPCHECK_NOT), '-D_GNU_SOURCE', '-D__linux__', '-I',
         sources.ROOT / 'include', '--template={file}:{line}: {id}: {message}', *paths],
        cwd=root, capture_output=True, text=True, check=False)
    assert output.returncode == 0, output.stdout + output.stderr
    return output.stderr.splitlines()


@with_cppcheck
def test_cppcheck_finds_nothing_in_the_program():
    assert cppcheck(sources.ROOT, 'src') == []


@with_cppcheck
def test_cppcheck_finds_what_is_planted(tmp_path):
    sources.plant(tmp_path, 'src/planted.c', '#include <stdio.h>\n#include <string.h>\n'
                  'void f(int n);\nvoid f(int n)\n{\n\tchar text[4];\n\n\ttext[4] = (char)n;\n'
                  '\tprintf("%s", n);\n}\nvoid g(FILE *file);\n'
                  'void g(FILE *file)\n{\n\tfclose(file);\n\tfclose(file);\n}\n')
    found = {line.split(': ')[1] for line in cppcheck(tmp_path, 'src')}
    assert {'arrayIndexOutOfBounds', 'invalidPrintfArgType_s', 'doubleFree'} <= found


# Shell

def scripts(root):
    """Whatever a shell runs, by its first line."""
    places = [path for path in root.iterdir() if path.is_file()]
    places += [path for folder in ('src', 'tests', '.ci') if (root / folder).is_dir()
               for path in (root / folder).rglob('*') if path.is_file()]
    for path in sorted(places):
        with path.open('rb') as file:
            if re.match(rb'#!.*\b(ba)?sh\b', file.readline()):
                yield path


def shellcheck(root):
    output = subprocess.run(['shellcheck', '--format=gcc', '--external-sources',
                             *(path.relative_to(root) for path in scripts(root))],
                            cwd=root, capture_output=True, text=True, check=False).stdout
    return output.splitlines()


def unexplained(root):
    """Where an analyzer is told to be silent, and nobody says why."""
    kinds = [(scripts(root), r'# shellcheck disable=.*', r'disable=[\w,]+ # \S'),
             (sources.files(root, 'src', 'include'),
              r'.*(?:cppcheck-suppress|NOLINT|pragma GCC diagnostic ignored).*',
              r'(?:ignored "\S+" /\* |cppcheck-suppress \w+ ; |NOLINT\(\S+\): )\w')]
    return [f'{path.name}: {line}' for paths, silence, reason in kinds for path in paths
            for line in re.findall(silence, path.read_text()) if not re.search(reason, line)]


@with_shellcheck
def test_shellcheck_finds_nothing_in_the_scripts():
    assert len(list(scripts(sources.ROOT))) >= 7
    assert shellcheck(sources.ROOT) == []


@with_shellcheck
def test_shellcheck_finds_what_is_planted(tmp_path):
    sources.plant(tmp_path, 'bootstrap', '#!/bin/bash\nrm -rf $1/*\n')
    assert 'SC2086' in '\n'.join(shellcheck(tmp_path))


def test_nothing_is_waved_through_without_a_reason():
    assert unexplained(sources.ROOT) == []


def test_a_silence_without_a_reason_is_found(tmp_path):
    sources.plant(tmp_path, 'bootstrap', '#!/bin/sh\n# shellcheck disable=SC2016\n'
                  '# shellcheck disable=SC2086 # words are wanted\n')
    sources.plant(tmp_path, 'src/a.c', '/* cppcheck-suppress nullPointer */\n'
                  '/* cppcheck-suppress nullPointer ; is checked above */\n'
                  '#pragma GCC diagnostic ignored "-Wvla"\n')
    assert len(unexplained(tmp_path)) == 3
