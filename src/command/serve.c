/* SPDX-License-Identifier: MIT */
/*
 * Mounting happens in an order that lets every mistake be told to whoever
 * made it: whatever can be checked without doing anything has been; then the
 * fork, the cache and the network, of which nothing is asked yet; then the mount, and whatever the
 * daemon can do without is given up (confine.h); then threads; then the report that it is usable.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <uv.h>

#include "kapturefs/base/error_name.h"
#include "kapturefs/base/log.h"
#include "kapturefs/command/attachment.h"
#include "kapturefs/command/command.h"
#include "kapturefs/command/confine.h"
#include "kapturefs/command/control_files.h"
#include "kapturefs/command/daemon.h"
#include "kapturefs/command/facts.h"
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/command/overhear.h"
#include "kapturefs/command/question.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/command/service.h"
#include "kapturefs/command/settings.h"
#include "kapturefs/command/stack.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/fs/control.h"
#include "kapturefs/fs/filesystem.h"
#include "kapturefs/fs/session.h"
#include "kapturefs/fs/tree.h"

/* The usual soft limit is for programs that use select(). */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

void serve_harden(void)
{
	raise_file_limit();
	umask(077);
}

/*
 * What would end a process that has made nothing of it would leave a dead mount behind, in which
 * everything fails. SIGXFSZ is a disk that is full (EFBIG); to be stopped for writing to the
 * terminal would hold up everybody.
 */
static void ignore_signals(void)
{
	static const int numbers[] = {
		SIGALRM,   SIGVTALRM, SIGPROF, SIGUSR1, SIGUSR2, SIGPOLL, SIGXFSZ, SIGTTIN, SIGTTOU,
#ifdef SIGSTKFLT
		SIGSTKFLT,
#endif
	};

	for (size_t i = 0; i < array_length(numbers); i++)
		signal(numbers[i], SIG_IGN);
	for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
		signal(number, SIG_IGN);
}

enum { COMPLAINT_SIZE = 1024, QUESTION_MS = 1000 };

/* Everything that is built, from the bottom up. */
struct mount {
	const struct serve_settings *settings;
	struct daemon daemon;
	struct stack stack;
	uv_signal_t signals[6];
	struct service service;
	struct attachment attachment;
	struct confinement confinement;
	struct metrics metrics;
	struct control *control;
	struct facts_sources facts;
	struct notifier *notifier;
	struct tree *tree;
	struct filesystem *filesystem;
	struct session *session;
	struct question *question; /* of whether the API takes the token */
	uv_timer_t hurry;          /* due when whoever has started us has waited enough for it */
};

static void set_level(const struct mount *mount)
{
	log_set_level(mount->settings->debug ? LOG_LEVEL_DEBUG
	                                     : (enum log_level)mount->settings->config->log_level);
}

static int open_cache(struct mount *mount)
{
	const struct config *config = mount->settings->config;
	int r;

	set_level(mount);
	r = config->log_file ? log_set_file(config->log_file) : 0;
	if (r) {
		terminal_complain("kapturefs: log_file=%s: %s", config->log_file,
		                  r == -EINVAL ? "no regular file" : strerror(-r));
		return EXIT_FAILED;
	}
	/* Of a mount that was handed over the path is a unit's, and no typing error. */
	r = stack_open_cache(&mount->stack, config,
	                     !config->cache_is_given ||
	                             attachment_descriptor(mount->settings->mountpoint) >= 0);
	if (!r)
		return EXIT_OK;

	terminal_complain("kapturefs: cache %s: %s", config->cache, stack_cache_complaint(r));
	return EXIT_FAILED;
}

static void answer_changed(void *userdata, const struct cache_change *change)
{
	struct mount *mount = userdata;

	if (mount->tree)
		tree_answer_changed(mount->tree, change);
	if (mount->notifier)
		notifier_answer_changed(mount->notifier, change);
}

static bool is_shown(void *userdata, uint32_t customer, uint32_t ordinal, uint16_t version)
{
	const struct mount *mount = userdata;

	return mount->tree && tree_keeps(mount->tree, customer, ordinal, version);
}

static int open_stack(struct mount *mount)
{
	int r = stack_open(&mount->stack, mount->settings->config, mount->settings->secrets);

	if (r)
		return r;
	catalog_listen(mount->stack.catalog, (struct catalog_listener){ answer_changed, mount });
	cache_on_shown(mount->stack.cache, is_shown, mount);
	return 0;
}

/* Who has started us hears it; where that is over, the log has it. */
static void warn(const struct mount *mount, const struct question_outcome *outcome)
{
	char why[QUESTION_TEXT_SIZE];

	if (outcome->error && question_explain(outcome, mount->settings->config, why))
		terminal_complain("kapturefs: warning: mounted, but %s", why);
}

static void question_answered(void *userdata, const struct question_outcome *outcome)
{
	struct mount *mount = userdata;

	log_notice("mount: asked error=%s", outcome->error ? error_name(-outcome->error) : "none");
	if (uv_is_active((uv_handle_t *)&mount->hurry))
		warn(mount, outcome);
	uv_timer_stop(&mount->hurry);
	daemon_report(&mount->daemon, EXIT_OK);
}

static void question_takes_long(uv_timer_t *timer)
{
	struct mount *mount = timer->data;

	daemon_report(&mount->daemon, EXIT_OK);
}

/* Whether the API is there and takes the token, unless it has done so before. */
static bool ask(struct mount *mount)
{
	const struct serve_settings *settings = mount->settings;

	if (settings->config->offline || settings->config->strict ||
	    cache_knows_token(mount->stack.cache, settings->secrets->token))
		return false;
	if (question_start(mount->stack.kapture, question_answered, mount, &mount->question) ||
	    uv_timer_start(&mount->hurry, question_takes_long, QUESTION_MS, 0))
		return false;
	log_notice("mount: asking whether the API takes the token");
	return true;
}

static void mount_ready(void *userdata)
{
	struct mount *mount = userdata;

	/* What is logged from now on is not for who has started us. */
	if (!mount->settings->foreground)
		log_set_daemon();
	mount->facts.mounted_ms = catalog_now_ms(mount->stack.catalog);
	if (!ask(mount))
		daemon_report(&mount->daemon, EXIT_OK);
	log_notice("session: mounted");
	service_ready(mount->settings->config->base_url);
	if (mount->settings->ready)
		mount->settings->ready(mount->settings->userdata);
}

static void mount_ended(void *userdata)
{
	struct mount *mount = userdata;

	log_notice("session: unmounted");
	uv_stop(&mount->stack.loop);
}

/* A user's daemon had to have fusermount3, which is set-user-ID, mount before. */
static int mount_made(void *userdata)
{
	struct mount *mount = userdata;

	return confine(mount->settings->config, &mount->confinement);
}

static int open_filesystem(struct mount *mount)
{
	const struct config *config = mount->settings->config;
	const struct filesystem_settings settings = {
		.uid = (uid_t)config->uid,
		.gid = (gid_t)config->gid,
		.xattr = config->xattr,
		.umask = (mode_t)config->umask,
	};
	struct session_settings session = {
		.mountpoint = mount->settings->mountpoint,
		.source = config->base_url,
		.options = config->fuse_options,
		.busy_poll_us = (uint32_t)config->busy_poll,
		.descriptor = -1,
		.unmounter = mount->attachment.unmounter,
		.mounted = mount_made,
		.userdata = mount,
	};
	int r;

	r = tree_new(mount->stack.catalog, mount->control, &mount->tree);
	if (!r)
		r = notifier_new(&mount->notifier);
	if (!r)
		r = filesystem_new(&mount->stack.loop, mount->tree, mount->stack.catalog,
		                   mount->notifier, &settings, mount_ready, mount,
		                   &mount->filesystem);
	if (r)
		return r;
	session.descriptor = attachment_take(&mount->attachment);
	return session_open(&mount->stack.loop, mount->filesystem, mount->notifier, &session,
	                    mount_ended, mount, &mount->session);
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
		.kapture = mount->stack.kapture,
		.catalog = mount->stack.catalog,
		.metrics = &mount->metrics,
		.confinement = &mount->confinement,
	};
	control_files_add(mount->control, &mount->facts);
	return 0;
}

static void add_metrics(struct mount *mount)
{
	turns_add_metrics(&mount->stack.turns, &mount->metrics);
	session_add_metrics(mount->session, &mount->metrics);
	filesystem_add_metrics(mount->filesystem, &mount->metrics);
	notifier_add_metrics(mount->notifier, &mount->metrics);
	catalog_add_metrics(mount->stack.catalog, &mount->metrics);
	cache_add_metrics(mount->stack.cache, &mount->metrics);
	kapture_add_metrics(mount->stack.kapture, &mount->metrics);
}

static void told_to_end(uv_signal_t *handle, int number)
{
	log_notice("mount: ending signal=%d", number);
	uv_stop(handle->loop);
}

/* Read the configuration again. What is wrong is told, and nothing of it taken. */
static void reload_config(struct mount *mount)
{
	struct config *config = mount->settings->config;
	struct kapture_settings source;
	struct catalog_settings catalog;
	struct config_complaint complaint;
	int r;

	r = config_reload(mount->settings->request, config, &complaint);
	if (r < 0) {
		log_error("config: the old one is kept: %s",
		          r == -EINVAL ? complaint.text : strerror(-r));
		return;
	}
	source = settings_for_source(config, mount->settings->secrets);
	catalog = settings_for_catalog(config);
	set_level(mount);
	kapture_change(mount->stack.kapture, &source);
	catalog_change(mount->stack.catalog, &catalog);
	if (r == CONFIG_NEEDS_REMOUNT)
		log_warning("config: read again; these wait for a remount: %s", complaint.text);
	else
		log_notice("config: read again");
}

/* With the old token, if there is no better one, the API is asked again all the same. */
static void told_to_reload(uv_signal_t *handle, int number)
{
	struct mount *mount = handle->data;

	(void)number;
	if (!mount->stack.catalog)
		return;
	if (mount->settings->config->log_file && log_set_file(mount->settings->config->log_file))
		log_error("log: its file cannot be opened anew");
	if (mount->settings->request)
		reload_config(mount);
	if (token_watch_reload(&mount->stack.token))
		log_error("token: no memory to look at its file");
	kapture_renew_connections(mount->stack.kapture);
	kapture_open_doors(mount->stack.kapture);
}

static void catch_signals(struct mount *mount)
{
	static const struct {
		int number;
		uv_signal_cb came;
	} table[array_length(mount->signals)] = {
		{ SIGTERM, told_to_end }, { SIGINT, told_to_end }, { SIGQUIT, told_to_end },
		{ SIGXCPU, told_to_end }, { SIGPWR, told_to_end }, { SIGHUP, told_to_reload },
	};

	for (size_t i = 0; i < array_length(table); i++) {
		uv_signal_init(&mount->stack.loop, &mount->signals[i]);
		mount->signals[i].data = mount;
		uv_signal_start(&mount->signals[i], table[i].came, table[i].number);
	}
}

static int build(struct mount *mount)
{
	struct config_complaint complaint;
	struct overhear overhear;
	char cause[COMPLAINT_SIZE] = "";
	int r;

	r = mountpoint_check_device(mount->settings->mountpoint, &complaint);
	if (!r && attachment_descriptor(mount->settings->mountpoint) < 0)
		r = mountpoint_check_sharing(mount->settings->config, &complaint);
	if (r) {
		terminal_complain("kapturefs: %s", complaint.text);
		return EXIT_FAILED;
	}
	r = open_cache(mount);
	if (r)
		return r;
	/* What talks to the network is made after everything has been given up. */
	r = attachment_make(&mount->attachment, mount->settings->mountpoint,
	                    mount->settings->config);
	if (!r)
		r = open_stack(mount);
	if (!r)
		r = open_control(mount);
	if (!r) {
		overhear_begin(&overhear);
		r = open_filesystem(mount);
		overhear_end(&overhear, cause, sizeof(cause));
	}
	if (!r) {
		add_metrics(mount);
		mount->facts.filesystem = mount->filesystem;
		mount->facts.session = mount->session;
		return EXIT_OK;
	}

	terminal_complain("kapturefs: cannot mount: %s", *cause ? cause : strerror(-r));
	return EXIT_FAILED;
}

/* In the reverse order; what closes on the loop needs it to run once more. */
static void tear_down(struct mount *mount)
{
	service_stopping();
	if (mount->filesystem)
		filesystem_fail_waiting(mount->filesystem, -ENOTCONN);
	session_close(mount->session);
	filesystem_free(mount->filesystem);
	tree_free(steal(&mount->tree));
	control_free(mount->control);
	question_free(mount->question);
	uv_close((uv_handle_t *)&mount->hurry, NULL);
	stack_close(&mount->stack);
	for (size_t i = 0; i < array_length(mount->signals); i++)
		uv_close((uv_handle_t *)&mount->signals[i], NULL);
	service_fini(&mount->service);
	stack_fini(&mount->stack);
	attachment_fini(&mount->attachment);
	notifier_free(mount->notifier);
}

int serve(const struct serve_settings *settings)
{
	struct mount mount = {
		.settings = settings,
		.daemon.report = -1,
		.attachment.descriptor = -1,
	};
	int status;
	int r;

	ignore_signals();
	if (!settings->foreground) {
		r = daemon_fork(&mount.daemon);
		if (r) {
			terminal_complain("kapturefs: cannot go into the background: %s",
			                  strerror(-r));
			return EXIT_FAILED;
		}
	}
	r = stack_init(&mount.stack);
	if (r) {
		terminal_complain("kapturefs: cannot start: %s", uv_strerror(r));
		return EXIT_FAILED;
	}

	catch_signals(&mount);
	uv_timer_init(&mount.stack.loop, &mount.hurry);
	mount.hurry.data = &mount;
	service_init(&mount.service, &mount.stack.loop);
	status = build(&mount);
	if (status == EXIT_OK)
		uv_run(&mount.stack.loop, UV_RUN_DEFAULT);
	tear_down(&mount);
	log_settle();
	daemon_report(&mount.daemon, status);
	return status;
}
