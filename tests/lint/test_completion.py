# SPDX-License-Identifier: MIT
"""Completion offers what --help lists, in the three shells."""

import os
import pathlib
import re
import subprocess

import pytest
import sources

COMPLETIONS = sources.ROOT / 'src' / 'install' / 'completions'
PROGRAM = pathlib.Path(os.environ['KAPTUREFS'])


@pytest.fixture(scope='module')
def listed():
    """(commands, options) of --help, read in a way of its own."""
    text = subprocess.run([PROGRAM, '--help'], capture_output=True, text=True, check=True).stdout
    head, options = text.split('\noptions of -o:\n')
    commands = {match for line in head.splitlines()
                for match in re.findall(r'^       kapturefs ([a-z]+)', line)}
    return commands | {'mount'}, {line.split()[0] for line in options.splitlines() if line}


def offered(line):
    """What bash offers for a line that ends in the cursor."""
    script = '''
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        read -ra COMP_WORDS <<<"$2"
        _kapturefs
        printf '%s\\n' "${COMPREPLY[@]}"
    '''
    result = subprocess.run(
        ['bash', '-c', script, 'bash', COMPLETIONS / 'kapturefs.bash', line], text=True,
        capture_output=True, timeout=30, check=False, cwd=PROGRAM.parent,
        env={**os.environ, 'PATH': f'{PROGRAM.parent}:{os.environ["PATH"]}'})
    assert result.stderr == ''
    return {word for word in result.stdout.splitlines() if word}


def named(options):
    """Options as they are offered: `ttl=`, `offline`."""
    return {re.sub(r'=.*', '=', option) for option in options}


def test_bash_offers_every_command(listed):
    assert offered('kapturefs ') == listed[0]
    assert offered('kapturefs san') == {'sandbox'}


def test_bash_offers_every_option(listed):
    assert offered('kapturefs -o ') == named(listed[1])
    assert offered('kapturefs mount -o ') == named(listed[1])
    assert offered('kapturefs -o tt') == {'ttl='}


def test_bash_offers_what_may_follow_in_a_list():
    assert offered('kapturefs -o offline,tt') == {'offline,ttl='}
    # bash replaces only what stands behind the last `=`.
    assert offered('kapturefs -o ttl=3,off') == {'3,offline'}


def test_bash_offers_files_where_a_path_is_meant(tmp_path):
    (tmp_path / 'token').write_text('')
    assert offered(f'kapturefs -o token_file={tmp_path}/tok') == {f'{tmp_path}/token'}
    assert offered(f'kapturefs -o ttl={tmp_path}/tok') == set()


def test_bash_offers_the_flags_of_the_command():
    assert {'--port', '--customers'} <= offered('kapturefs sandbox --')
    assert '--port' not in offered('kapturefs demo --')
    assert {'-f', '-d', '-o'} <= offered('kapturefs -')


def test_fish_offers_the_same(listed):
    def fish(line):
        result = subprocess.run(
            ['fish', '--no-config', '-c',
             f'source {COMPLETIONS}/kapturefs.fish; complete -C {line!r}'],
            capture_output=True, text=True, timeout=60, check=True,
            env={**os.environ, 'PATH': f'{PROGRAM.parent}:{os.environ["PATH"]}'})
        return {entry.split('\t')[0] for entry in result.stdout.splitlines()}
    assert listed[0] <= fish('kapturefs ')
    assert fish('kapturefs -o ') == named(listed[1])
    assert fish('kapturefs -o ttl=3,offl') == {'ttl=3,offline'}


def test_zsh_understands_its_file_and_reads_the_options(listed):
    script = '''
        _call_program() { shift; "$@" }
        _values() { shift 3; print -rl -- "$@" }
        _arguments() { print -rl -- "$@" }
        service=kapturefs
        autoload -U +X $1
        source $1
        _kapturefs_options
    '''
    result = subprocess.run(
        ['zsh', '-f', '-c', script, 'zsh', COMPLETIONS / '_kapturefs'], capture_output=True,
        text=True, timeout=60, check=False,
        env={**os.environ, 'PATH': f'{PROGRAM.parent}:{os.environ["PATH"]}'})
    lines = result.stdout.splitlines()
    assert {re.split(r'\[', line)[0] for line in lines if re.match(r'[a-z_]+\[', line)} == {
        option.split('=')[0] for option in listed[1]}, result.stderr
    assert any(line.startswith('1:command') and 'sandbox' in line for line in lines)
