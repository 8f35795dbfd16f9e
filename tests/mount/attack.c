/* SPDX-License-Identifier: MIT */
/*
 * Each line is `what: 0` or `what: ERRNO`, for a call that has been let through and for one that
 * has not. Where a call could do harm, its arguments are such that it would fail later anyway.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"
#include "kapturefs/base/error_name.h"

struct attack {
	struct buffer *text;
	int error;
};

static void tell(struct attack *attack, const char *what, const char *where, long result)
{
	int error = errno;

	if (!attack->error)
		attack->error = buffer_print(attack->text, "%s%s%s: %s\n", what, *where ? " " : "",
		                             where, result < 0 ? error_name(error) : "0");
}

/* Opened, made or removed, and put back. */
static void attack_files(struct attack *attack)
{
	static const char *const folders[] = {
		"/",     "/etc",     "/tmp", "/var/tmp", "/root",
		"/home", "/usr/bin", "/run", "/dev/shm", "/var/lib"
	};
	static const char *const files[] = { "/etc/passwd",    "/etc/shadow",
		                             "/proc/self/mem", "/proc/self/oom_score_adj",
		                             "/dev/mem",       "/proc/sysrq-trigger" };
	char path[256];

	for (size_t i = 0; i < array_length(folders); i++) {
		int made;

		snprintf(path, sizeof(path), "%s/kapturefs-attack-%d", folders[i], (int)getpid());
		made = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		tell(attack, "make", folders[i], made);
		if (made >= 0) {
			close(made);
			unlink(path);
		}
		tell(attack, "mkdir", folders[i], mkdir(path, 0700));
		rmdir(path);
		tell(attack, "symlink", folders[i], symlink("/nothing", path));
		unlink(path);
	}
	for (size_t i = 0; i < array_length(files); i++) {
		int opened = open(files[i], O_WRONLY | O_CLOEXEC);

		tell(attack, "write", files[i], opened);
		if (opened >= 0)
			close(opened);
	}
}

static void attack_secrets(struct attack *attack)
{
	static const char *const places[] = { "/root", "/home", "/var/lib", "/boot", "/srv" };

	for (size_t i = 0; i < array_length(places); i++) {
		int opened = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		tell(attack, "list", places[i], opened);
		if (opened >= 0)
			close(opened);
	}
}

/* In a child, where it would be over with this process. */
static void attack_programs(struct attack *attack)
{
	char *const words[] = { (char[]){ "true" }, NULL };
	pid_t child = fork();
	int status = 0;
	int copy;

	if (child == 0) {
		execv("/usr/bin/true", words);
		_exit(errno);
	}
	waitpid(child, &status, 0);
	errno = WEXITSTATUS(status);
	tell(attack, "execve", "", errno ? -1 : 0);

	copy = (int)syscall(SYS_memfd_create, "program", 0);
	(void)!write(copy, "#!/usr/bin/true\n", 16);
	child = fork();
	if (child == 0) {
		syscall(SYS_execveat, copy, "", words, NULL, AT_EMPTY_PATH);
		_exit(errno);
	}
	waitpid(child, &status, 0);
	close(copy);
	errno = WEXITSTATUS(status);
	tell(attack, "execveat", "", errno ? -1 : 0);
}

static int run_nothing(void *userdata)
{
	(void)userdata;
	return 0;
}

static void attack_namespaces(struct attack *attack)
{
	static char stack[64 << 10];
	int child = clone(run_nothing, stack + sizeof(stack), CLONE_NEWUSER | SIGCHLD, NULL);

	tell(attack, "clone", "CLONE_NEWUSER", child);
	if (child > 0)
		waitpid(child, NULL, 0);
	tell(attack, "unshare", "", syscall(SYS_unshare, CLONE_NEWUSER | CLONE_THREAD));
	tell(attack, "setns", "", syscall(SYS_setns, -1, 0));
}

static void attack_kernel(struct attack *attack)
{
	struct iovec nothing = { .iov_base = NULL, .iov_len = 0 };
	union bpf_attr bpf = { .map_type = 0 };
	struct perf_event_attr perf = { .size = 1 };

	tell(attack, "ptrace", "", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
	tell(attack, "process_vm_readv", "",
	     syscall(SYS_process_vm_readv, getpid(), &nothing, 1, &nothing, 1, 0));
	tell(attack, "mount", "", syscall(SYS_mount, NULL, NULL, NULL, 0, NULL));
	tell(attack, "umount2", "", syscall(SYS_umount2, "/nonexistent", 0));
	tell(attack, "open_tree", "", syscall(SYS_open_tree, -1, "", ~0U));
	tell(attack, "pivot_root", "", syscall(SYS_pivot_root, NULL, NULL));
	tell(attack, "chroot", "", syscall(SYS_chroot, NULL));
	tell(attack, "bpf", "", syscall(SYS_bpf, ~0U, &bpf, sizeof(bpf)));
	tell(attack, "io_uring_setup", "", syscall(SYS_io_uring_setup, 0, NULL));
	tell(attack, "io_uring_enter", "", syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL));
	tell(attack, "keyctl", "", syscall(SYS_keyctl, ~0U));
	tell(attack, "perf_event_open", "", syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0));
	tell(attack, "userfaultfd", "", syscall(SYS_userfaultfd, ~0U));
	tell(attack, "init_module", "", syscall(SYS_init_module, NULL, 0, NULL));
	tell(attack, "kexec_load", "", syscall(SYS_kexec_load, 0, 0, NULL, ~0UL));
	tell(attack, "swapon", "", syscall(SYS_swapon, NULL, 0));
	tell(attack, "reboot", "", syscall(SYS_reboot, 0, 0, 0, NULL));
}

#if defined(__x86_64__)
/* getpid(2) as 32-bit programs have it: a list of numbers alone would let everything through. */
static long call_as_32_bit(long number)
{
	long result;

	__asm__ volatile("int $0x80"
	                 : "=a"(result)
	                 : "a"(number)
	                 : "memory", "r8", "r9", "r10", "r11");
	errno = result < 0 ? (int)-result : 0;
	return result < 0 ? -1 : result;
}
#endif

static void attack_others(struct attack *attack)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tell(attack, "kill", "", kill(getppid(), 0));
	tell(attack, "tgkill", "", syscall(SYS_tgkill, getppid(), getppid(), 0));
	tell(attack, "bind", "", bind(listener, (struct sockaddr *)&here, sizeof(here)));
	close(listener);
}

static void attack_machine(struct attack *attack)
{
#if defined(__x86_64__)
	tell(attack, "32 bit", "", call_as_32_bit(20));
	tell(attack, "x32", "", syscall(0x40000000 | SYS_getpid));
#else
	(void)attack;
#endif
}

/* What the kernel holds against a thread it may not hold against others of the process. */
static void *attack_all(void *userdata)
{
	struct attack *attack = userdata;

	attack_files(attack);
	attack_secrets(attack);
	attack_programs(attack);
	attack_namespaces(attack);
	attack_kernel(attack);
	attack_others(attack);
	attack_machine(attack);
	return NULL;
}

int attack_print(void *userdata, struct buffer *text)
{
	struct attack attack = { .text = text };
	pthread_t thread;

	(void)userdata;
	attack_all(&attack);
	if (!attack.error)
		attack.error = -pthread_create(&thread, NULL, attack_all, &attack);
	if (!attack.error)
		pthread_join(thread, NULL);
	return attack.error;
}
