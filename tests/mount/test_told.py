# SPDX-License-Identifier: MIT
"""Whatever others have chosen, keys, paths, names, texts of the API, no terminal obeys it.

Escape sequences, C1 controls, bidirectional overrides and bytes that are no text, in each place
from which a command quotes.
"""

import json
import os
import re
import subprocess

import pytest

import foreign
import forger
import harness
import terminal
from api import Reply, customer

BAD = f'a{forger.TRAP}\udc9bb'      # the last one is no UTF-8
OBEYED = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffd]')


def told(*words, **more):
    """What the command says, which must be something and obeyed by no terminal."""
    result = subprocess.run([harness.BINARY, *map(str, words)], capture_output=True, timeout=30,
                            check=False, **{'stdin': subprocess.DEVNULL, **more})
    text = (result.stdout + result.stderr).decode()
    assert result.returncode != 0 and text, words
    assert not OBEYED.search(text), (words, text)
    # What is quoted is one line with what it stands in.
    assert all(line.startswith(('kapturefs: ', 'mount.kapturefs: '))
               for line in result.stderr.decode().splitlines()), text
    return text


COMMANDS = ['mount', 'attach', 'get', 'refresh', 'forget', 'warm', 'export', 'status', 'top',
            'umount', 'doctor', 'demo', 'help', 'version', 'sandbox']


@pytest.mark.parametrize('command', COMMANDS)
@pytest.mark.parametrize('word', [BAD, f'--{BAD}', f'-{BAD}', f'x\n{BAD}'])
def test_operands_and_options(command, word, tmp_path):
    said = told(command, word, cwd=tmp_path)
    # Of short options that are joined, no command tells which.
    if command not in ('mount', 'attach', 'get', 'top', 'demo') and word != f'-{BAD}':
        assert '?' in said
    told(command, word, word, cwd=tmp_path)


@pytest.mark.parametrize('word', [BAD, f'x\n{BAD}'])
def test_values(word, tmp_path):
    token = harness.write_token(tmp_path)
    for words in ([word, 'x'], ['acme', word], ['--check-config', word],
                  ['-o', f'{word}=1', 'acme', 'x'], ['-o', f'token_file={word}', 'acme', tmp_path],
                  ['-o', f'ttl={word}', 'acme', tmp_path], ['get', '-o', f'{word}=1', 'acme', '7'],
                  ['get', '-o', f'token_file={token},cache={word}/x', 'acme', '7'],
                  ['get', '--field', word, 'acme', '7'], ['refresh', '-m', word, 'id:7'],
                  ['forget', '-m', word, 'id:7'], ['warm', '--since', word, 'x'],
                  ['warm', '--jobs', word, 'x'], ['warm', 'x', word],
                  ['export', '--format', word, 'x'], ['doctor', '-o', f'cache={word}/x', 'acme'],
                  ['sandbox', '--port', word]):
        assert '?' in told(*words, cwd=tmp_path) or words[0] == 'warm' or '--field' in words, words


def test_names_in_a_configuration(tmp_path):
    """Sections, options and values; and the path of a file that is good, which is told, too."""
    config = tmp_path / 'config'
    for text in (f'[a{forger.TRAP}]\nttl = x\n', f'[acme]\n{forger.TRAP} = 1\n',
                 f'[acme]\nttl = {forger.TRAP}\n'):
        config.write_text(text.replace('\x1b', '').replace('\x07', '').replace('\x7f', ''))
        told('--check-config', config)
    directory = tmp_path / f'a{forger.TRAP}'
    directory.mkdir()
    (directory / 'config').write_text('ttl = 5\n')
    (directory / 'config').chmod(0o600)
    result = harness.command('--check-config', directory / 'config')
    assert not OBEYED.search(result.stdout + result.stderr), result
    assert result.stdout.count('\n') == 1


def test_keys_of_get_and_warm(mounts, api, tmp_path):
    mount = mounts(api.url)
    token = harness.write_token(tmp_path)
    for word in (BAD, f'id:{BAD}', f'{BAD}@example.com', f'x\n{BAD}'):
        told('get', '-o', f'token_file={token},cache=:memory:', api.url, word)
        told('refresh', '-m', mount.path, f'id:{word}')
        told('warm', mount.path, stdin=None, input=os.fsencode(f'{word}\n{word},7\n'))


def test_keys_in_the_report_of_warm(mounts, api, tmp_path):
    """An address may have any character but blanks and control characters of ASCII."""
    mount = mounts(api.url)
    api.respond = lambda request: Reply(b'none', status=500)
    (tmp_path / 'keys').write_text('a\u202e@example.com\nx\u009b\n')
    script = 'kapturefs="$1"; shift; "$kapturefs" warm --json "$@"; exit 0'
    output = terminal.output_of(['sh', '-c', script, 'sh', harness.BINARY, str(mount.path),
                                 str(tmp_path / 'keys')])
    assert '"failed_keys":["email:a\\u202e@example.com","x\\u009b"]' in output
    assert not OBEYED.search(output.replace('\x1b[K', '').replace('\r', '')), output


def test_sentences_of_the_api(mounts, api):
    body = json.dumps({'status': 'failed', 'Customer Details': f'why {forger.TRAP}'}).encode()
    api.respond = lambda request: Reply(body)
    mount = mounts(api.url)
    told('refresh', mount / 'by-id/7')
    told('get', '-o', harness.join_options(mount.options), api.url, 'id:7')
    told('warm', mount.path, stdin=None, input=b'id:7\n')
    api.sees_mounting = True
    assert 'why' in told('doctor', '-o', harness.join_options(mount.options), api.url)


@pytest.mark.skipif(os.getuid() != 0, reason='plays users as well')
def test_causes_of_a_mount(api):
    with foreign.world(api.url) as world:
        forged = world.forge()
        for words in (['refresh', forged / 'by-id/7'], ['forget', '-m', forged, 'id:7']):
            result = world.run(0, 'kapturefs', *words)
            assert (result.returncode, 'forged' in result.stderr) == (3, True), result
            assert not OBEYED.search(result.stderr), result


def test_paths_of_mounts(mounts, api):
    api.add(customer(7), ('id', '7'))
    mount = mounts(api.url, name=f'a{forger.TRAP}b')
    mounts(api.url, name='x\nb')
    assert 'in which mount' in told('refresh', 'id:7', cwd='/')
    assert 'below' in told('export', mount / 'by-id')
    with subprocess.Popen(['sleep', '60'], cwd=mount.path) as inside:
        assert 'busy' in told('umount', mount.path)
        inside.kill()
    for option in ([], ['--json']):
        result = harness.command('status', *option)
        assert result.returncode == 0 and not OBEYED.search(result.stdout), result
    mount.process.kill()
    mount.expected_status = -9
    mount.wait()
    assert 'died' in told('status', mount.path)
    harness.unmount_whatever_it_takes(mount.path)
