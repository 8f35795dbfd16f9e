# SPDX-License-Identifier: MIT
"""`get` prints customers without a mount, through the cache, or through the mount that has it."""

import json
import os
import signal
import threading

import pytest

import harness
import terminal
from api import REFUSED, Reply, customer, found
from harness import command, join_options


@pytest.fixture
def get(api, tmp_path):
    """Runs `get` against the test's API, with a cache of the test's own."""
    def words(*arguments, source=None, **options):
        options = {'token_file': harness.write_token(tmp_path), 'cache': tmp_path / 'get.db',
                   'retries': '0', 'timeout': '20', **options}
        return ['get', '-o', join_options(options), source or api.url, *arguments]

    def run(*arguments, **more):
        return command(*words(*arguments, **more))

    run.words = lambda *arguments: [harness.BINARY, *words(*arguments)]
    return run


def printed(result):
    """The lines of a command that found all it was asked for."""
    assert (result.returncode, result.stderr) == (0, ''), result
    return result.stdout.splitlines()


def refused(result, status, *words):
    assert (result.returncode, result.stdout) == (status, ''), result
    line, = result.stderr.splitlines()
    for word in words:
        assert word in line, line


def test_customers_are_printed_as_sent_in_the_order_of_the_keys(get, api):
    texts = [b'{"id": 7,"a":0.0,  "n":12345678901234567890, "u":"\\u0041\xc3\xa9"}',
             b'{"id": 8,"b":1E5}', b'{"id": 9}']
    api.add(texts[0], ('id', '7'))
    api.add(texts[1], ('phone', '9380491326'))
    api.add(texts[2], ('email', 'a@b.org'))
    lines = printed(get('email:a@b.org', 'id:7', 'phone:9380491326', 'id:7'))
    assert [line.encode() for line in lines] == [texts[2], texts[0], texts[1], texts[0]]


def test_object_of_several_lines_is_printed_on_one(get, api):
    api.add(b'{\n  "id": 7,\r\n  "name": "A\\nB"\n}', ('id', '7'))
    line, = printed(get('id:7'))
    assert line == '{   "id": 7,    "name": "A\\nB" }'
    assert json.loads(line) == {'id': 7, 'name': 'A\nB'}


@pytest.mark.parametrize('word, key', [
    ('7', ('id', '7')), ('191121684', ('id', '191121684')), ('007', ('id', '7')),
    ('9380491326', ('phone', '9380491326')), ('919380491326', ('phone', '919380491326')),
    ('+7', ('phone', '7')), ('+91 93804-91326', ('phone', '919380491326')),
    ('020 (12) 34', ('phone', '0201234')), ('Foo@Example.com', ('email', 'foo@example.com')),
    ('phone:7', ('phone', '7')), ('id:9380491326', ('id', '9380491326')),
    ('email:id:7@x', ('email', 'id:7@x'))])
def test_kind_of_a_key_is_guessed_from_its_form(get, api, word, key):
    api.add(customer(int(key[1]) if key[0] == 'id' else 5), key)
    printed(get(word))
    assert [request.key for request in api.requests] == [key]


def test_a_guess_is_told_when_it_finds_nobody(get):
    refused(get('+91 93804-91326'), 1, 'read as phone:919380491326', 'no such customer')
    refused(get('id:7'), 1, ': id:7: no such customer')


def test_absent_keys_do_not_keep_others_from_being_printed(get, api):
    api.add_numbers([7, 8])
    result = get('id:7', 'id:1', 'id:8', 'id:2')
    assert result.returncode == 1
    assert [json.loads(line)['id'] for line in result.stdout.splitlines()] == [7, 8]
    assert [line.split(': ')[2] for line in result.stderr.splitlines()] == ['id:1', 'id:2']


def test_keys_that_nobody_can_have_do_not_keep_others_from_being_printed(get, api):
    api.add_numbers([7, 8])
    result = get('id:x', 'id:7', '', 'zip:1', 'id:8', 'a@')
    assert result.returncode == 1
    assert [json.loads(line)['id'] for line in result.stdout.splitlines()] == [7, 8]
    assert [line.split(': ')[2] for line in result.stderr.splitlines()] == [
        'id:x', '', 'zip:1', 'a@']
    assert all('nobody can have that key' in line for line in result.stderr.splitlines())
    refused(get('id:x'), 1, 'id:x: nobody can have that key')
    assert len(api.requests) == 2


CONTROLS = '\u009b31mred\u0085\u009d0;title\u009c\x7f\u202e'


def test_control_characters_reach_no_terminal(get, api):
    text = json.loads(customer(7, remarks=f'a{CONTROLS}b', city='São Paulo \x1b[31m'))
    api.add(json.dumps(text, ensure_ascii=False).encode(), ('id', '7'))
    assert CONTROLS in get('id:7').stdout
    shown = terminal.output_of(get.words('id:7'))
    assert not (set(CONTROLS) - {*'[31mred0;title'}) & {*shown}
    assert json.loads(shown)['remarks'] == f'a{CONTROLS}b'
    assert get('--field', 'remarks', 'id:7').stdout == f'a{CONTROLS}b\n'
    assert terminal.output_of(get.words('--field', 'remarks', 'id:7')) == 'a?31mred??0;title???b\n'
    assert terminal.output_of(get.words('--field', 'city', 'id:7')) == 'São Paulo ?[31m\n'


def test_status_is_that_of_the_worst_key(get, api):
    """1: no such customer; 3: the API could not be asked; 4: it refuses the token."""
    api.add_numbers([7])

    def respond(request):
        return Reply(b'', 503) if request.key == ('id', '5') else api.honest(request)
    api.respond = respond
    assert [get(*keys).returncode for keys in (
        ['id:7'], ['id:7', 'id:4'], ['id:5', 'id:7', 'id:4', 'id:x'])] == [0, 1, 3]
    api.token = 'another'
    assert get('id:5', 'id:8', 'id:x').returncode == 4


@pytest.mark.parametrize('text', ['id:7\nid:8\n', 'id:7\r\n\r\nid:8', 'id:7\rid:8\r',
                                  '\ufeffid:7\nid:8', '# mine\n  id:7\t\n\n id:8 \n'])
def test_keys_may_come_from_standard_input(get, api, text, tmp_path):
    api.add_numbers([6, 7, 8, 9])
    result = harness.subprocess.run(
        [harness.BINARY, 'get', '-o', join_options({
            'token_file': harness.write_token(tmp_path), 'cache': ':memory:'}), api.url, 'id:6',
         '-', 'id:9'], input=text.encode(), capture_output=True, timeout=30, check=False)
    assert (result.returncode, result.stderr) == (0, b'')
    assert [json.loads(line)['id'] for line in result.stdout.splitlines()] == [6, 7, 8, 9]


def test_byte_that_no_text_has_ends_no_key(get, api, tmp_path):
    """The key before the byte may be another customer's."""
    api.add_numbers([7, 71])
    result = harness.subprocess.run(
        [harness.BINARY, 'get', '-o', join_options({
            'token_file': harness.write_token(tmp_path), 'cache': ':memory:'}), api.url, '-'],
        input=b'id:7\x001\n', capture_output=True, timeout=30, check=False)
    assert (result.returncode, result.stdout, api.requests) == (1, b'', [])


def test_answers_come_from_the_cache_the_second_time(get, api):
    api.add_numbers([7])
    first = printed(get('id:7', '9800000007'))
    refused(get('id:4'), 1, 'no such customer')
    asked = len(api.requests)
    assert printed(get('9800000007', 'id:7')) == first
    refused(get('id:4'), 1, 'no such customer')
    assert len(api.requests) == asked == 3


def test_a_mount_knows_what_get_has_asked_for(get, mounts, api, tmp_path):
    api.add_numbers([7])
    printed(get('9800000007'))
    mount = mounts(api.url, cache=tmp_path / 'get.db')
    assert (mount / 'by-id/7/name').read_text() == 'Customer 7\n'
    assert len(api.requests) == 1


def test_expired_answer_stands_in_when_the_api_is_away(get, api):
    api.add_numbers([7])
    first = printed(get('id:7'))
    api.close()
    assert printed(get('id:7', ttl='0')) == first
    refused(get('id:8', ttl='0'), 3, 'id:8: no connection')


def test_offline_asks_nobody(get, api):
    api.add_numbers([7])
    printed(get('id:7'))
    asked = len(api.requests)
    printed(get('id:7', offline=True, ttl='0'))
    refused(get('id:8', offline=True), 3, 'offline')
    assert len(api.requests) == asked


# Fields

FIELDS = {'name': 'Customer 7\n', 'maxCreditAmt': '0.0\n', 'nothing': '', 'empty': '',
          'contacts/500007/phone': '9800000007\n', 'contacts/primary/phone': '9800000007\n',
          'a%2Fb': 'x\n'}


@pytest.mark.parametrize('field', FIELDS)
def test_field_is_printed_as_its_file_holds_it(get, mounts, api, field):
    api.add(customer(7, nothing=None, empty='', **{'a/b': 'x'}), ('id', '7'))
    result = get('--field', field, 'id:7', 'id:7')
    assert (result.returncode, result.stdout, result.stderr) == (0, 2 * FIELDS[field], '')
    assert (mounts(api.url) / 'by-id/7' / field).read_text() == FIELDS[field]


def test_field_that_is_not_there_or_no_file_is_told(get, api):
    api.add_numbers([7])
    refused(get('--field', 'zone', 'id:7'), 1, 'no such field')
    refused(get('--field', 'name/x', 'id:7'), 1, 'no such field')
    refused(get('--field', 'contacts', 'id:7'), 1, 'a directory')


@pytest.mark.parametrize('field', ['', '/name', 'name/', 'a//b', '.', '..', 'contacts/../name'])
def test_field_that_is_no_path_is_refused(get, api, field):
    refused(get('--field', field, 'id:7'), 2, '--field')
    assert api.requests == []


# While a mount has the cache

def test_the_mount_that_has_the_cache_is_asked(get, mounts, api, tmp_path):
    api.add_numbers([7, 8])
    mount = mounts(api.url, cache=tmp_path / 'get.db')
    line, = printed(get('id:7'))
    assert line.encode() == api.customers['id', '7']
    assert os.listdir(mount / 'by-id') == ['7']
    assert printed(get('--field', 'contacts/primary/phone', '9800000008')) == ['9800000008']
    refused(get('id:4'), 1, 'no such customer')
    refused(get('--field', 'zone', 'id:7'), 1, 'no such field')
    assert len(api.requests) == 3


def test_mount_tells_the_cause_as_the_api_would(get, mounts, api, tmp_path):
    """Whoever has asked first: what is left alone fails for the same reason, and is not asked."""
    mounts(api.url, cache=tmp_path / 'get.db')
    for key, reply, status, cause in (
            ('id:1', Reply(b'<html>', 500), 3, 'the API reports a fault of its own, HTTP 500'),
            ('id:2', found(b'{"id": 8}'), 3, "the answer is another customer's, HTTP 200"),
            ('phone:3', Reply(b'', 302), 3, 'the API redirects, which is never followed, HTTP 302'),
            ('email:a@b.co', Reply(b'<html>', 403), 4, 'the API denies access, HTTP 403'),
            ('id:5', Reply(REFUSED), 4, 'the API refuses the token')):
        api.respond = lambda request, reply=reply: reply
        del api.requests[:]
        refused(get(key), status, f'{key}: {cause}')
        refused(get(key), status, f'{key}: {cause}')
        assert len(api.requests) == 1, key


def test_what_the_mount_could_not_ask_in_time_is_not_called_the_api_s_fault(
        get, mounts, api, tmp_path):
    config = tmp_path / 'config'
    config.write_text(f'[{api.url}]\ntimeout = 60\n')
    api.hold(('id', '1'))
    mount = mounts(api.url, cache=tmp_path / 'get.db', timeout=None, config=config,
                   max_connections='1')
    first = harness.start('stat', mount / 'by-id/1')
    api.wait_for(1)
    config.write_text(f'[{api.url}]\ntimeout = 1\n')
    mount.process.send_signal(signal.SIGHUP)
    assert mount.log.wait_for('config: read again')
    refused(get('id:2'), 3, 'id:2: its turn did not come in time')
    first.kill()
    first.wait()
    assert len(api.requests) == 1


def test_no_token_is_needed_to_ask_a_mount(mounts, api, tmp_path):
    api.add_numbers([7])
    mounts(api.url, cache=tmp_path / 'get.db')
    printed(command('get', '-o', f'cache={tmp_path}/get.db', api.url, 'id:7'))


def test_without_a_mount_to_be_seen_the_api_is_asked_past_the_cache(get, mounts, api, tmp_path):
    api.add_numbers([7])
    mounts(api.url.replace('127.0.0.1', 'localhost'), cache=tmp_path / 'get.db')
    result = get('id:7')
    assert result.returncode == 1 and 'another source' in result.stderr \
        or 'asking the API past it' in result.stderr


# Side by side

def test_keys_are_asked_for_side_by_side_and_no_more_than_allowed(get, api):
    api.add_numbers(range(1, 31))
    lock, under_way, most = threading.Lock(), [0], [0]
    barrier = threading.Barrier(4)

    def respond(request):
        with lock:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        if len(api.requests) <= 4:
            barrier.wait(harness.END_SECONDS)
        with lock:
            under_way[0] -= 1
        return api.honest(request)
    api.respond = respond
    lines = printed(get(*(f'id:{number}' for number in range(1, 31)), max_connections='4'))
    assert [json.loads(line)['id'] for line in lines] == list(range(1, 31))
    assert most[0] <= 4


def test_equal_keys_are_asked_for_once(get, api):
    api.add_numbers([7])
    assert len(printed(get(*['id:7'] * 20))) == 20
    assert len(api.requests) == 1


# Mistakes

def test_authorities_that_cannot_be_read_are_named(get, tmp_path):
    for place, words in ((tmp_path / 'none', 'No such file'), (tmp_path, 'Is a directory')):
        refused(get('id:7', cafile=place), 2, f'cafile={place}: {words}')


def test_get_offline_speaks_of_no_mount(get):
    refused(get('id:7', offline='yes'), 3, 'id:7: offline, and not in the cache')


def test_errors_are_told_in_words(get, api):
    api.respond = lambda request: Reply(b'<html>', status=500)
    refused(get('id:7'), 3, 'id:7: the API reports a fault of its own, HTTP 500')
    api.respond = lambda request: found(b'{"id": 8}')
    refused(get('id:7'), 3, "id:7: the answer is another customer's, HTTP 200")
    api.respond = lambda request: Reply(b'', status=302)
    refused(get('id:7'), 3, 'id:7: the API redirects, which is never followed, HTTP 302')
    api.respond = lambda request: Reply(b'{"status":"failed","Customer Details":"try later"}')
    refused(get('id:7'), 3, 'absent_text')
    api.respond = api.honest
    api.token = 'another'
    refused(get('id:7'), 4, 'id:7: the API refuses the token, HTTP 200; put a valid one into ')


@pytest.mark.parametrize('arguments, words', [
    ([], 'give SOURCE and KEY'), (['http://127.0.0.1:9'], 'give SOURCE and KEY'),
    (['--fields', 'x', 'http://127.0.0.1:9', 'id:7'], 'unknown option --fields'),
    (['http://127.0.0.1:9', 'id:7', '--field'], 'a value is missing'),
    (['http://example.com', 'id:7'], 'https'),
    (['-o', 'ttl=x', 'http://127.0.0.1:9', 'id:7'], 'ttl'),
    (['-o', 'cache=:memory:', 'http://127.0.0.1:9', 'id:7'], 'token'),
    (['-o', 'token=abc', 'http://127.0.0.1:9', 'id:7'], 'token_file')])
def test_mistakes_are_one_line_and_status_2(arguments, words):
    refused(command('get', *arguments), 2, words)


@pytest.mark.parametrize('token', ['none', 'of others', 'two lines'])
def test_nothing_is_made_where_the_token_is_wrong(api, tmp_path, token):
    place = tmp_path / 'home'
    place.mkdir()
    options = {'cache': place / 'cache.db'}
    if token != 'none':
        options['token_file'] = harness.write_token(
            tmp_path, 'a\nb' if token == 'two lines' else 'abc',
            0o644 if token == 'of others' else 0o600)
    refused(command('get', '-o', join_options(options), api.url, 'id:7'), 2, 'token')
    environment = {**os.environ, 'HOME': str(place), 'XDG_CACHE_HOME': str(place / 'caches')}
    del options['cache']
    refused(command('get', *(['-o', join_options(options)] if options else []), api.url, 'id:7',
                    environment=environment), 2, 'token')
    assert (os.listdir(place), api.requests) == ([], [])


def test_output_that_cannot_be_written_is_an_error(get, api, tmp_path):
    api.add_numbers([7])
    with open('/dev/full', 'w', encoding='utf-8') as full:
        status = harness.subprocess.run(
            [harness.BINARY, 'get', '-o',
             f'token_file={harness.write_token(tmp_path)},cache=:memory:', api.url, 'id:7'],
            stdout=full, stderr=harness.subprocess.PIPE, timeout=30, check=False)
    assert status.returncode == 5
    assert b'standard output' in status.stderr


def test_what_nobody_reads_any_more_is_not_asked_for(get, api, tmp_path):
    """A closed pipe ends it: no message, and no requests for the rest of the keys."""
    api.add_numbers(range(1, 401), remarks='r' * 20000)
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = harness.subprocess.run(
        [harness.BINARY, 'get', '-o', join_options({
            'token_file': harness.write_token(tmp_path), 'cache': ':memory:', 'rate': '10000/s',
            'burst': '10000', 'max_connections': '2'}), api.url, *map(str, range(1, 401))],
        stdout=write_end, stderr=harness.subprocess.PIPE, timeout=60, check=False)
    os.close(write_end)
    assert (result.returncode, result.stderr) == (5, b'')
    assert len(api.requests) < 20


def test_nothing_of_a_customer_is_printed_by_mistake(get, api):
    """What goes wrong is told with the key that the user gave, and nothing of an answer."""
    api.respond = lambda request: found(b'{"id": 8, "name": "Zyxwvut"}')
    assert 'Zyxwvut' not in get('id:7').stderr
