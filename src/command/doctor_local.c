/* SPDX-License-Identifier: MIT */
/* What is of this machine, without the network. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "kapturefs/base/trust.h"
#include "kapturefs/command/confine.h"
#include "kapturefs/command/doctor.h"
#include "kapturefs/command/memory.h"
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/command/words.h"
#include "kapturefs/config/file.h"
#include "kapturefs/config/options.h"
#include "kapturefs/fs/session_features.h"
#include "kapturefs/store/cache_check.h"

enum {
	FILES_MIN = 256,
	SPACE_MIN = 64 << 20,
	CACHE_CHECK_MS = 5000,
	/* No clock that is right is before this. */
	CLOCK_MIN = 1735689600, /* 2025-01-01 */
};

/* Configuration */

/* The one source that the file has a section for, if there is just one. */
static void find_only_source(struct doctor *doctor)
{
	struct config_complaint complaint;
	struct config_file file;
	char *path;

	if (doctor->request.source || config_find_file(&path) || !path)
		return;
	if (config_file_read(path, &file, &complaint) == 0) {
		if (file.section_count == 2)
			(void)!config_request_set_source(&doctor->request, file.sections[1].name);
		config_file_fini(&file);
	}
	free(path);
}

static void say_config(struct doctor *doctor)
{
	if (doctor->config.config_file)
		doctor_say(doctor, "configuration", DOCTOR_WELL, NULL, "%s",
		           doctor->config.config_file);
	else
		doctor_say(doctor, "configuration", DOCTOR_WELL, NULL,
		           "no file; defaults and the command line");
}

static void check_without_source(struct doctor *doctor)
{
	struct config_complaint complaint;
	int r = 0;

	if (doctor->request.options)
		r = config_set_options(&doctor->config, doctor->request.options, NULL, &complaint);
	doctor->has_config = r == 0;
	if (r)
		doctor_say(doctor, "configuration", DOCTOR_FAILED, NULL, "%s",
		           r == -EINVAL ? complaint.text : strerror(-r));
	doctor_say(doctor, "source", DOCTOR_SKIPPED, "kapturefs doctor SOURCE checks it, too",
	           "none is given, and the configuration file has not just one");
}

void doctor_check_config(struct doctor *doctor)
{
	struct config_complaint complaint;
	int r;

	find_only_source(doctor);
	if (!doctor->request.source) {
		check_without_source(doctor);
		return;
	}
	config_fini(&doctor->config);
	r = config_load(&doctor->request, &doctor->config, &complaint);
	if (r) {
		config_init(&doctor->config);
		doctor_say(doctor, "configuration", DOCTOR_FAILED, NULL, "%s",
		           r == -EINVAL ? complaint.text : strerror(-r));
		return;
	}
	doctor->has_config = true;
	doctor->has_source = true;
	say_config(doctor);
	doctor_say(doctor, "source", DOCTOR_WELL, NULL, "%s", doctor->config.base_url);
}

/* FUSE */

static void check_fusermount(struct doctor *doctor)
{
	bool is_needed = geteuid() != 0;
	struct stat status;

	if (stat(FUSERMOUNT, &status) < 0 || !S_ISREG(status.st_mode) ||
	    access(FUSERMOUNT, X_OK) < 0)
		doctor_say(doctor, "fusermount3", is_needed ? DOCTOR_FAILED : DOCTOR_NOTE,
		           "install the package fuse3", "%s is not there", FUSERMOUNT);
	else if (is_needed && (status.st_uid != 0 || !(status.st_mode & S_ISUID)))
		doctor_say(doctor, "fusermount3", DOCTOR_FAILED,
		           "reinstall the package fuse3, or run chmod u+s on it as root",
		           "not setuid root, so that it cannot mount for you");
	else
		doctor_say(doctor, "fusermount3", DOCTOR_WELL, NULL, "found");
}

static void check_allow_other(struct doctor *doctor)
{
	bool is_asked = doctor->config.allow_other || doctor->config.allow_root;
	struct config_complaint complaint;

	if (mountpoint_check_sharing(&doctor->config, &complaint))
		doctor_say(doctor, "user_allow_other", DOCTOR_FAILED, NULL, "%s", complaint.text);
	else
		doctor_say(doctor, "user_allow_other", DOCTOR_WELL, NULL, "%s",
		           is_asked ? "others may be let in" : "not needed without allow_other");
}

void doctor_check_fuse(struct doctor *doctor)
{
	struct config_complaint complaint;

	if (mountpoint_check_device("/dev/fuse", &complaint))
		doctor_say(doctor, "/dev/fuse", DOCTOR_FAILED, NULL, "%s", complaint.text);
	else
		doctor_say(doctor, "/dev/fuse", DOCTOR_WELL, NULL, "it can be opened");
	check_fusermount(doctor);
	check_allow_other(doctor);
}

/* Where it is confined, if at all, .kapturefs/status of a mount tells. */
void doctor_check_confinement(struct doctor *doctor)
{
	struct confinement offered = confine_offered();
	char words[CONFINE_WORDS_SIZE];

	confine_words(&offered, words);
	if (offered.landlock && offered.has_seccomp)
		doctor_say(doctor, "confinement", DOCTOR_WELL, NULL, "the kernel has %s", words);
	else
		doctor_say(doctor, "confinement", DOCTOR_NOTE,
		           "Linux 5.13 or later has all of it; Landlock has to be in lsm= of its "
		           "command line",
		           "the kernel has only %s: a daemon that is taken over can do more harm",
		           words);
}

/* The kernel */

void doctor_check_kernel(struct doctor *doctor)
{
	struct utsname system;
	uint64_t flags;
	size_t missing = 0;
	int r = session_probe(&flags);

	uname(&system);
	if (r) {
		doctor_say(doctor, "kernel", DOCTOR_SKIPPED,
		           ".kapturefs/status of a mount tells what the kernel has",
		           "Linux %s; its features cannot be looked at from here: %s",
		           system.release, strerror(-r));
		return;
	}
	for (size_t i = 0; i < session_feature_count; i++)
		missing += !(flags & session_features[i].flag);
	doctor_say(doctor, "kernel", DOCTOR_WELL, NULL, "Linux %s, %zu of %zu features of use",
	           system.release, session_feature_count - missing, session_feature_count);
	for (size_t i = 0; i < session_feature_count; i++) {
		if (!(flags & session_features[i].flag))
			doctor_say(doctor, "kernel", DOCTOR_NOTE, "a newer kernel", "no %s: %s",
			           session_features[i].name, session_features[i].cost);
	}
}

/* The process */

static void check_files(struct doctor *doctor)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FILES_MIN)
		doctor_say(doctor, "open files", DOCTOR_NOTE,
		           "ulimit -n 1024, or LimitNOFILE=", "at most %ju may be open at a time",
		           (uintmax_t)limit.rlim_cur);
	else
		doctor_say(doctor, "open files", DOCTOR_WELL, NULL, "as many as needed");
}

/* What the mount takes of it, it says as well: no more has to be set. */
static void check_memory(struct doctor *doctor)
{
	char bytes[WORDS_SIZE];
	char wanted[WORDS_SIZE];
	char share[WORDS_SIZE];
	uint64_t memory = doctor->config.memory;
	struct memory_limit limit;

	memory_limit_find("", &limit);
	words_bytes(limit.bytes, bytes);
	words_bytes(memory, wanted);
	words_bytes(memory_share(&limit, memory), share);
	if (!limit.source[0])
		doctor_say(doctor, "memory", DOCTOR_WELL, NULL, "no limit");
	else if (memory_share(&limit, memory) == memory)
		doctor_say(doctor, "memory", DOCTOR_WELL, NULL, "%s by %s, which is enough", bytes,
		           limit.source);
	else
		doctor_say(doctor, "memory", DOCTOR_NOTE,
		           "raise the limit, or set memory= to what you see here",
		           "%s by %s, so that customers have %s of it instead of %s", bytes,
		           limit.source, share, wanted);
}

static void check_clock(struct doctor *doctor)
{
	struct timex clock = { .modes = 0 };
	time_t now = time(NULL);
	char text[WORDS_SIZE];

	words_time((int64_t)now * 1000, text);
	if (now < CLOCK_MIN)
		doctor_say(doctor, "clock", DOCTOR_FAILED,
		           "set it: certificates are judged by it, and answers age by it",
		           "%s, which is long ago", text);
	else if (adjtimex(&clock) == TIME_ERROR)
		doctor_say(doctor, "clock", DOCTOR_NOTE,
		           "have it set by the network (timedatectl set-ntp true)",
		           "%s; nobody keeps it right", text);
	else
		doctor_say(doctor, "clock", DOCTOR_WELL, NULL, "%s", text);
}

void doctor_check_process(struct doctor *doctor)
{
	check_files(doctor);
	check_memory(doctor);
	check_clock(doctor);
}

void doctor_check_token(struct doctor *doctor)
{
	struct config_complaint complaint;
	int r;

	if (!doctor->has_source) {
		doctor_say(doctor, "token", DOCTOR_SKIPPED, NULL, "without a source");
		return;
	}
	r = config_read_secrets(&doctor->config, &doctor->secrets, &complaint);
	doctor->has_token = r == 0;
	if (r)
		doctor_say(doctor, "token", DOCTOR_FAILED, NULL, "%s",
		           r == -EINVAL ? complaint.text : strerror(-r));
	else
		doctor_say(doctor, "token", DOCTOR_WELL, NULL, "in %s, for its owner only%s%s",
		           doctor->config.token_file ? doctor->config.token_file
		                                     : "the credential kapture-token",
		           doctor->secrets.token_notes[0] ? "; taken without " : "",
		           doctor->secrets.token_notes);
}

/* The cache */

/* The nearest directory above @path that exists. */
static void find_directory(const char *path, char *ret, size_t size)
{
	snprintf(ret, size, "%s", path);
	do {
		char *slash = strrchr(ret, '/');

		if (!slash || slash == ret) {
			snprintf(ret, size, "/");
			return;
		}
		*slash = '\0';
	} while (access(ret, F_OK) < 0);
}

static size_t parent_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash != path ? (size_t)(slash - path) : 1;
}

static bool check_place(struct doctor *doctor, const char *path)
{
	char why[TRUST_WHY_SIZE];
	int r = cache_check_place(path, why);

	if (r)
		doctor_say(doctor, "cache", DOCTOR_FAILED, NULL, "%s: %s", path,
		           r < 0 ? strerror(-r) : why);
	return r == 0;
}

static bool check_directory(struct doctor *doctor, const char *path)
{
	char directory[4096];
	struct statvfs space;
	char free_bytes[WORDS_SIZE];

	find_directory(path, directory, sizeof(directory));
	if (doctor->config.cache_is_given && strlen(directory) < parent_length(path)) {
		doctor_say(doctor, "cache", DOCTOR_FAILED, "make it, or give another cache=PATH",
		           "%.*s: no such directory", (int)parent_length(path), path);
		return false;
	}
	if (access(directory, W_OK | X_OK) < 0) {
		doctor_say(doctor, "cache", DOCTOR_FAILED, "give another cache=PATH",
		           "%s: %s, so that no file can be made there", directory, strerror(errno));
		return false;
	}
	if (statvfs(directory, &space) == 0 && space.f_bavail * space.f_frsize < SPACE_MIN)
		doctor_say(doctor, "cache", DOCTOR_NOTE, "make room", "only %s are free in %s",
		           words_bytes(space.f_bavail * space.f_frsize, free_bytes), directory);
	return true;
}

static void say_cache(struct doctor *doctor, const char *path, enum cache_health health)
{
	static const struct {
		enum doctor_verdict verdict;
		const char *words;
		const char *fix;
	} table[] = {
		[CACHE_HEALTHY] = { DOCTOR_WELL, "whole", NULL },
		[CACHE_IN_USE] = { DOCTOR_WELL, "in use by a mount, which looks after it", NULL },
		[CACHE_ALIEN] = { DOCTOR_FAILED, "no cache of kapturefs",
		                  "move it away, or give another cache=PATH" },
		[CACHE_DAMAGED] = { DOCTOR_NOTE,
		                    "damaged; the next mount sets it aside and begins a new one",
		                    NULL },
		[CACHE_UNREAD] = { DOCTOR_WELL, "whole, as far as it was read", NULL },
	};

	doctor_say(doctor, "cache", table[health].verdict, table[health].fix, "%s: %s", path,
	           table[health].words);
}

static void check_cache_file(struct doctor *doctor, const char *path, const struct stat *status)
{
	enum cache_health health;
	int r;

	if (status->st_uid != geteuid()) {
		doctor_say(doctor, "cache", DOCTOR_FAILED,
		           "run as the user who mounts, or give another cache=PATH",
		           "%s: belongs to another user", path);
		return;
	}
	if (status->st_mode & (S_IRWXG | S_IRWXO))
		doctor_say(doctor, "cache", DOCTOR_NOTE, "chmod 600 on it",
		           "%s: others may read customers in it", path);
	r = cache_check(path, CACHE_CHECK_MS, &health);
	if (r)
		doctor_say(doctor, "cache", DOCTOR_FAILED, "give another cache=PATH", "%s: %s",
		           path, strerror(-r));
	else
		say_cache(doctor, path, health);
}

void doctor_check_cache(struct doctor *doctor)
{
	const char *path = doctor->config.cache;
	struct stat status;

	if (!path) {
		doctor_say(doctor, "cache", DOCTOR_SKIPPED, NULL, "without a source");
	} else if (strcmp(path, ":memory:") == 0) {
		doctor_say(doctor, "cache", DOCTOR_WELL, NULL, "in memory only");
	} else if (check_place(doctor, path) && check_directory(doctor, path)) {
		if (stat(path, &status) == 0)
			check_cache_file(doctor, path, &status);
		else if (errno == ENOENT)
			doctor_say(doctor, "cache", DOCTOR_WELL, NULL, "%s: will be made", path);
		else
			doctor_say(doctor, "cache", DOCTOR_FAILED, "give another cache=PATH",
			           "%s: %s", path, strerror(errno));
	}
}

void doctor_check_log(struct doctor *doctor)
{
	const char *path = doctor->config.log_file;
	char why[TRUST_WHY_SIZE];
	int r;

	if (!path)
		return;
	r = trust_look(path, why);
	if (r)
		doctor_say(doctor, "log", DOCTOR_FAILED, NULL, "%s: %s", path,
		           r < 0 ? strerror(-r) : why);
	else
		doctor_say(doctor, "log", DOCTOR_WELL, NULL, "%s", path);
}
