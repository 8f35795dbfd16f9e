# SPDX-License-Identifier: MIT
"""What a customer looks like as files, worked out from the contract alone.

Python's json reads the reply (numbers stay text), and the rules for names and values are written
down here a second time, so that the program is not compared with itself.
"""

import json
import os
import pathlib
import re
import stat

LINK = 'link to '


def decode(text):
    """JSON with the numbers as sent; of two members with one name the last counts."""
    return json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=dict)


# Control characters, and Unicode's Default_Ignorable_Code_Point.
HIDDEN = (r'[\x00-\x1f\x7f-\x9f/%\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f'
          r'\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb'
          r'\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]')


def file_name(name):
    """A member's name as a file name, as bytes, for names that need no cutting."""
    if name in ('.', '..'):
        return b'%2E' * len(name)
    encoded = re.sub(HIDDEN,
                     lambda match: ''.join(f'%{byte:02X}' for byte in match[0].encode()), name)
    return (encoded or '%').encode()


def file_value(value):
    """What the file of a scalar holds."""
    if value is None or value == '':
        return b''
    if isinstance(value, bool):
        return b'true\n' if value else b'false\n'
    return value.encode() + b'\n'


def element_names(elements):
    """Arrays are numbered, unless every element is an object with an id of its own."""
    ids = [element.get('id') if isinstance(element, dict) else None for element in elements]
    named = all(isinstance(id_, str) and id_ for id_ in ids) and len(set(ids)) == len(ids)
    return ids if named else [str(index) for index in range(len(elements))]


def tree(value, path=b''):
    """{path: bytes of a file, None for a directory, 'link to ...'} of everything below."""
    if not isinstance(value, (dict, list)):
        return {path: file_value(value)}
    named = isinstance(value, dict)
    items = value.items() if named else zip(element_names(value), value)
    result = {path: None} if path else {}
    for name, child in items:
        name = file_name(name)
        if path == b'contacts' and not named and name == b'primary':
            name = b'%70rimary'     # for the link's sake
        result.update(tree(child, os.path.join(path, name)))
    return result


def customer_tree(text):
    """The whole directory of a customer from the object as the API sent it."""
    details = decode(text)
    result = tree(details)
    contacts = details.get('contacts')
    if isinstance(contacts, list):
        for name, contact in zip(element_names(contacts), contacts):
            if isinstance(contact, dict) and contact.get('isPrimaryContact') is True:
                result[b'contacts/primary'] = LINK + name
                break
    return result


def details_of(reply):
    """The object under "Customer Details", cut from the reply byte for byte."""
    text = reply.decode()
    begin = text.index('"Customer Details"')
    begin = text.index('{', begin)
    _, end = json.JSONDecoder().raw_decode(text, begin)
    return text[begin:end].encode()


def mounted_tree(directory):
    """The same of a directory as it is; sizes are checked on the way."""
    root = os.fsencode(directory)
    result = {}

    def visit(path):
        for name in sorted(os.listdir(os.path.join(root, path))):
            below = os.path.join(path, name)
            full = os.path.join(root, below)
            status = os.lstat(full)
            if stat.S_ISDIR(status.st_mode):
                result[below] = None
                visit(below)
            elif stat.S_ISLNK(status.st_mode):
                result[below] = LINK + os.fsdecode(os.readlink(full))
            else:
                result[below] = pathlib.Path(os.fsdecode(full)).read_bytes()
                assert status.st_size == len(result[below]), full
    visit(b'')
    return result
