/* SPDX-License-Identifier: MIT */
/*
 * Mounting happens in an order that lets every mistake be told to whoever
 * made it: whatever can be checked without doing anything has been; then the
 * fork, then threads, the cache and the mount, then the report that it is usable.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <uv.h>

#include "kapturefs/base/log.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/control_files.h"
#include "kapturefs/command/daemon.h"
#include "kapturefs/command/facts.h"
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/command/token.h"
#include "kapturefs/fs/control.h"
#include "kapturefs/fs/filesystem.h"
#include "kapturefs/fs/session.h"
#include "kapturefs/fs/tree.h"
#include "kapturefs/store/cache.h"
#include "kapturefs/store/catalog.h"
#include "kapturefs/store/kapture.h"

void serve_harden(void)
{
	static const char *const variables[] = {
		"SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "CURL_CA_BUNDLE",
		"http_proxy",    "https_proxy",   "HTTP_PROXY",   "HTTPS_PROXY",  "all_proxy",
		"ALL_PROXY",     "no_proxy",      "NO_PROXY",
	};
	const struct rlimit no_core = { 0, 0 };

	for (size_t i = 0; i < array_length(variables); i++)
		unsetenv(variables[i]);
	if (setrlimit(RLIMIT_CORE, &no_core) || prctl(PR_SET_DUMPABLE, 0))
		log_warning("mount: core dumps cannot be switched off");
	umask(077);
	signal(SIGPIPE, SIG_IGN);
}

enum {
	REPLY_SIZE_MAX = 8 << 20,
	WAITING_MAX = 10000,
};

/* Everything that is built, from the bottom up. */
struct mount {
	const struct serve_settings *settings;
	struct daemon daemon;
	uv_loop_t loop;
	uv_signal_t signals[3];
	struct kapture *kapture;
	struct token_watch token;
	struct cache *cache;
	struct catalog *catalog;
	struct metrics metrics;
	struct control *control;
	struct facts_sources facts;
	struct notifier *notifier;
	struct tree *tree;
	struct filesystem *filesystem;
	struct session *session;
};

static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* What the mount hides would be asked of ourselves, and never be answered. */
static bool is_hidden(const struct mount *mount, const char *option, const char *path)
{
	char *real = realpath(path, NULL);
	bool is_hidden = is_below(real ? real : path, mount->settings->mountpoint);

	free(real);
	if (is_hidden)
		fprintf(stderr,
		        "kapturefs: %s=%s: below the mountpoint; give a path outside of it\n",
		        option, path);
	return is_hidden;
}

/* Make the directories that lead to @path. */
static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		*slash = '\0';
		r = mkdir(path, 0700);
		*slash = '/';
		if (r < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static const char *cache_complaint(int r)
{
	switch (r) {
	case CACHE_BUSY:
		return "in use by another kapturefs; unmount that, or give another cache=PATH";
	case CACHE_FOREIGN:
		return "no cache of kapturefs; move it away, or give another cache=PATH";
	case CACHE_NEWER:
		return "made by a later version of kapturefs; update, or give another cache=PATH";
	case CACHE_OTHER_OWNER:
		return "belongs to another source; give another cache=PATH";
	default:
		return strerror(-r);
	}
}

static int open_cache(struct mount *mount)
{
	const char *token_file = mount->settings->config->token_file;
	char *path = mount->settings->config->cache;
	int r = 0;

	/* The token file is looked at again when the token is refused. */
	if (is_hidden(mount, "cache", path) ||
	    (token_file && is_hidden(mount, "token_file", token_file)))
		return EXIT_USAGE;
	if (strcmp(path, ":memory:") != 0)
		r = make_parents(path);
	if (!r)
		r = cache_open(path, mount->settings->config->base_url, &mount->cache);
	if (!r) {
		const struct cache_limits limits = {
			.size_max = mount->settings->config->cache_size,
			.retain_ms = (int64_t)mount->settings->config->retain * 86400 * 1000,
		};

		cache_limit(mount->cache, &limits);
		return EXIT_OK;
	}

	fprintf(stderr, "kapturefs: cache %s: %s\n", path, cache_complaint(r));
	return EXIT_FAILED;
}

static void token_refused(void *userdata)
{
	token_watch_look(userdata);
}

static int open_source(struct mount *mount)
{
	const struct config *config = mount->settings->config;
	const struct kapture_settings settings = {
		.base_url = config->base_url,
		.token = mount->settings->secrets->token,
		.headers = (const char *const *)mount->settings->secrets->headers,
		.request_members = mount->settings->secrets->request_members,
		.timeout_ms = config->timeout * 1000,
		.retries = (uint32_t)config->retries,
		.rate = config->rate,
		.burst = config->burst,
		.http = {
			.cafile = config->cafile,
			.proxy = config->proxy,
			.connect_timeout_ms = config->connect_timeout * 1000,
			.concurrency_max = (uint32_t)config->max_connections,
			.body_size_max = REPLY_SIZE_MAX,
		},
	};

	int r;

	r = kapture_new(&mount->loop, &settings, &mount->kapture);
	if (!r)
		r = token_watch_init(&mount->token, config, mount->kapture);
	if (!r)
		kapture_set_keeper(mount->kapture,
		                   (struct kapture_keeper){ token_refused, &mount->token });
	return r;
}

static void answer_changed(void *userdata, const struct cache_change *change)
{
	struct mount *mount = userdata;

	if (mount->tree)
		tree_answer_changed(mount->tree, change);
	if (mount->notifier)
		notifier_answer_changed(mount->notifier, change);
}

static int open_catalog(struct mount *mount)
{
	const struct config *config = mount->settings->config;
	const struct catalog_settings settings = {
		.ttl_ms = config->ttl * 1000,
		.negative_ttl_ms = config->negative_ttl * 1000,
		.max_stale_ms = config->max_stale * 1000,
		.timeout_ms = config->timeout * 1000,
		.patience_ms = config->patience * 1000,
		.memory_max = config->memory,
		.waiting_max = WAITING_MAX,
		.offline = config->offline,
	};
	int r;

	r = catalog_new(&mount->loop, mount->cache, kapture_source(mount->kapture), &settings,
	                &mount->catalog);
	if (!r)
		catalog_listen(mount->catalog, (struct catalog_listener){ answer_changed, mount });
	return r;
}

static void mount_ready(void *userdata)
{
	struct mount *mount = userdata;

	/* From the report on, the log of a daemon goes to syslog. */
	daemon_report(&mount->daemon, EXIT_OK);
	mount->facts.mounted_ms = catalog_now_ms(mount->catalog);
	log_notice("session: mounted");
	if (mount->settings->ready)
		mount->settings->ready(mount->settings->userdata);
}

static void mount_ended(void *userdata)
{
	struct mount *mount = userdata;

	log_notice("session: unmounted");
	uv_stop(&mount->loop);
}

static int open_filesystem(struct mount *mount)
{
	const struct config *config = mount->settings->config;
	const struct filesystem_settings settings = {
		.uid = (uid_t)config->uid,
		.gid = (gid_t)config->gid,
		.umask = (mode_t)config->umask,
	};
	const struct session_settings session = {
		.mountpoint = mount->settings->mountpoint,
		.source = config->base_url,
		.options = config->fuse_options,
		.busy_poll_us = (uint32_t)config->busy_poll,
	};
	int r;

	r = tree_new(mount->catalog, mount->control, &mount->tree);
	if (!r)
		r = notifier_new(&mount->notifier);
	if (!r)
		r = filesystem_new(&mount->loop, mount->tree, mount->catalog, mount->notifier,
		                   &settings, mount_ready, mount, &mount->filesystem);
	if (!r)
		r = session_open(&mount->loop, mount->filesystem, mount->notifier, &session,
		                 mount_ended, mount, &mount->session);
	return r;
}

static int open_control(struct mount *mount)
{
	int r = control_new(&mount->control);

	if (r)
		return r;
	metrics_init(&mount->metrics);
	mount->facts = (struct facts_sources){
		.config = mount->settings->config,
		.mountpoint = mount->settings->mountpoint,
		.kapture = mount->kapture,
		.metrics = &mount->metrics,
	};
	control_files_add(mount->control, &mount->facts);
	return 0;
}

static void add_metrics(struct mount *mount)
{
	session_add_metrics(mount->session, &mount->metrics);
	filesystem_add_metrics(mount->filesystem, &mount->metrics);
	notifier_add_metrics(mount->notifier, &mount->metrics);
	catalog_add_metrics(mount->catalog, &mount->metrics);
	cache_add_metrics(mount->cache, &mount->metrics);
	kapture_add_metrics(mount->kapture, &mount->metrics);
}

static void told_to_end(uv_signal_t *handle, int number)
{
	log_notice("mount: ending signal=%d", number);
	uv_stop(handle->loop);
}

/* With the old token, if there is no better one, the API is asked again all the same. */
static void told_to_reload(uv_signal_t *handle, int number)
{
	struct mount *mount = handle->data;

	(void)number;
	if (!mount->kapture)
		return;
	token_watch_reload(&mount->token);
	kapture_open_door(mount->kapture);
}

static void catch_signals(struct mount *mount)
{
	static const struct {
		int number;
		uv_signal_cb came;
	} table[array_length(mount->signals)] = {
		{ SIGTERM, told_to_end },
		{ SIGINT, told_to_end },
		{ SIGHUP, told_to_reload },
	};

	for (size_t i = 0; i < array_length(table); i++) {
		uv_signal_init(&mount->loop, &mount->signals[i]);
		mount->signals[i].data = mount;
		uv_signal_start(&mount->signals[i], table[i].came, table[i].number);
	}
}

static int build(struct mount *mount)
{
	struct config_complaint complaint;
	int r;

	r = mountpoint_check_device(&complaint);
	if (r) {
		fprintf(stderr, "kapturefs: %s\n", complaint.text);
		return EXIT_FAILED;
	}
	r = open_cache(mount);
	if (r)
		return r;
	r = open_source(mount);
	if (!r)
		r = open_catalog(mount);
	if (!r)
		r = open_control(mount);
	if (!r)
		r = open_filesystem(mount);
	if (!r) {
		add_metrics(mount);
		mount->facts.filesystem = mount->filesystem;
		mount->facts.session = mount->session;
		return EXIT_OK;
	}

	fprintf(stderr, "kapturefs: cannot mount: %s\n", strerror(-r));
	return EXIT_FAILED;
}

/* In the reverse order; what closes on the loop needs it to run once more. */
static void tear_down(struct mount *mount)
{
	if (mount->filesystem)
		filesystem_fail_waiting(mount->filesystem, -ENOTCONN);
	session_close(mount->session);
	filesystem_free(mount->filesystem);
	tree_free(mount->tree);
	control_free(mount->control);
	catalog_free(mount->catalog);
	token_watch_fini(&mount->token);
	kapture_free(mount->kapture);
	for (size_t i = 0; i < array_length(mount->signals); i++)
		uv_close((uv_handle_t *)&mount->signals[i], NULL);
	/* A stop that nobody ran into yet would end the first round at once. */
	while (uv_run(&mount->loop, UV_RUN_DEFAULT))
		;
	notifier_free(mount->notifier);
	cache_close(mount->cache);
}

int serve(const struct serve_settings *settings)
{
	struct mount mount = { .settings = settings, .daemon.report = -1 };
	int status;
	int r;

	if (!settings->foreground) {
		r = daemon_fork(&mount.daemon);
		if (r) {
			fprintf(stderr, "kapturefs: cannot go into the background: %s\n",
			        strerror(-r));
			return EXIT_FAILED;
		}
	}
	r = uv_loop_init(&mount.loop);
	if (r) {
		fprintf(stderr, "kapturefs: cannot start: %s\n", uv_strerror(r));
		return EXIT_FAILED;
	}

	catch_signals(&mount);
	status = build(&mount);
	if (status == EXIT_OK)
		uv_run(&mount.loop, UV_RUN_DEFAULT);
	tear_down(&mount);
	uv_loop_close(&mount.loop);
	log_settle();
	daemon_report(&mount.daemon, status);
	return status;
}
