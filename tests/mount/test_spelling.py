# SPDX-License-Identifier: MIT
"""Commands and options that were misspelt, and words that are meant as they stand."""

import os
import subprocess

import pytest

import harness
from harness import TOKEN, command
from test_command_line import URL, refused, unchanged    # noqa: F401


# A word that is near the name of a command, and the command.
NEAR = {'stats': 'status', 'statsu': 'status', 'STATUS': 'status', 'stat': 'status',
        'unmount': 'umount', 'umuont': 'umount', 'gte': 'get', 'warn': 'warm', 'refersh': 'refresh',
        'find': 'find', 'fnid': 'find', 'why': 'why', 'watch': 'watch', 'fleet': 'fleet',
        'hlep': 'help', 'versoin': 'version'}


@pytest.mark.parametrize('line', [
    '{word} {mnt} -o {options}', '-o {options} {word} {mnt}', '-o{options} -- {word} {mnt}',
    '-d {word} {mnt} 12 --json', '{word} --json {mnt}', '{word}'])
@pytest.mark.parametrize('word', NEAR)
def test_source_that_is_near_a_command_names_it_and_mounts_nothing(unchanged, word, line):
    arguments = line.format(word=word, mnt=unchanged / 'mnt',
                            options=f'token_file={unchanged}/token')
    said = refused(command(*arguments.split()), (2,), NEAR[word])
    assert f'kapturefs mount {word} ' in said


@pytest.mark.parametrize('name', ['status', 'refresh', 'umount', 'doctor'])
def test_command_behind_its_options_is_no_source(unchanged, name):
    refused(command('-o', f'token_file={unchanged}/token', name, unchanged / 'mnt'), (2,),
            f'kapturefs {name}')


def test_source_that_is_near_a_command_reads_no_token(unchanged):
    """The file would be complained of."""
    (unchanged / 'token').chmod(0o644)
    assert 'chmod' not in refused(command('stats', unchanged / 'mnt', '-o',
                                          f'token_file={unchanged}/token'), (2,), 'status')
    (unchanged / 'token').chmod(0o600)


# The mount point that is missing is what comes next.
@pytest.mark.parametrize('line', [
    'mount stats', 'attach stats', '-o rw stats', '-o ro,nodev stats',
    '-o _netdev stats', '-o x-systemd.automount stats', 'stats.kapturecrm.com',
    'https://stats.kapturecrm.com', 'acme', 'station', 'docks', 'gear', 'finder-org'])
def test_source_that_is_meant_is_taken(unchanged, line):
    refused(command(*line.split(), unchanged / 'none', '-o', f'token_file={unchanged}/token'),
            (1, 2), unchanged / 'none', 'no such directory')


@pytest.mark.parametrize('section', ['stats', 'stats.kapturecrm.com',
                                     'https://stats.kapturecrm.com'])
def test_source_that_the_configuration_has_is_taken(scratch, section):
    harness.write_token(scratch)
    path = scratch / 'config'
    path.write_text(f'[{section}]\ntoken_file = token\n')
    path.chmod(0o600)
    refused(command('-o', f'config={path}', 'stats', scratch / 'none'), (1, 2), scratch / 'none',
            'no such directory')
    refused(command('-o', f'config={path}', 'statsu', scratch / 'none'), (2,), 'status')


@pytest.fixture
def helper(tmp_path_factory):
    """The program by the name by which mount(8) calls it."""
    path = tmp_path_factory.mktemp('helper') / 'mount.kapturefs'
    path.symlink_to(os.path.abspath(harness.BINARY))
    return path


def test_mount_helper_is_explicit(unchanged, helper):
    result = subprocess.run([helper, 'stats', unchanged / 'none', '-o',
                             f'token_file={unchanged}/token'], capture_output=True, text=True,
                            timeout=30, check=False)
    refused(result, (1, 2), unchanged / 'none', 'no such directory')


# Flags that there are none of: what stands there, what is said.
FLAGS = {'--foreground': '-f', '--debug': '-d', '--ttl=5': '-o ttl=', '--token-file=x':
         '-o token_file=', '--offline': '-o offline', '--tttl': '-o ttl=', '--nonsense': '--help',
         '-Z': '-Z', f'--token={TOKEN}': 'token_file=PATH'}


@pytest.mark.parametrize('flag', FLAGS)
@pytest.mark.parametrize('first', [(), ('mount',), ('acme',), ('-f', 'acme')])
def test_flag_that_is_none_is_named_with_what_is_meant(unchanged, flag, first):
    rest = ['acme', unchanged / 'mnt'] if 'acme' not in first else [unchanged / 'mnt']
    line = refused(command(*first, flag, *rest), (2,), FLAGS[flag])
    if 'token=' not in flag:
        assert flag.split('=')[0] in line


def test_two_dashes_end_the_options(unchanged):
    (unchanged / '-mnt').mkdir()
    try:
        for words in (['--', URL, '-x'], ['mount', '--', URL, '-x'], [URL, '--', '-x'],
                      ['-f', '--', URL, '-x']):
            refused(command(*words, cwd=unchanged), (1, 2), '-x: no such directory')
        assert 'sandbox' in command('help', '--', 'sandbox').stdout
    finally:
        (unchanged / '-mnt').rmdir()


def test_help_is_a_word_too():
    assert command('help').stdout == command('--help').stdout == command('-f', '--help').stdout
    assert command('help', 'warm').stdout == command('warm', '--help').stdout
    assert command('version').stdout == command('--version').stdout
    refused(command('help', 'stats'), (2,), 'stats', 'status')
    refused(command('help', 'nonsense'), (2,), 'nonsense')
    refused(command('help', 'get', 'warm'), (2,), 'COMMAND')
    refused(command('version', 'x'), (2,), 'x')


# Every command with an option that it does not have: one line that names both.
COMMANDS = ['attach', 'get', 'refresh', 'forget', 'warm', 'export', 'status', 'top', 'umount',
            'doctor', 'sandbox']


@pytest.mark.parametrize('name', COMMANDS)
@pytest.mark.parametrize('flag', ['--nonsense', '-Z'])
def test_every_command_names_the_option_that_it_does_not_have(name, flag):
    refused(command(name, flag), (2,), flag, 'unknown option')


def test_values_and_operands_that_lack_or_are_too_many_are_one_line(unchanged, helper):
    refused(command('sandbox', '--port'), (2,), '--port', 'needs a value')
    refused(command('sandbox', 'more'), (2,), 'more')
    refused(command('version', '--', 'more'), (2,), 'more')
    assert command('version', '--').stdout == command('version').stdout
    assert command('--check-config', '--', '/dev/null').returncode == 0
    for words, said in ((['-Z'], '-Z: unknown option'), (['-o'], '-o: needs a value'),
                        (['--foreground'], 'unknown option')):
        result = subprocess.run([helper, 'acme', unchanged / 'mnt', *words], text=True,
                                capture_output=True, timeout=30, check=False)
        refused(result, (2,), said)
