/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kapturefs/base/privileges.h"
#include "kapturefs/base/seccomp.h"
#include "kapturefs/fs/mounting.h"
#include "kapturefs/fs/unmounter.h"

/* For a process that has been killed to close its files. */
enum { CLOSING_PATIENCE_MS = 1000 };

struct unmounter {
	int socket;
	pid_t pid;
};

/* Sent once, and followed by one byte when it is time. */
struct order {
	struct mounts_mount mount;
	bool is_automatic;
};

static int describe_files(posix_spawn_file_actions_t *actions, int theirs)
{
	int error = posix_spawn_file_actions_adddup2(actions, theirs, STDIN_FILENO);

	for (int file = STDOUT_FILENO; file <= STDERR_FILENO && !error; file++)
		error = posix_spawn_file_actions_addopen(actions, file, "/dev/null", O_RDWR, 0);
	return error;
}

/* The daemon says when it is over, no terminal and no service manager; not even at the start. */
static int describe_process(posix_spawnattr_t *attributes)
{
	sigset_t all;
	int error =
	        posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);

	sigfillset(&all);
	return error ? error : posix_spawnattr_setsigmask(attributes, &all);
}

static int start_process(struct unmounter *unmounter, int theirs)
{
	char name[] = UNMOUNTER_NAME;
	char *arguments[] = { name, NULL };
	char *environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error;

	/* Neither can fail in the C library of Linux, nor be half done. */
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	error = describe_files(&actions, theirs);
	if (!error)
		error = describe_process(&attributes);
	if (!error)
		error = posix_spawn(&unmounter->pid, "/proc/self/exe", &actions, &attributes,
		                    arguments, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -error;
}

int unmounter_start(struct unmounter **ret)
{
	cleanup(unmounter_freep) struct unmounter *unmounter = calloc(1, sizeof(*unmounter));
	int ends[2];
	int r;

	if (!unmounter)
		return -ENOMEM;
	unmounter->socket = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	unmounter->socket = ends[0];
	r = start_process(unmounter, ends[1]);
	close(ends[1]);
	if (r)
		return r;
	*ret = steal(&unmounter);
	return 0;
}

/* It ends when its socket does. */
void unmounter_free(struct unmounter *unmounter)
{
	if (!unmounter)
		return;
	if (unmounter->socket >= 0)
		close(unmounter->socket);
	if (unmounter->pid > 0) {
		while (waitpid(unmounter->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	free(unmounter);
}

static int send_whole(int socket, const void *bytes, size_t size)
{
	ssize_t length;

	do
		length = send(socket, bytes, size, MSG_NOSIGNAL);
	while (length < 0 && errno == EINTR);
	return length < 0 ? -errno : 0;
}

int unmounter_guard(struct unmounter *unmounter, const struct mounts_mount *mount,
                    bool is_automatic)
{
	const struct order order = { .mount = *mount, .is_automatic = is_automatic };

	return send_whole(unmounter->socket, &order, sizeof(order));
}

/* The process answers by ending, which is the end of what can be received. */
void unmounter_unmount(struct unmounter *unmounter)
{
	char byte = 0;
	ssize_t length;

	if (send_whole(unmounter->socket, &byte, 1))
		return;
	do
		length = recv(unmounter->socket, &byte, 1, 0);
	while (length > 0 || (length < 0 && errno == EINTR));
}

/* The process */

static ssize_t receive(void *bytes, size_t size)
{
	ssize_t length;

	do
		length = recv(STDIN_FILENO, bytes, size, 0);
	while (length < 0 && errno == EINTR);
	return length;
}

/* The thread that started this process is the one that answers the kernel. */
static int watch_daemon(void)
{
	sigset_t death;

	if (prctl(PR_SET_PDEATHSIG, SIGRTMIN, 0, 0, 0) < 0)
		return -errno;
	sigemptyset(&death);
	sigaddset(&death, SIGRTMIN);
	return signalfd(-1, &death, SFD_CLOEXEC);
}

/* Anybody may send a signal, but only the kernel one in the daemon's name. */
static bool is_death_of(pid_t daemon, int deaths)
{
	struct signalfd_siginfo signal;

	return read(deaths, &signal, sizeof(signal)) == sizeof(signal) &&
	       (pid_t)signal.ssi_pid == daemon;
}

static bool has_word(int deaths, int patience_ms, bool *ret_has_signal)
{
	struct pollfd events[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = deaths, .events = POLLIN },
	};

	while (poll(events, deaths < 0 ? 1 : 2, patience_ms) < 0 && errno == EINTR)
		;
	*ret_has_signal = events[1].revents != 0;
	return events[0].revents != 0;
}

/*
 * The daemon's end says that its connection to the kernel is closed. It may never come: the
 * notifier can be in a call that waits, deaf to SIGKILL, for a page that is locked until the thread
 * that answers, dead by then, has filled it. Whoever uses the mount waits with it. To break the
 * connection lets all of them go.
 */
static void wait_for_word(const struct order *order, pid_t daemon, int deaths)
{
	bool has_signal;

	while (!has_word(deaths, -1, &has_signal)) {
		if (!has_signal || !is_death_of(daemon, deaths))
			continue;
		if (!has_word(-1, CLOSING_PATIENCE_MS, &has_signal))
			mounting_break(&order->mount);
	}
}

/*
 * Nothing that the daemon has inherited stays open: a program that waits for the end of the
 * daemon's output waits for the daemon alone. Not every C library can close a range.
 */
static void close_inherited(void)
{
	(void)syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
}

/*
 * Confined to what it is there for. For a user that is to run fusermount3, which is set-user-ID:
 * with no new privileges, without which a user gets neither seccomp nor Landlock, it could not
 * unmount. What is possible without has been done: no file but three, no environment, no terminal,
 * no look into it; and what it takes away has been said before the daemon asks anybody anything.
 * For root it is umount2(2), which Landlock would refuse.
 */
static int give_up(bool may_unmount, uint64_t needed)
{
	int r;

	if (!may_unmount)
		return 0;
	r = privileges_keep(needed);
	/* Where the kernel has no seccomp, there is still nothing that it would obey. */
	if (!r)
		(void)!seccomp_refuse(SECCOMP_BUT_UNMOUNTING);
	return r;
}

int unmounter_run(void)
{
	const uint64_t needed = privileges_bit(CAP_SYS_ADMIN);
	bool may_unmount = privileges_have(needed);
	pid_t daemon = getppid();
	struct order order;
	bool is_ordered;
	int deaths;
	char byte;

	close_inherited();
	(void)prctl(PR_SET_NAME, UNMOUNTER_NAME, 0, 0, 0);
	if (give_up(may_unmount, needed) || chdir("/") < 0)
		return EXIT_FAILURE;
	/* A change of credentials would end it. */
	deaths = watch_daemon();
	if (deaths < 0)
		return EXIT_FAILURE;
	if (receive(&order, sizeof(order)) != sizeof(order))
		return EXIT_SUCCESS;

	wait_for_word(&order, daemon, deaths);
	is_ordered = receive(&byte, 1) == 1 || order.is_automatic;
	if (is_ordered)
		mounting_detach(&order.mount);
	return EXIT_SUCCESS;
}
