# SPDX-License-Identifier: MIT
"""The configuration file: what it says is done, what is wrong with it is told with its place."""

import os
import subprocess

import pytest

import harness
from harness import TOKEN, command


MISSING = ('No such file or directory; write the API token into it, as Kapture issued it, and run '
           'chmod 600 on it')
BLANK = 'a blank in it, which no token has; write the token alone'


def configure(scratch, text, name='config', mode=0o600):
    """Write a configuration file; returns its path."""
    path = scratch / name
    path.write_text(text)
    path.chmod(mode)
    return path


def check(path, environment=None):
    """What --check-config says: (status, lines on standard output, lines on standard error)."""
    result = command('--check-config', *([path] if path else []), environment=environment)
    assert TOKEN not in result.stdout + result.stderr
    return result.returncode, result.stdout.splitlines(), result.stderr.splitlines()


# --check-config

def test_each_section_that_is_right_is_a_line(scratch):
    harness.write_token(scratch)
    path = configure(scratch, 'ttl = 5\n[acme]\ntoken_file = token\n[crm.example.com]\n')
    assert check(path) == (0, [f'{path}: [acme] ok', f'{path}: [crm.example.com] ok'], [])


def test_a_file_without_sections_can_be_right(scratch):
    path = configure(scratch, 'ttl = 5\n')
    assert check(path) == (0, [f'{path}: ok, no section'], [])


def test_every_section_with_a_bad_secret_file_is_told_with_the_line(scratch):
    harness.write_token(scratch)
    open_to_all = harness.write_token(scratch, mode=0o644).rename(scratch / 'open')
    harness.write_token(scratch)
    path = configure(scratch, '[acme]\nttl = 5\ntoken_file = none\n'
                     '[good]\ntoken_file = token\n[other]\nheader_file = open\n')
    assert check(path) == (2, [f'{path}: [good] ok'], [
        f'kapturefs: {path}:3: [acme]: token_file={scratch}/none: {MISSING}',
        f'kapturefs: {path}:7: [other]: header_file={open_to_all}: others may use it; run chmod '
        '600 on it, and consider known what it holds'])


def test_token_that_can_be_none_is_told_with_the_line(scratch):
    harness.write_token(scratch, f'{TOKEN[:9]} {TOKEN[9:]}')
    path = configure(scratch, '[acme]\ntoken_file = token\n')
    assert check(path) == (2, [], [
        f'kapturefs: {path}:2: [acme]: token_file={scratch}/token: {BLANK}'])


def test_a_bad_secret_file_for_all_is_told_with_its_line(scratch):
    path = configure(scratch, 'token_file = none\n')
    assert check(path) == (2, [], [
        f'kapturefs: {path}:1: token_file={scratch}/none: {MISSING}'])


@pytest.mark.parametrize('text, line, words', [
    ('ttl = 1\nnonsense = 1\n', 2, 'unknown option nonsense'),
    ('[acme]\n\nttl = x\n', 3, 'option ttl=x'),
    (f'token = {TOKEN}\n', 1, 'token_file=PATH'),
    ('[acme]\n[acme.kapturecrm.com]\n', 2, '[acme] in line 1'),
    ('[acme\n', 1, ']'),
    ('offline\n', 1, 'option = value'),
])
def test_a_mistake_is_one_line_with_file_line_and_option(scratch, text, line, words):
    path = configure(scratch, text)
    status, output, (complaint,) = check(path)
    assert (status, output) == (2, [])
    assert complaint.startswith(f'kapturefs: {path}:{line}: ')
    assert words in complaint


def test_a_file_that_others_may_write_is_refused(scratch):
    path = configure(scratch, '', mode=0o666)
    assert check(path) == (2, [], [f'kapturefs: {path}: others may write to it; run chmod go-w '
                                   f'{path}'])


def test_a_file_that_is_missing_is_exit_2(scratch):
    assert check(scratch / 'none') == (2, [], [
        f'kapturefs: {scratch}/none: No such file or directory'])


def test_without_a_name_the_file_that_would_be_read_is_checked(scratch):
    (scratch / 'kapturefs').mkdir()
    path = configure(scratch, '[acme]\n', 'kapturefs/config')
    assert check(None, {'XDG_CONFIG_HOME': str(scratch)}) == (0, [f'{path}: [acme] ok'], [])


def test_more_than_one_file_makes_no_sense(scratch):
    path = configure(scratch, '')
    assert command('--check-config', path, path).returncode == 2


# Mounting

@pytest.fixture
def configured(scratch, api):
    """Mounts with nothing on the command line but what the test gives; unmounts at the end."""
    harness.write_token(scratch)
    (scratch / 'kapturefs').mkdir()

    def mount(text, options=None):
        configure(scratch, text, 'kapturefs/config')
        return command(*(['-o', options] if options else []), api.url, scratch / 'mnt',
                       environment={'XDG_CONFIG_HOME': str(scratch)})
    yield mount
    if harness.mount_entry(scratch / 'mnt'):
        subprocess.run(['fusermount3', '-u', str(scratch / 'mnt')], check=True, timeout=30)
    harness.wait_until(lambda: not (scratch / 'cache.db-wal').exists(), 'the daemon ends')


def test_a_mount_needs_no_option_but_what_its_section_says(configured, scratch, api):
    api.add_numbers([7])
    result = configured(f'[{api.url}]\ntoken_file = ../token\ncache = ../cache.db\numask = 0377\n'
                        '[acme]\nttl = 1\n')
    assert (result.returncode, result.stderr) == (0, '')
    assert (scratch / 'mnt/by-id/7/name').read_text() == 'Customer 7\n'
    assert os.stat(scratch / 'mnt/by-id/7').st_mode & 0o777 == 0o400
    assert (scratch / 'cache.db').exists()


def test_the_command_line_wins(configured, scratch, api):
    result = configured(f'[{api.url}]\ntoken_file = none\ncache = ../cache.db\n',
                        f'token_file={scratch}/token')
    assert (result.returncode, result.stderr) == (0, '')


def test_a_mistake_in_the_file_mounts_nothing(configured, scratch, api):
    result = configured(f'[{api.url}]\ntoken_file = ../token\n[acme]\nttl = x\n')
    assert result.returncode == 2
    assert result.stderr == (f'kapturefs: {scratch}/kapturefs/config:4: option ttl=x: give a '
                             'number from 0 to 864000000\n')
    assert harness.mount_entry(scratch / 'mnt') is None


def test_a_file_that_is_named_must_exist(scratch):
    result = command('-o', f'config={scratch}/none', 'acme', scratch / 'mnt')
    assert (result.returncode, result.stderr) == (
        2, f'kapturefs: {scratch}/none: No such file or directory\n')


def test_the_token_for_all_is_not_for_a_source_without_a_section(scratch, api):
    harness.write_token(scratch)
    path = configure(scratch, f'token_file = token\n[acme]\ncache = cache.db\n')
    for words in ([api.url, scratch / 'mnt'], ['acne', scratch / 'mnt']):
        result = command('-o', f'config={path}', *words)
        assert (result.returncode, result.stdout) == (2, '')
        assert result.stderr == (f'kapturefs: {path}:1: token_file is for the sources that have a '
                                 f'section; add [{words[0]}], or give -o token_file=PATH\n')
    result = command('get', '-o', f'config={path}', api.url, 'id:7')
    assert result.returncode == 2 and 'have a section' in result.stderr
    assert api.requests == []


def test_no_file_at_all_is_meant_by_the_null_device(scratch, api):
    """The user's file would be a mistake."""
    (scratch / 'kapturefs').mkdir()
    configure(scratch, 'nonsense = 1\n', name='kapturefs/config')
    harness.write_token(scratch)
    environment = {'XDG_CONFIG_HOME': str(scratch)}
    options = f'token_file={scratch}/token,cache=:memory:'
    api.add_numbers([7])
    assert 'nonsense' in command('get', '-o', options, api.url, 'id:7',
                                 environment=environment).stderr
    result = command('get', '-o', f'{options},config=/dev/null', api.url, 'id:7',
                     environment=environment)
    assert (result.returncode, result.stderr) == (0, '')
    assert check('/dev/null') == (0, ['/dev/null: ok, no section'], [])


def test_a_tilde_is_the_home_directory_and_a_hash_begins_a_comment(scratch, api):
    harness.write_token(scratch)
    api.add_numbers([7])
    configure(scratch, f'[{api.url}] # mine\ntoken_file = ~/token   # not readable by others\n'
              'cache = ~/c.db ; here\nttl = 5m\ncache_size = 10GiB\n')
    result = command('get', '-o', 'config=~/config', api.url, 'id:7', cwd='/',
                     environment={'HOME': str(scratch)})
    assert (result.returncode, result.stderr) == (0, '')
    assert (scratch / 'c.db').exists()
    assert not any('~' in path.name for path in scratch.iterdir())
