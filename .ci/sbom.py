#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a Debian package was made from, as SPDX 2.3 in JSON: sbom.py BUILDINFO >FILE

The packages and the versions of what it was built with are those that dpkg-buildpackage has noted
in BUILDINFO; which libraries its programs load, the programs say, and of which packages those are,
dpkg knows. Licences are those that the copyright files of Debian's packages name. The same package,
built in the same system, has the same description, byte by byte.
"""

import datetime
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

DOC = pathlib.Path('/usr/share/doc')
# Debian's short names, where they are not SPDX's.
LICENCES = {
    'Expat': 'MIT', 'MIT': 'MIT', 'MIT/X11': 'X11', 'X11': 'X11', 'ISC': 'ISC', 'zlib': 'Zlib',
    'curl': 'curl', 'Apache-2.0': 'Apache-2.0', 'BSD-2-clause': 'BSD-2-Clause',
    'BSD-3-clause': 'BSD-3-Clause', 'BSL-1.0': 'BSL-1.0', 'CC0-1.0': 'CC0-1.0', '0BSD': '0BSD',
    'Unlicense': 'Unlicense', 'OLDAP-2.8': 'OLDAP-2.8', 'FSFAP': 'FSFAP', 'FSFULLR': 'FSFULLR',
    'Apache-2': 'Apache-2.0', 'MPL-1.1': 'MPL-1.1', 'CC-BY-4.0': 'CC-BY-4.0',
}
LICENCES.update({f'{family}-{version}{plus}': f'{family}-{version}{dot}-{meaning}'
                 for family, versions in (('GPL', '1 2 3'), ('LGPL', '2 2.1 3'), ('GFDL', '1.3'))
                 for version in versions.split() for dot in ['' if '.' in version else '.0']
                 for plus, meaning in (('', 'only'), ('+', 'or-later'))})
LICENCES = {name.lower(): identifier for name, identifier in LICENCES.items()}


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True,
                          env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C.UTF-8'}).stdout


def stanzas(text):
    """The paragraphs of a file of Debian's kind of headers, as dictionaries."""
    found = []
    for paragraph in re.split(r'\n(?:[ \t]*\n)+', text):
        fields = re.findall(r'^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)', paragraph, re.MULTILINE)
        if fields:
            found.append({name: value.strip() for name, value in fields})
    return found


def identifier(kind, name):
    return f'SPDXRef-{kind}-' + re.sub(r'[^A-Za-z0-9.-]', '-', name.replace('+', 'plus'))


# Licences

def term(name, package, texts, extracted):
    """One licence's identifier in an expression; what SPDX does not know is quoted."""
    if name.lower() in LICENCES:
        return LICENCES[name.lower()]
    reference = f'LicenseRef-{package}-' + re.sub(r'[^A-Za-z0-9.-]+', '-', name).strip('-')
    extracted[reference] = {
        'licenseId': reference, 'name': name,
        'extractedText': texts.get(name) or f'See {DOC}/{package}/copyright.'}
    return reference


def expressions(name, package, texts, extracted):
    """`A and B`, or `A or B and C`, in Debian's words: in SPDX's, what all hold together."""
    alternatives = [[term(word, package, texts, extracted)
                     for word in re.split(r',?\s+and\s+', part)]
                    for part in re.split(r',?\s+or\s+', name)]
    if len(alternatives) == 1:
        return set(alternatives[0])
    parts = [f'({" AND ".join(part)})' if len(part) > 1 else part[0] for part in alternatives]
    return {f'({" OR ".join(parts)})'}


def licence(package, extracted):
    """(expression, comment) of a package's copyright file."""
    text = (DOC / package / 'copyright').read_text(errors='replace')
    if not re.match(r'(?i)format(-specification)?:', text):
        reference = f'LicenseRef-{package}-copyright'
        extracted[reference] = {'licenseId': reference, 'name': f'copyright file of {package}',
                                'extractedText': text}
        return reference, "Debian's copyright file of the package is not machine-readable."
    found = stanzas(text)
    named = [entry['License'].split('\n', 1) for entry in found if 'License' in entry]
    texts = {name.strip(): rest[0] for name, *rest in named if rest}
    names = sorted({entry['License'].split('\n')[0].strip() for entry in found
                    if 'Files' in entry and 'License' in entry})
    terms = set().union(*(expressions(name, package, texts, extracted) for name in names if name))
    return ' AND '.join(sorted(terms)) or 'NOASSERTION', \
        "All that Debian's copyright file of the source package names, also those of files that " \
        'do not reach the library.'


# Packages

def described(name, version, **more):
    return {'SPDXID': identifier('Package', name), 'name': name, 'versionInfo': version,
            'downloadLocation': 'NOASSERTION', 'filesAnalyzed': False,
            'licenseConcluded': 'NOASSERTION', 'licenseDeclared': 'NOASSERTION',
            'copyrightText': 'NOASSERTION', **more}


def locator(name, version, architecture):
    return [{'referenceCategory': 'PACKAGE-MANAGER', 'referenceType': 'purl',
             'referenceLocator': f'pkg:deb/debian/{name}@{version.replace(":", "%3A")}'
                                 f'?arch={architecture}'}]


def installed(names):
    """What dpkg knows of packages, by name."""
    fields = ['Package', 'Version', 'Architecture', 'source:Package', 'source:Version', 'Homepage']
    output = run('dpkg-query', '--show', '--showformat',
                 '\\t'.join('${%s}' % field for field in fields) + '\\n', *sorted(names))
    entries = {}
    for line in output.splitlines():
        name, version, architecture, source, source_version, homepage = line.split('\t')
        entries[name] = described(
            name, version, supplier='Organization: Debian',
            sourceInfo=f'built by Debian from the source package {source} {source_version}',
            externalRefs=locator(name, version, architecture),
            **({'homepage': homepage} if homepage else {}))
    return entries


def owners(paths):
    """The package of each of the paths; a file of /lib may be known as one of /usr/lib, or back."""
    names = {path: {path, path.removeprefix('/usr'), '/usr' + path,
                    str(pathlib.Path(path).resolve())} for path in paths}
    output = subprocess.run(['dpkg-query', '--search', *sorted(set().union(*names.values()))],
                            capture_output=True, text=True, check=False).stdout
    found = {path: package for package, path in
             re.findall(r'^([^\s:,]+)(?::\w+)?: (/.*)$', output, re.MULTILINE)}
    strange = [path for path in paths if not names[path] & found.keys()]
    if strange:
        sys.exit(f'sbom: of no package: {" ".join(strange)}; take it away, and build again')
    return {path: next(found[name] for name in sorted(names[path]) if name in found)
            for path in paths}


def programs(folder):
    for path in sorted(folder.rglob('*')):
        if path.is_file() and not path.is_symlink():
            with path.open('rb') as file:
                if file.read(4) == b'\x7fELF':
                    yield path


def libraries(package):
    """(linked, loaded): the paths of what its programs name, and of all that comes with those."""
    linked, loaded = set(), set()
    with tempfile.TemporaryDirectory() as place:
        run('dpkg-deb', '--extract', str(package), place)
        for program in programs(pathlib.Path(place)):
            needed = re.findall(r'\(NEEDED\).*\[(.*)\]',
                                run('readelf', '--dynamic', '--wide', str(program)))
            paths = dict(re.findall(r'^\t(\S+) => (/\S+) ', run('ldd', str(program)), re.MULTILINE))
            linked |= {paths[name] for name in needed}
            loaded |= set(paths.values())
    return linked, loaded


def needs(package):
    """The packages without which it is not installed, the first of alternatives."""
    field = run('dpkg-deb', '--field', str(package), 'Depends')
    return {re.match(r'[^\s(|:]+', word.strip())[0] for word in field.split(',') if word.strip()}


# The description

def relation(first, kind, second):
    return {'spdxElementId': first, 'relationshipType': kind, 'relatedSpdxElement': second}


def relations(mine, linked, loaded, built_with):
    """What stands between one of our packages and those of Debian."""
    found = [relation('SPDXRef-DOCUMENT', 'DESCRIBES', mine)]
    found += [relation(mine, 'DYNAMIC_LINK', identifier('Package', name))
              for name in sorted(linked)]
    found += [relation(mine, 'DEPENDS_ON', identifier('Package', name))
              for name in sorted(loaded - linked)]
    found += [relation(identifier('Package', name), 'BUILD_DEPENDENCY_OF', mine)
              for name in sorted(built_with)]
    return found


def results(buildinfo, information):
    """(path, checksum) of what was built for people to install."""
    pairs = [line.split()[::2] for line in information['Checksums-Sha256'].splitlines() if line]
    return [(buildinfo.parent / name, checksum) for checksum, name in sorted(pairs)
            if name.endswith('.deb') and '-dbgsym_' not in name]


def contents(buildinfo, information):
    """(packages, relationships, quoted licences)"""
    built_with = set(re.findall(r'^\s*([^\s(,]+)', information['Installed-Build-Depends'],
                                re.MULTILINE))
    ours, found, needed, with_licence, quoted = {}, [], set(), set(), {}
    for path, checksum in results(buildinfo, information):
        name = path.name.split('_')[0]
        ours[name] = described(
            name, information['Version'], packageFileName=path.name, licenseDeclared='MIT',
            licenseConcluded='MIT', primaryPackagePurpose='APPLICATION',
            checksums=[{'algorithm': 'SHA256', 'checksumValue': checksum}])
    for name, entry in ours.items():
        paths = libraries(buildinfo.parent / entry['packageFileName'])
        known = owners(sorted(paths[1]))
        linked, loaded = ({known[path] for path in part} for part in paths)
        with_licence |= loaded
        needed |= needs(buildinfo.parent / entry['packageFileName'])
        found += relations(entry['SPDXID'], linked, loaded | needs(
            buildinfo.parent / entry['packageFileName']), built_with)
    debian = installed((built_with | with_licence | needed) - ours.keys())
    for name in sorted(with_licence):
        declared, comment = licence(name, quoted)
        debian[name].update(licenseDeclared=declared, licenseComments=comment,
                            primaryPackagePurpose='LIBRARY')
    return [entries[name] for entries in (ours, debian) for name in sorted(entries)], found, \
        [quoted[name] for name in sorted(quoted)]


def describe(buildinfo):
    information = stanzas(buildinfo.read_text())[0]
    epoch = int(re.search(r'SOURCE_DATE_EPOCH="(\d+)"', information['Environment'])[1])
    made = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)
    packages, found, quoted = contents(buildinfo, information)
    document = {
        'spdxVersion': 'SPDX-2.3', 'dataLicense': 'CC0-1.0', 'SPDXID': 'SPDXRef-DOCUMENT',
        'name': buildinfo.stem,
        'creationInfo': {'created': made.strftime('%Y-%m-%dT%H:%M:%SZ'),
                         'creators': ['Tool: kapturefs-bootstrap']},
        'packages': packages, 'relationships': found, 'hasExtractedLicensingInfos': quoted,
    }
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    return {**document,
            'documentNamespace': f'https://kapturefs.example.org/spdx/{buildinfo.stem}-{digest}'}


if __name__ == '__main__':
    json.dump(describe(pathlib.Path(sys.argv[1])), sys.stdout, indent=1, ensure_ascii=False)
    print()
