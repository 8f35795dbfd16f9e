# SPDX-License-Identifier: MIT
"""The program is built so that a mistake in memory is hard to use, and each such flag takes effect.

What the linker has done is read from the program; what the compiler does, from a probe that is
compiled by the very command by which the program's own sources are.
"""

import json
import os
import pathlib
import platform
import re
import shlex
import subprocess

import elf
import pytest
import sources

BUILD = pathlib.Path(os.environ['KAPTUREFS']).parents[1]
PROBE = r'''
#include <stdlib.h>
#include <string.h>

int look(const char *text);
int frame(size_t size, const char *text);
char *copy(size_t size, const char *text, size_t length);

/* A variable that nobody has set, and a frame of many pages. */
int frame(size_t size, const char *text)
{
	volatile char unset[100 * 4096];

	return look(text) + unset[size];
}

/* A buffer whose size is known only when the program runs. */
char *copy(size_t size, const char *text, size_t length)
{
	char *buffer = malloc(size);

	if (buffer)
		memcpy(buffer, text, length);
	return buffer;
}
'''
# In the probe's assembly: how each protection is told.
PROTECTIONS = {
    '-fcf-protection=full': r'\bendbr64\b',
    '-fstack-clash-protection': r'orq\s+\$0, \(%rsp\)|orq\s+\$0, 4088\(%rsp\)',
    '-fstack-protector-strong': r'__stack_chk_fail',
    '-ftrivial-auto-var-init=zero': r'rep stosq|\bcall\s+memset',
    '-fzero-call-used-regs=used-gpr': r'xorl\s+%edx, %edx\n(?:\s+xorl.*\n)*(?:\s+\.\w+.*\n)*\s+ret',
    '-D_FORTIFY_SOURCE=3': r'__memcpy_chk',
}

amd64 = pytest.mark.skipif(platform.machine() != 'x86_64', reason='knows the code of amd64 alone')


def commands():
    """How each of the program's own sources is compiled."""
    entries = json.loads((BUILD / 'compile_commands.json').read_text())
    own = {pathlib.Path(BUILD, entry['file']).resolve(): shlex.split(entry['command'])
           for entry in entries}
    return {sources.name(sources.ROOT, path): command for path, command in own.items()
            if path.is_relative_to(sources.ROOT / 'src')}


def code(folder, command):
    """The assembly of the probe, compiled by a command for something else."""
    source = folder / 'probe.c'
    source.write_text(PROBE)
    words = [word for word in command if word not in ('ccache', '-MD', '-Werror')]
    for option in ('-MQ', '-MF', '-o', '-c'):
        at = words.index(option)
        del words[at:at + 2]
    target = folder / 'probe.s'
    subprocess.run([*words, '-w', '-S', '-o', target, source], cwd=BUILD, check=True)
    return target.read_text()


def unprotected(assembly):
    return [flag for flag, pattern in PROTECTIONS.items() if not re.search(pattern, assembly)]


@pytest.mark.parametrize('name', ['kapturefs', 'kapturefs-sandbox'])
def test_program_is_hardened(name):
    assert elf.weaknesses(pathlib.Path(os.environ['KAPTUREFS']).with_name(name)) == []


@amd64
def test_compiler_protects_what_it_compiles(tmp_path):
    """In clang 14 two of these are missing, and the build for tests may go without optimisation."""
    command = commands()['src/main.c']
    if 'gcc' not in command[:2] and 'cc' not in command[:2]:
        pytest.skip('only of gcc is the code known')
    assert unprotected(code(tmp_path, command)) == []


def test_every_source_is_compiled_with_the_same_protections():
    """The last word on a flag is the one that counts."""
    found = commands()
    assert len(found) > 150
    said = {name: tuple(word for word in command if re.match(
        r'-f(cf|stack|trivial|zero)|-[DU]_FORTIFY|-O', word)) for name, command in found.items()}
    assert set(said.values()) == {said['src/main.c']}


@amd64
@pytest.mark.parametrize('flag', PROTECTIONS)
def test_a_protection_that_is_taken_away_is_missed(tmp_path, flag):
    command = commands()['src/main.c']
    if flag not in command:
        pytest.skip('the compiler has none')
    assert unprotected(code(tmp_path, [word for word in command if word != flag])) == [flag]


GOOD = ['-O2', '-fPIE', '-pie', '-fstack-protector-strong', '-D_FORTIFY_SOURCE=3',
        '-Wl,-z,relro,-z,now', '-Wl,-z,noexecstack', '-Wl,-z,shstk']


def planted(folder, *words):
    """A small program, built well but for what the words say."""
    (folder / 'planted.c').write_text(
        '#include <stdio.h>\n#include <string.h>\nint main(int n, char **words)\n{\n'
        'char text[64];\nstrcpy(text, words[n - 1]);\nreturn puts(text);\n}\n')
    (folder / 'writable.s').write_text(
        '.section .writable, "awx"\n.byte 0\n.section .note.GNU-stack, ""\n')
    subprocess.run(['gcc', '-w', *GOOD, *words, 'planted.c', '-o', 'planted'], cwd=folder,
                   check=True)
    return folder / 'planted'


@pytest.mark.parametrize('words, lack', [
    (['-no-pie', '-fno-pie'], 'a place that is chosen anew each time (PIE)'),
    (['-Wl,-z,lazy'], 'all symbols bound at the start (now)'),
    (['-Wl,-z,norelro'], 'tables that are read-only after the start (relro)'),
    (['-Wl,-z,execstack'], 'a stack that is no code'),
    (['writable.s'], 'code that cannot be written to'),
    (['-Wl,-rpath,/tmp'], 'libraries from the system alone'),
    (['-fno-stack-protector'], 'guards on the stack'),
    (['-U_FORTIFY_SOURCE'], 'checked copies'),
    (['-Wl,--no-as-needed', '-lm'], 'a use for /lib/x86_64-linux-gnu/libm.so.6'),
])
@amd64
def test_a_program_that_is_built_without_is_found(tmp_path, words, lack):
    assert elf.weaknesses(planted(tmp_path, *words)) == [lack]


@amd64
def test_a_program_that_is_built_with_all_lacks_nothing(tmp_path):
    assert elf.weaknesses(planted(tmp_path)) == []
