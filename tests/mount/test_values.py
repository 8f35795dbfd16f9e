# SPDX-License-Identifier: MIT
"""Names and values exactly as sent, whatever JSON can hold."""

import errno
import json
import os
import stat

import hypothesis
import pytest
from hypothesis import strategies

import harness
from api import customer, found, Reply
from expected import customer_tree, mounted_tree


@pytest.fixture
def show(mounts, api):
    """Let the API answer a customer of these members, and read the whole directory."""
    mount = mounts(api.url)
    numbers = iter(range(1, 10 ** 6))

    def read(members):
        number = next(numbers)
        text = f'{{"id": {number}, {members}}}' if members else f'{{"id": {number}}}'
        api.add(text.encode(), ('id', str(number)))
        return text.encode(), mounted_tree(mount / 'by-id' / str(number))
    read.mount = mount
    return read


VALUES = {
    'zero with a fraction': ('0.0', b'0.0\n'),
    'nineteen digits': ('9223372036854775807', b'9223372036854775807\n'),
    'beyond a double': ('9007199254740993', b'9007199254740993\n'),
    'forty digits': ('1' * 40, b'1' * 40 + b'\n'),
    'a huge exponent': ('1e400', b'1e400\n'),
    'a capital exponent': ('-1.50E+05', b'-1.50E+05\n'),
    'minus zero': ('-0', b'-0\n'),
    'true': ('true', b'true\n'),
    'false': ('false', b'false\n'),
    'null': ('null', b''),
    'an empty string': ('""', b''),
    'a blank': ('" "', b' \n'),
    'a newline': ('"\\n"', b'\n\n'),
    'lines': ('"one\\r\\ntwo\\n"', b'one\r\ntwo\n\n'),
    'every escape': ('"\\"\\\\\\/\\b\\f\\n\\r\\t"', b'"\\/\b\f\n\r\t\n'),
    'escaped letters': ('"\\u00e9\\u0939"', 'éह\n'.encode()),
    'half a surrogate pair': ('"Jos\\ud83d"', 'Jos\ufffd\n'.encode()),
    'the other half': ('"\\ude00 x"', '\ufffd x\n'.encode()),
    'a surrogate pair': ('"\\ud83d\\ude00"', '😀\n'.encode()),
    'raw UTF-8': ('"日本語 😀"', '日本語 😀\n'.encode()),
    'a null character': ('"a\\u0000b"', b'a\0b\n'),
    'the next character': ('"a\\u0001b"', b'a\x01b\n'),
    'an escape sequence': ('"\\u001b[31m"', b'\x1b[31m\n'),
    'what looks like a number': ('"007"', b'007\n'),
    'what looks like null': ('"null"', b'null\n'),
    'what looks like armour': ('"n1"', b'n1\n'),
}


def test_values_are_what_was_sent(show):
    members = ', '.join(f'"{name}": {text}' for name, (text, _) in VALUES.items())
    _, tree = show(members)
    assert {name: tree[name.encode()] for name in VALUES} == {
        name: content for name, (_, content) in VALUES.items()}


@pytest.mark.parametrize('length', [4095, 4096, 4097, 131071, 131072, 131073, 1 << 20])
def test_long_values_are_whole(show, length):
    _, tree = show('"remarks": "' + 'x' * (length - 1) + '"')
    assert tree[b'remarks'] == b'x' * (length - 1) + b'\n'


NAMES = {'a/b': b'a%2Fb', '.': b'%2E', '..': b'%2E%2E', '...': b'...', '.hidden': b'.hidden',
         '50%': b'50%25', '%2F': b'%252F', 'tab\there': b'tab%09here', 'nul\0': b'nul%00',
         'del\x7f': b'del%7F', 'Kapture Customer Id': b'Kapture Customer Id',
         'naïve': 'naïve'.encode(), '名前': '名前'.encode(), '-rf': b'-rf', '*': b'*', '\\': b'\\'}


def test_names_that_a_file_cannot_have_are_encoded(show):
    members = json.dumps({name: f'of {name}' for name in NAMES})[1:-1]
    _, tree = show(members)
    assert tree == {b'id': b'1\n', **{file: f'of {name}\n'.encode()
                                      for name, file in NAMES.items()}}


def test_names_of_different_letter_case_are_different_files(show):
    _, tree = show('"name": "a", "Name": "b", "NAME": "c"')
    assert (tree[b'name'], tree[b'Name'], tree[b'NAME']) == (b'a\n', b'b\n', b'c\n')


def test_of_two_members_with_one_name_the_last_counts(show):
    _, tree = show('"name": "first", "city": "x", "name": {"now": "an object"}')
    assert tree == {b'id': b'1\n', b'city': b'x\n', b'name': None,
                    b'name/now': b'an object\n'}


def test_names_over_255_bytes_are_cut_and_do_not_meet(show):
    names = ['n' * 255, 'n' * 256, 'n' * 257, 'n' * 256 + 'x', 'é' * 200, '/' * 100]
    _, tree = show(json.dumps({name: f'{index}' for index, name in enumerate(names)})[1:-1])
    del tree[b'id']
    assert sorted(tree.values()) == [f'{index}\n'.encode() for index in range(len(names))]
    assert tree[b'n' * 255] == b'0\n'
    for name in tree:
        assert len(name) <= 255
        name.decode()
        assert name == b'n' * 255 or b'~' in name


def test_long_names_can_be_opened(show):
    show(json.dumps({'n' * 300: 'x'})[1:-1])
    name = next(name for name in os.listdir(show.mount / 'by-id/1') if name != 'id')
    assert (show.mount / 'by-id/1' / name).read_text() == 'x\n'


def test_objects_and_arrays_are_directories(show):
    text, tree = show('"a": {}, "b": [], "c": [[], {}, [1, "x", null]], "d": {"e": {"f": 1}}')
    assert tree == customer_tree(text)
    assert tree[b'a'] is None and tree[b'b'] is None and tree[b'c/2/1'] == b'x\n'


@pytest.mark.parametrize('elements, names', [
    ('[{"id": 5}, {"id": 4}]', [b'4', b'5']),
    ('[{"id": "five"}, {"id": "a/b"}]', [b'a%2Fb', b'five']),
    ('[{"id": 5}, {"id": 5}]', [b'0', b'1']),
    ('[{"id": 5}, {"name": "x"}]', [b'0', b'1']),
    ('[{"id": 5}, 7]', [b'0', b'1']),
    ('[{"id": null}, {"id": 5}]', [b'0', b'1']),
    ('[{"id": {}}, {"id": 5}]', [b'0', b'1']),
])
def test_elements_are_named_by_their_own_ids_or_numbered(show, elements, names):
    _, tree = show(f'"list": {elements}')
    assert sorted(path.split(b'/')[1] for path in tree
                  if path.startswith(b'list/') and path.count(b'/') == 1) == names


def test_primary_contact_is_a_link(show):
    _, tree = show('"contacts": [{"id": 8}, {"id": 9, "isPrimaryContact": true}]')
    assert tree[b'contacts/primary'] == 'link to 9'
    assert (show.mount / 'by-id/1/contacts/primary/id').read_text() == '9\n'


def test_no_contact_hides_the_link_to_the_primary_one(show):
    text, tree = show('"contacts": [{"id": "primary", "name": "x"}, {"id": "%70rimary"}, '
                      '{"id": 9, "isPrimaryContact": true}]')
    assert tree[b'contacts/primary'] == 'link to 9'
    assert tree[b'contacts/%70rimary/name'] == b'x\n'
    assert b'contacts/%2570rimary' in tree
    assert tree == customer_tree(text)


INVISIBLE = {'zero width': '\u200b', 'a soft hyphen': '\u00ad', 'a joiner': '\u200d',
             'direction': '\u202e', 'a variation selector': '\ufe0f', 'a tag': '\U000e0061',
             'a Hangul filler': '\u3164', 'a byte order mark': '\ufeff'}


@pytest.mark.parametrize('case', INVISIBLE)
def test_name_that_looks_like_another_is_told_apart(show, case):
    """... and what is listed can be opened, asked for, and chosen as a column."""
    name = f'na{INVISIBLE[case]}me'
    listed = 'na' + ''.join(f'%{byte:02X}' for byte in INVISIBLE[case].encode()) + 'me'
    text, tree = show(f'"name": "true", "{name}": "false", "contacts": [{{"id": "{name}"}}]')
    assert tree == customer_tree(text)
    assert tree[listed.encode()] == b'false\n'
    mount = show.mount
    assert os.listdir(mount / 'by-id/1/contacts') == [listed]
    assert harness.errno_of(os.stat, mount / 'by-id/1' / name) == errno.ENOENT

    options = harness.join_options({'token_file': mount.options['token_file'],
                                    'cache': mount.options['cache']})
    field = harness.command('get', '-o', options, '--field', listed, mount.source, 'id:1')
    assert (field.returncode, field.stdout) == (0, 'false\n')
    table = harness.command('export', '--format', 'csv', '--columns', listed, mount.path)
    assert (table.returncode, table.stdout.split()) == (0, [listed, 'false'])
    assert listed in harness.command('export', '--format', 'csv', mount.path).stdout


@pytest.mark.parametrize('contacts', ['[]', '[{"id": 8}]', '"none"', 'null', '{"id": 8}',
                                      '[{"id": 8, "isPrimaryContact": "true"}]'])
def test_without_a_primary_contact_there_is_no_link(show, contacts):
    text, tree = show(f'"contacts": {contacts}')
    assert b'contacts/primary' not in tree
    assert tree == customer_tree(text)


def test_nesting_within_the_limit_is_shown(show):
    # The reply's own two levels come on top of these.
    text, tree = show('"deep": ' + '[' * 60 + '7' + ']' * 60)
    assert tree == customer_tree(text)


def test_byte_order_mark_before_the_reply_is_ignored(mounts, api):
    api.respond = lambda request: Reply('\ufeff'.encode() + found(customer(1)).body)
    assert (mounts(api.url) / 'by-id/1/name').read_text() == 'Customer 1\n'


def test_node_numbers_are_unique_but_for_hard_links_of_the_same_bytes(mounts, sandbox):
    mount = mounts(sandbox.url)
    for row in sandbox.customers():
        os.stat(mount / 'by-id' / row['id'])
        if row['phone']:
            os.stat(mount / 'by-phone' / row['phone'])
        if row['email']:
            os.stat(mount / 'by-email' / row['email'])

    directories, files = {}, {}
    for path, names, _ in os.walk(mount.path):
        number = os.lstat(path).st_ino
        assert number not in directories, f'{path} and {directories.get(number)} are one directory'
        directories[number] = path
        names[:] = [name for name in names if name != '.kapturefs']
        for entry in os.scandir(path):
            status = entry.stat(follow_symlinks=False)
            assert entry.inode() == status.st_ino, entry.path
            if stat.S_ISREG(status.st_mode):
                content = open(entry.path, 'rb').read()
                first = files.setdefault(status.st_ino, (entry.name, content))
                assert first == (entry.name, content), f'{entry.path} shares its number'
    assert not set(directories) & set(files)
    assert len(files) > 500


def test_field_is_one_file_under_every_key(mounts, api):
    api.add_numbers([7])
    mount = mounts(api.url)
    for field in ('name', 'contacts/500007/phone'):
        assert len({os.stat(mount / key / field).st_ino for key in (
            'by-id/7', 'by-phone/9800000007', 'by-email/c7@example.com')}) == 1
    assert len({os.stat(mount / key).st_ino for key in (
        'by-id/7', 'by-phone/9800000007', 'by-email/c7@example.com')}) == 3


# Characters that change the direction of text are encoded in names; no rule of theirs is repeated
# here, so they are left out. Long names are cut with a hash, so names are short.
DIRECTION = '\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029'
CHARACTERS = strategies.characters(blacklist_categories=('Cs',), blacklist_characters=DIRECTION)
MEMBER_NAMES = strategies.text(CHARACTERS, max_size=12).filter(
    lambda name: name not in ('id', 'contacts', 'cmId')) | strategies.sampled_from(
        ['.', '..', '/', '%', '%2F', 'name', 'Name', '', ' ', 'a/b'])
STRINGS = strategies.builds(lambda text, ascii_only: json.dumps(text, ensure_ascii=ascii_only),
                            strategies.text(CHARACTERS, max_size=30), strategies.booleans())
NUMBERS = strategies.from_regex(r'-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?',
                                fullmatch=True)
SCALARS = STRINGS | NUMBERS | strategies.sampled_from(['true', 'false', 'null', '""'])


def members(values):
    pairs = strategies.tuples(MEMBER_NAMES.map(json.dumps), values)
    return strategies.lists(pairs, max_size=5).map(
        lambda list_: ', '.join(f'{name}: {value}' for name, value in list_))


def containers(values):
    arrays = strategies.lists(values, max_size=4).map(lambda list_: f'[{", ".join(list_)}]')
    objects = members(values).map(lambda text: f'{{{text}}}')
    with_ids = strategies.lists(strategies.tuples(strategies.integers(0, 10 ** 19), values),
                                max_size=3, unique_by=lambda pair: pair[0]).map(
        lambda list_: '[' + ', '.join(f'{{"id": {id_}, "v": {value}}}' for id_, value in list_)
        + ']')
    return arrays | objects | with_ids


@hypothesis.settings(max_examples=75, deadline=None, database=None, derandomize=True,
                     suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(text=members(strategies.recursive(SCALARS, containers, max_leaves=12)))
def test_any_customer_reads_as_python_reads_it(show, text):
    sent, tree = show(text)
    assert tree == customer_tree(sent)
