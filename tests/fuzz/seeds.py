# SPDX-License-Identifier: MIT
"""Write the corpora's first inputs: `seeds.py` from this directory. All of it is made up.

The files whose names are hashes were found by the engine and are kept because nothing else reaches
what they reach.
"""

import json
import pathlib

CORPUS = pathlib.Path(__file__).parent / 'corpus'


def customer(number, **members):
    return {'id': number, 'cmId': 1000298, 'name': f'Customer {number}', 'maxCreditAmt': 0.0,
            'city': None, 'deleted': False,
            'contacts': [{'id': number * 10, 'contactPerson': 'Asha', 'isPrimaryContact': True}],
            **members}


def reply(details, status='success', **more):
    return json.dumps({'Customer Details': details, 'status': status, **more}).encode()


def nested(depth):
    return b'{"Customer Details":{"id":1,"x":' + b'[' * depth + b']' * depth \
        + b'},"status":"success"}'


def payloads():
    yield 'found', reply(customer(42))
    yield 'absent', reply('Information given by you does not exist.', 'failed')
    yield 'refused', b'{"message": "Invalid Auth Key","status": "failed"}'
    yield 'capitals', b'{"STATUS":"Fail","customer details":"none"}'
    yield 'failed', b'{"status":"failed","message":"something else"}'
    yield 'mark', b'\xef\xbb\xbf' + reply(customer(7))
    yield 'numbers', b'{"status":"success","Customer Details":{"id":9007199254740993,' \
        b'"a":-0.0,"b":1e400,"c":12345678901234567890,"d":2.50E+03}}'
    yield 'escapes', b'{"status":"success","Customer Details":{"id":"7","a\\u0000b":"\\u0000",' \
        b'"\\ud83d\\ude00":"\\u0001\\n\\"","..":"x/y","":1,"%":2}}'
    yield 'twice', b'{"status":"success","Customer Details":{"id":7,"a":1,"a":{"b":2},"A":3}}'
    yield 'arrays', reply(customer(7, tags=[1, [2, {}], 'x', None, True],
                                   pairs=[{'id': 1}, {'id': 1}], named=[{'id': 5}, {'id': 6}]))
    yield 'nested-61', nested(61)
    yield 'nested-63', nested(63)
    yield 'no-id', reply({'name': 'nobody'})
    yield 'list', reply([customer(7)])
    yield 'html', b'<html><body>Log in</body></html>'
    yield 'empty', b''
    yield 'cut', reply(customer(42))[:60]
    yield 'not-utf-8', b'{"status":"success","Customer Details":{"id":1,"x":"\xc3("}}'
    yield 'follows', b'\xff'.join([reply(customer(42)), reply(customer(42, city='Pune')),
                                   reply(customer(42, name={'first': 'Asha'}, contacts=[]))])
    yield 'page', b'{"message":{"count":2,"list":[{"id":7,"cmId":1000298},{"id":0,"leadId":"8"}]},' \
        b'"status":"success"}'
    yield 'page-empty', b'{"message":"No customers","status":"success"}'
    yield 'page-twice', b'{"data":[{"id":7},{"id":"007"}],"message":[],"status":"Success"}'
    yield 'another', b'\xff'.join([reply(customer(42)), reply(customer(43, extra='more'))])


def namings():
    names = [b'name', b'', b'.', b'..', b'a/b', b'a%b', b'%2F', b'\x1b[31m', b'\xff\xfe', b'%',
             'Straße'.encode(), '\u202e\u2028'.encode(), b'x' * 255, b'x' * 256, b'%41', b'%2f',
             ('\u0905' * 90).encode(), b'stem~0123456789abcdef', b'/' * 100, b'a/b%']
    keys = [b'42', b'0042', b'+91 93804-91326', b'(022) 555.0100', b'asha@example.com',
            b'Asha@Example.COM', b'a@b@c', b'@', b'9' * 20, b'9' * 21]
    for index, name in enumerate(names + keys):
        yield f'name-{index:02}', bytes([0, index]) + name + b'\0' + names[index % len(names)]


def configurations():
    yield 'file', b'\0ttl = 60\n# comment\n[acme]\ncache = kept.db\noffline = yes\n\n' \
        b'[https://127.0.0.1:8443/x]\nrate = 0.5/s ; slow\ncache_size = 64M\numask = 0277\n'
    yield 'file-bad-line', b'\0ttl\n'
    yield 'file-bad-value', b'\0ttl = -1\n'
    yield 'file-twice', b'\0[acme]\nttl=1\nttl=2\n'
    yield 'file-section-twice', b'\0[acme]\n[ACME.kapturecrm.com]\n'
    yield 'file-heading', b'\0[acme] ttl = 1\n'
    yield 'file-control', b'\0ttl = 1\x1b\n'
    yield 'file-long', b'\0cache = ' + b'x' * 300 + b'\n'
    yield 'file-mark', b'\0\xef\xbb\xbfpatience=3\r\n'
    yield 'options', b'\1ttl=60,offline,ro,cache=/x/y\\,z,max_connections=8,allow_other,uid=1'
    yield 'options-token', b'\1token=secret'
    yield 'options-unknown', b'\1colour=red,,=,'
    yield 'options-ranges', b'\1retries=99999,burst=18446744073709551616,umask=0999'
    for index, source in enumerate([b'acme', b'acme.kapturecrm.com', b'https://host:443/a/b/',
                                    b'http://127.0.0.1:80', b'http://[::1]:8080/p', b'http://host',
                                    b'HTTPS://HOST', b'https://u@h', b'a b', b'', b'https://h:0']):
        yield f'source-{index:02}', b'\2' + source
    yield 'token', b'\3c2VjcmV0'
    yield 'token-lines', b'\3one\ntwo\n'
    yield 'headers', b'\4Cookie: a=b\r\nx-api-key: k\n\n'
    yield 'headers-bad', b'\4no header\n'
    yield 'headers-nul', b'\4A: \0b\n'
    yield 'body', b'\5 {"a": 1, "b": {"c": "}"}} '
    yield 'body-list', b'\5[1]'


def retries():
    for index, value in enumerate([
            b'0', b'1', b'00299', b'300', b'301', b'18446744073709551616', b'-1', b'1.5', b'',
            b' 1', b'Sun, 06 Nov 1994 08:49:37 GMT', b'Sunday, 06-Nov-94 08:49:37 GMT',
            b'Sun Nov  6 08:49:37 1994', b'Sun, 06 Nov 9994 08:49:37 GMT', b'Mon, 31 Feb 2000',
            b'soon', b'Fri, 01 Jan 0000 00:00:00 GMT', b'Sun, 06 Nov 1994 08:49:37 UTC']):
        yield f'value-{index:02}', bytes([0x23, index]) + value


# The instructions of fuzz_requests.c, and the places of names in its table.
LOOKUP, GETATTR, READ, INTERRUPT, ANSWER, TIME, STATES, OTHER = 0, 4, 5, 7, 8, 11, 12, 13
NAMES = {'by-id': 0, 'by-phone': 1, 'by-email': 2, '.kapturefs': 3, 'version': 4, '42': 5,
         '42.json': 7, '42.meta': 9, 'name': 11, 'contacts': 12, 'primary': 13, '421': 14,
         'nested': 16, 'deep': 17, '9380': 18, '+9 380': 19, 'Asha': 22, '.git': 31}
FIND, ABSENT, FOREIGN, FAIL = 0x40, 0x20, 0x30, 0
FILE, LIST, LIST_PLUS = 0, 1, 2
DYING, UNKNOWN, BUSY, REFUSED = 3, 5, 2, 4


def look(parent, name):
    return bytes([LOOKUP, parent, NAMES[name]])


def answer(what, which=0):
    return bytes([ANSWER, which, what])


def read(how, node, size=0xffff, offset=0):
    return bytes([READ, how, node, offset]) + size.to_bytes(2, 'big')


def requests():
    """Nodes are counted as replies tell of them; 0 is the root."""
    find = look(0, 'by-id') + look(1, '42')
    yield 'nothing', b''
    yield 'found', b'\0\0' + find + answer(FIND) + look(2, 'name') + read(FILE, 3) \
        + read(LIST, 2) + read(LIST_PLUS, 2) + read(LIST, 1) + read(LIST_PLUS, 0)
    yield 'views', b'\0\0' + find + answer(FIND + 7) + look(1, '42.json') + look(1, '42.meta') \
        + read(FILE, 3) + read(FILE, 4) + bytes([GETATTR, 3, GETATTR, 4, GETATTR, 2])
    yield 'links', b'\0\0' + look(0, 'by-phone') + look(1, '+9 380') + answer(FIND + 4) \
        + bytes([OTHER, 10, 2]) + look(0, 'by-email') + look(3, 'Asha') + answer(FIND + 4)
    yield 'absent', b'\0\0' + find + answer(ABSENT) + look(1, '42') + look(1, '.git')
    yield 'changed', b'\1\0' + find + answer(FIND) + look(2, 'name') + answer(FIND + 2) \
        + read(FILE, 3) + look(1, '42') + answer(FIND + 5) + read(FILE, 3) + bytes([GETATTR, 3]) \
        + look(2, 'nested') + answer(FIND + 5) + look(4, 'deep') + answer(FIND + 6)
    yield 'stale', b'\1\0' + find + answer(FIND) + look(1, '42') + answer(FAIL) \
        + look(1, '42') + bytes([TIME, 4]) + look(1, '42') + answer(FAIL + 4)
    yield 'dead', b'\5\0' + find + answer(FIND) + look(1, '42') + answer(FAIL)
    yield 'gone', b'\1\0' + find + answer(FIND) + look(2, 'name') + answer(ABSENT) \
        + read(FILE, 2) + bytes([GETATTR, 2])
    yield 'foreign', b'\0\0' + find + answer(FIND) + look(0, 'by-phone') + look(3, '9380') \
        + answer(FOREIGN)
    yield 'timeout', b'\0\0' + find + look(1, '42') + bytes([TIME, 6]) + answer(FIND)
    yield 'offline', b'\x40\0' + find
    yield 'full', b'\x20\0' + find + look(1, '42.json') + look(1, '42.meta')
    yield 'old-protocol', b'\0\5' + find + answer(FIND) + read(LIST_PLUS, 2)
    yield 'no-flags', b'\0\x80' + find + answer(FIND)
    yield 'interrupt-before', b'\0\0' + bytes([INTERRUPT, 0xf0]) + find + answer(FIND)
    yield 'interrupt-alive', b'\0\0' + find + bytes([INTERRUPT, 2, TIME, 2]) + answer(FIND)
    yield 'interrupt-dying', b'\0\0' + find + bytes([INTERRUPT, 2, STATES, DYING, TIME, 1]) \
        + answer(FIND)
    yield 'interrupt-late-death', b'\0\0' + find + bytes([INTERRUPT, 2, TIME, 2, STATES, DYING,
                                                          TIME, 0])
    yield 'interrupt-unknown', b'\0\0' + find + bytes([STATES, UNKNOWN, INTERRUPT, 2, TIME, 4])
    yield 'interrupt-after', b'\0\0' + find + answer(FIND) + bytes([INTERRUPT, 2]) + look(1, '42')
    yield 'interrupt-retry', b'\1\0' + find + bytes([INTERRUPT, 2]) + answer(FIND) \
        + bytes([STATES, DYING]) + look(2, 'name') + bytes([INTERRUPT, 3, TIME, 0])
    yield 'busy', b'\1\0' + find + answer(FIND) + bytes([STATES, BUSY]) + look(1, '42') \
        + bytes([TIME, 0]) + answer(FIND + 1)
    yield 'refused', b'\1\0' + find + answer(FIND) + bytes([STATES, REFUSED]) + look(1, '42') \
        + answer(FAIL)
    yield 'control', b'\0\0' + look(0, '.kapturefs') + look(1, 'version') + read(FILE, 2) \
        + read(LIST, 1) + read(LIST_PLUS, 1)
    yield 'others', b'\0\0' + find + answer(FIND) \
        + b''.join(bytes([OTHER, which, 2]) for which in range(19))
    yield 'small-reads', b'\0\0' + find + answer(FIND + 9) + look(2, 'name') \
        + read(FILE, 3, 3, 1) + read(FILE, 3, 0) + read(FILE, 3, 10, 200) + read(LIST, 0, 40) \
        + read(LIST_PLUS, 0, 200) + read(LIST, 2, 0)
    yield 'raw-nodes', b'\0\0' + bytes([GETATTR, 0xf0]) + bytes(range(8)) + bytes([
        LOOKUP, 0xf0]) + b'\xff' * 8 + bytes([0xf0]) + b'x' * 280 + b'\0' + bytes([
            READ, 0, 0xf0]) + b'\x30\0\0\0\0\0\0\1' + b'\0\xff\xff'


def cache_rows():
    """What the first byte says stands in fuzz_cache.c."""
    in_key, in_identity, sealed, packed = 1, 2, 4, 8
    shape = json.dumps({'id': 42, 'cmId': 1, 'name': 'Asha', 'contacts': [{'id': 1}]}).encode()
    yield 'nothing', b''
    yield 'empty-json', bytes([0])
    yield 'empty-identity', bytes([in_identity])
    yield 'sealed-empty-json', bytes([sealed])
    yield 'sealed-empty-identity', bytes([sealed | in_identity])
    yield 'sealed-json', bytes([sealed | packed]) + shape
    yield 'sealed-other-customer', bytes([sealed | packed]) + shape.replace(b'42', b'43')
    yield 'sealed-no-json', bytes([sealed | packed]) + b'{"id":'
    yield 'sealed-no-frame', bytes([sealed]) + b'\x28\xb5\x2f\xfd\x20\xff'
    yield 'sealed-identity', bytes([sealed | in_identity]) + bytes(range(64))
    yield 'damaged-json', bytes([packed]) + shape
    yield 'damaged-identity', bytes([in_identity]) + b'\xff' * 40
    yield 'same-key', bytes([in_key]) + b'42'
    yield 'damaged-key', bytes([in_key]) + b'43'
    yield 'sealed-key', bytes([sealed | in_key]) + b'43'
    yield 'sealed-long-key', bytes([sealed | in_key]) + b'4' * 300
    yield 'sealed-key-with-nul', bytes([sealed | in_key]) + b'42\x0043'


def write(target, seeds):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in seeds:
        (folder / name).write_bytes(content)


if __name__ == '__main__':
    write('cache', cache_rows())
    write('payload', payloads())
    write('naming', namings())
    write('configuration', configurations())
    write('retry_after', retries())
    write('requests', requests())
