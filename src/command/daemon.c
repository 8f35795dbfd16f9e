/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "kapturefs/base/log.h"
#include "kapturefs/command/daemon.h"

static _Noreturn void wait_for_report(int report)
{
	unsigned char status = 1;
	ssize_t length;

	do
		length = read(report, &status, 1);
	while (length < 0 && errno == EINTR);
	_exit(length == 1 ? status : 1);
}

int daemon_fork(struct daemon *ret)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		int error = errno;

		close(ends[0]);
		close(ends[1]);
		return -error;
	}
	if (pid > 0) {
		close(ends[1]);
		wait_for_report(ends[0]);
	}

	close(ends[0]);
	ret->report = ends[1];
	return 0;
}

/*
 * Not before the mount is there: an automount lets the process group of whoever started us pass,
 * and would have a group of our own wait for the mount that it is to make.
 */
static void let_go_of_terminal(void)
{
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	if (chdir("/") < 0)
		log_warning("daemon: cannot change to the root directory");
	if (nothing < 0)
		return;
	dup2(nothing, STDIN_FILENO);
	dup2(nothing, STDOUT_FILENO);
	dup2(nothing, STDERR_FILENO);
	if (nothing > STDERR_FILENO)
		close(nothing);
}

void daemon_report(struct daemon *daemon, int status)
{
	unsigned char byte = (unsigned char)status;

	if (daemon->report < 0)
		return;
	if (status == 0)
		let_go_of_terminal();
	while (write(daemon->report, &byte, 1) < 0 && errno == EINTR)
		;
	close(daemon->report);
	daemon->report = -1;
}
