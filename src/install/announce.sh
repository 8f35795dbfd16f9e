#!/bin/sh
# SPDX-License-Identifier: MIT
# announce.sh DATADIR: what has to be run once for the service's user and directories to be there.
# A package's own scripts do that for what is staged (DESTDIR); nobody but root can.
set -eu
users=$1/sysusers.d/kapturefs.conf
directories=$1/tmpfiles.d/kapturefs.conf
[ -z "${DESTDIR:-}" ] || exit 0

# run COMMAND FILE: or name it.
run()
{
	if [ "$(id -u)" -eq 0 ] && command -v "$1" >/dev/null && "$@"; then
		echo "kapturefs: done: $*"
	else
		echo "kapturefs: run as root, before kapturefs@.service is started: $*"
	fi
}

run systemd-sysusers "$users"
run systemd-tmpfiles --create "$directories"
