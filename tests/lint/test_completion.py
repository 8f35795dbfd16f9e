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
    return commands | {'mount'}, set(re.findall(r'^  ([a-z]\S*)', options, re.MULTILINE))


@pytest.fixture(scope='module')
def flags(listed):
    """The flags of each command, from the synopsis in its own --help."""
    return {command: set(re.findall(r'(?<=\[)--?[a-z][a-z-]*', subprocess.run(
        [PROGRAM, command, '--help'], capture_output=True, text=True,
        check=True).stdout.split('\n\n')[0])) for command in listed[0]}


def test_the_table_of_commands_is_what_help_lists(listed):
    table = (sources.ROOT / 'src/main.c').read_text().split('commands[] = {')[1].split('\n};')[0]
    assert set(re.findall(r'^\t\{ "(\w+)", command_', table, re.MULTILINE)) == listed[0]


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


def test_bash_offers_names_of_files_as_words_that_the_shell_runs_nothing_of(tmp_path):
    names = ['token;touch made', 'token$(touch made)', 'token`touch made`', "token'", 'token|x',
             'token %s', 'token\\n', 'token\x1b[31m']
    for name in names:
        (tmp_path / name).write_text('')
    words = offered(f'kapturefs -o token_file={tmp_path}/tok')
    read = subprocess.run(['bash', '-c', 'eval "words=($1)"; printf "%s\\n" "${words[@]}"', 'bash',
                           ' '.join(words)], capture_output=True, text=True, check=True,
                          cwd=tmp_path, timeout=30)
    assert set(read.stdout.splitlines()) == {f'{tmp_path}/{name}' for name in names}
    assert not (tmp_path / 'made').exists()
    assert not any('\x1b' in word for word in words)


def test_bash_offers_the_flags_of_each_command(flags):
    for command, expected in flags.items():
        assert offered(f'kapturefs {command} -') == expected | {'--help'}
    assert offered('kapturefs -') == flags['mount'] | {'--help', '--version', '--check-config'}


def fish(*lines):
    """What fish offers for each of the lines; it takes its time to start."""
    script = f'source {COMPLETIONS}/kapturefs.fish\n' + ''.join(
        f'complete -C {line!r}; echo "end of line"\n' for line in lines)
    result = subprocess.run(
        ['fish', '--no-config', '-c', script], capture_output=True, text=True, timeout=120,
        check=True, env={**os.environ, 'PATH': f'{PROGRAM.parent}:{os.environ["PATH"]}'})
    assert result.stderr == ''
    return [{entry.split('\t')[0] for entry in part.splitlines() if entry}
            for part in result.stdout.split('end of line\n')[:-1]]


def test_fish_offers_the_same(listed):
    commands, options, last = fish('kapturefs ', 'kapturefs -o ', 'kapturefs -o ttl=3,offl')
    assert listed[0] <= commands
    assert options == named(listed[1])
    assert last == {'ttl=3,offline'}


def test_fish_offers_the_flags_of_each_command(flags):
    offers = fish('kapturefs -', *(f'kapturefs {command} -' for command in flags))
    assert offers == [flags['mount'] | {'--help', '--version', '--check-config'},
                      *(expected | {'--help'} for expected in flags.values())]


def zsh(script, *words):
    """What zsh prints of a script, for which its file prints what it would offer."""
    script = """
        _call_program() { shift; "$@" }
        _values() { shift 3; print -rl -- "$@" }
        _arguments() { print -rl -- "$@" }
        service=kapturefs
        words=(kapturefs "$@[2,-1]") CURRENT=$#words
        autoload -U +X $1
        source $1
    """ + script
    result = subprocess.run(
        ['zsh', '-f', '-c', script, 'zsh', COMPLETIONS / '_kapturefs', *words], text=True,
        capture_output=True, timeout=60, check=False,
        env={**os.environ, 'PATH': f'{PROGRAM.parent}:{os.environ["PATH"]}'})
    return result.stdout.splitlines()


def test_zsh_offers_the_flags_of_each_command(flags):
    for command, expected in flags.items():
        lines = zsh('', command, '-')
        matches = (re.match(r'(?:\(.*\)|\*)?(--?[a-z-]+)', line) for line in lines)
        assert {match[1] for match in matches if match} == expected | {'--help'}, command


def test_zsh_understands_its_file_and_reads_the_options(listed):
    lines = zsh('_kapturefs_options', '')
    assert {re.split(r'\[', line)[0] for line in lines if re.match(r'[a-z_]+\[', line)} == {
        option.split('=')[0] for option in listed[1]}
    assert any(line.startswith('1:command') and all(command in line for command in listed[0])
               for line in lines)
