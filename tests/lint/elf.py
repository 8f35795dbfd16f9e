# SPDX-License-Identifier: MIT
"""What a program lacks of what makes a mistake in memory hard to use, as its headers tell."""

import os
import platform
import re
import subprocess


def readelf(path, *options):
    return subprocess.run(['readelf', '--wide', *options, path], capture_output=True, text=True,
                          check=True, env={**os.environ, 'LC_ALL': 'C'}).stdout


def segments(path):
    return re.findall(r'^  (\w+) +(?:0x\w+ +){5}([RWE ]{3})', readelf(path, '--segments'),
                      re.MULTILINE)


def unused_libraries(path):
    """Those of which the program wants nothing."""
    output = subprocess.run(['ldd', '--unused', path], capture_output=True, text=True,
                            check=False).stdout
    return re.findall(r'^\t(/\S+)', output, re.MULTILINE)


def weaknesses(path):
    """What the program at the path lacks."""
    dynamic, symbols = readelf(path, '--dynamic'), readelf(path, '--dyn-syms')
    notes = readelf(path, '--notes')
    flags = dict(re.findall(r'\((FLAGS|FLAGS_1)\) +(?:Flags: )?(.*)', dynamic))
    found = segments(path)
    checks = {
        'a place that is chosen anew each time (PIE)': 'PIE' in flags.get('FLAGS_1', ''),
        'all symbols bound at the start (now)': 'BIND_NOW' in flags.get('FLAGS', ''),
        'tables that are read-only after the start (relro)': 'GNU_RELRO' in dict(found),
        'a stack that is no code': dict(found).get('GNU_STACK') == 'RW ',
        'code that cannot be written to': not any(kind == 'LOAD' and 'W' in rights and 'E' in rights
                                                  for kind, rights in found),
        'code that needs no relocation': '(TEXTREL)' not in dynamic and
                                         'TEXTREL' not in flags.get('FLAGS', ''),
        'libraries from the system alone': not re.search(r'\((RPATH|RUNPATH)\)', dynamic),
        'guards on the stack': '__stack_chk_fail' in symbols,
        'checked copies': re.search(r'\b__\w+_chk@', symbols) is not None,
        'the mark of a shadow stack': platform.machine() != 'x86_64' or 'SHSTK' in notes,
    }
    unused = unused_libraries(path)
    return [name for name, holds in checks.items() if not holds] + \
        [f'a use for {library}' for library in unused]
