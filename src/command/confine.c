/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "kapturefs/base/landlock.h"
#include "kapturefs/base/log.h"
#include "kapturefs/base/privileges.h"
#include "kapturefs/base/seccomp.h"
#include "kapturefs/command/confine.h"
#include "kapturefs/config/load.h"

enum { PLACES_MAX = 64 };

/* The paths are owned. */
struct places {
	struct landlock_place list[PLACES_MAX];
	size_t count;
	int error; /* the first */
};

static void free_places(struct places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free((char *)(uintptr_t)places->list[i].path);
}

static void free_text(char **text)
{
	free(*text);
}

static void add(struct places *places, const char *path, size_t length, enum landlock_use use)
{
	char *copy = strndup(path, length);

	if (!copy || places->count == PLACES_MAX) {
		places->error = places->error ? places->error : -ENOMEM;
		free(copy);
		return;
	}
	places->list[places->count++] = (struct landlock_place){ copy, use };
}

/* Owned; NULL of what has none. */
static char *parent_of(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : NULL;
}

static void add_parent(struct places *places, const char *path, enum landlock_use use)
{
	cleanup(free_text) char *parent = parent_of(path);

	if (parent)
		add(places, parent, strlen(parent), use);
}

/* The directory that a path names the file in, and the one to which its links lead. */
static void add_folder(struct places *places, const char *path, enum landlock_use use)
{
	cleanup(free_text) char *target = path ? realpath(path, NULL) : NULL;

	add_parent(places, path, use);
	if (target && strcmp(target, path) != 0)
		add_parent(places, target, use);
}

/*
 * As directories, for what is in them is replaced: resolv.conf, certificates, libraries, lists of
 * users. Of devices only those that harm nobody: root could read disks.
 */
static void add_system(struct places *places)
{
	static const char *const folders[] = {
		"/usr",
		"/lib",
		"/lib32",
		"/lib64",
		"/etc",
		"/run",
		"/proc",
		/* limits of memory; how many processors there are */
		"/sys/fs/cgroup",
		"/sys/devices/system/cpu",
		"/dev/urandom",
		"/dev/random",
		/* where other distributions have libraries, certificates and lists of users */
		"/nix/store",
		"/var/lib/ca-certificates",
		"/var/lib/sss",
	};
	/* The second takes how deeply processors may sleep, and nothing else. */
	static const char *const devices[] = { "/dev/null", "/dev/cpu_dma_latency" };
	static const char *const links[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
		                             "/etc/localtime" };

	for (size_t i = 0; i < array_length(folders); i++)
		add(places, folders[i], strlen(folders[i]), LANDLOCK_READ);
	for (size_t i = 0; i < array_length(links); i++)
		add_folder(places, links[i], LANDLOCK_READ);
	for (size_t i = 0; i < array_length(devices); i++)
		add(places, devices[i], strlen(devices[i]), LANDLOCK_FILE);
}

static void add_configuration(struct places *places, const struct config *config)
{
	cleanup(free_text) char *usual = NULL;
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	const char *const paths[] = { config->config_file, config->token_file, config->header_file,
		                      config->body_file, config->cafile };

	for (size_t i = 0; i < array_length(paths); i++)
		add_folder(places, paths[i], LANDLOCK_READ);
	if (credentials)
		add(places, credentials, strlen(credentials), LANDLOCK_READ);
	/* One that was not there may be made, and SIGHUP sent. */
	if (config_user_file(&usual))
		places->error = -ENOMEM;
	add_folder(places, usual, LANDLOCK_READ);
}

/* Nobody else's, and not the home, where programs find what they obey. */
static bool is_place_of_ours(const char *folder)
{
	const struct passwd *account = getpwuid(geteuid());
	struct stat status, home;

	if (stat(folder, &status) || status.st_uid != geteuid() || status.st_mode & 077)
		return false;
	return account && (stat(account->pw_dir, &home) || home.st_dev != status.st_dev ||
	                   home.st_ino != status.st_ino);
}

/*
 * Who removes the directory of the cache and makes it again has another one, which no rule knows;
 * so the place that it is in may be written to, too, where that is for things of ours alone, or for
 * caches.
 */
static void add_cache(struct places *places, const struct config *config)
{
	cleanup(free_text) char *folder = NULL;
	cleanup(free_text) char *place = NULL;
	bool is_usual = !config->cache_is_given && geteuid() != 0;

	add_folder(places, config->cache, LANDLOCK_KEEP);
	folder = parent_of(config->cache);
	place = parent_of(folder);
	if (place && (is_usual || is_place_of_ours(place)))
		add(places, place, strlen(place), LANDLOCK_KEEP);
}

static int confine_files(const struct config *config)
{
	cleanup(free_places) struct places places = { .count = 0 };

	add_system(&places);
	add_configuration(&places, config);
	add_cache(&places, config);
	add_folder(&places, config->log_file, LANDLOCK_APPEND);
	/* What is in memory needs no file. */
	tzset();
	return places.error ? places.error : landlock_confine(places.list, places.count);
}

struct confinement confine_offered(void)
{
	return (struct confinement){
		.landlock = landlock_version(),
		.has_seccomp = seccomp_is_known(),
		.has_no_new_privileges = true,
	};
}

/* One that was there before would go on without Landlock. Each adds a link, to `.` and `..`. */
static bool has_threads(void)
{
	struct stat status;

	return stat("/proc/self/task", &status) == 0 && status.st_nlink > 3;
}

/*
 * Since 1.45 the loop of libuv tells epoll(7) by a ring that it makes with itself, and would wait
 * for nothing any more if it could not. What a ring does is bound by Landlock like any call.
 */
static bool loop_has_ring(void)
{
	return uv_version() >= 0x012d00;
}

static bool has_no_new_privileges(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

int confine(const struct config *config, struct confinement *ret)
{
	int r = privileges_keep(0);

	if (r)
		log_warning("confinement: privileges cannot be given up: error=%d", -r);
	if (has_threads())
		log_warning("confinement: threads are there already, and not confined");
	r = confine_files(config);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		log_warning("confinement: files are not confined, as the kernel has no Landlock or "
		            "it is not switched on (lsm=): error=%d",
		            -r);
	ret->landlock = r < 0 ? 0 : (unsigned)r;
	r = seccomp_refuse(loop_has_ring() ? SECCOMP_BUT_RINGS : 0);
	if (r)
		log_warning("confinement: system calls are not confined: error=%d", -r);
	ret->has_seccomp = r == 0;
	ret->has_no_new_privileges = has_no_new_privileges();
	return 0;
}

const char *confine_words(const struct confinement *confinement, char ret[CONFINE_WORDS_SIZE])
{
	char landlock[32] = "";

	if (confinement->landlock)
		snprintf(landlock, sizeof(landlock), ", Landlock %u", confinement->landlock);
	snprintf(ret, CONFINE_WORDS_SIZE, "%s%s%s", landlock,
	         confinement->has_seccomp ? ", seccomp" : "",
	         confinement->has_no_new_privileges ? ", no new privileges" : "");
	if (!*ret)
		return strcpy(ret, "not at all");
	memmove(ret, ret + 2, strlen(ret) - 1);
	return ret;
}
