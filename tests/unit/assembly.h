#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The whole file system in one process: what serve.c puts together, on a source of the test's own,
 * and a kernel on the other side. Include cmocka.h and its headers first.
 */

#include <uv.h>

#include "kernel.h"
#include "kapturefs/fs/control.h"
#include "kapturefs/fs/filesystem.h"
#include "kapturefs/fs/notifier.h"
#include "kapturefs/fs/session.h"
#include "kapturefs/fs/tree.h"
#include "kapturefs/store/cache.h"
#include "kapturefs/store/catalog.h"
#include "kapturefs/store/source.h"

struct assembly {
	struct kernel kernel;
	uv_loop_t loop;
	struct cache *cache;
	struct catalog *catalog;
	struct control *control;
	struct tree *tree;
	struct notifier *notifier;
	struct filesystem *filesystem;
	struct session *session;
	bool is_ready;
	bool has_ended;
};

static inline void assembly_ready(void *userdata)
{
	struct assembly *assembly = userdata;

	assembly->is_ready = true;
}

static inline void assembly_ended(void *userdata)
{
	struct assembly *assembly = userdata;

	assembly->has_ended = true;
}

static inline void assembly_changed(void *userdata, const struct cache_change *change)
{
	struct assembly *assembly = userdata;

	tree_answer_changed(assembly->tree, change);
	notifier_answer_changed(assembly->notifier, change);
}

static inline int assembly_print(void *userdata, struct buffer *text)
{
	(void)userdata;
	return buffer_append_text(text, "kapturefs\n");
}

/** The loop first: a source may live on it. */
static inline void assembly_init(struct assembly *assembly, kernel_reply_fn *replied,
                                 void *userdata)
{
	*assembly = (struct assembly){ 0 };
	assert_int_equal(uv_loop_init(&assembly->loop), 0);
	kernel_begin(&assembly->kernel, replied, userdata);
}

static inline int assembly_build(struct assembly *assembly, const char *cache_path,
                                 struct source *source, const struct catalog_settings *settings)
{
	const struct filesystem_settings filesystem = { .umask = 0277 };
	char mountpoint[32];
	const struct session_settings session = {
		.mountpoint = mountpoint,
		.source = "https://x",
		.descriptor = -1,
	};
	int r;

	snprintf(mountpoint, sizeof(mountpoint), "/dev/fd/%d", assembly->kernel.peer);
	r = cache_open(cache_path, "https://x", &assembly->cache);
	if (!r)
		r = catalog_new(&assembly->loop, assembly->cache, source, settings,
		                &assembly->catalog);
	if (!r)
		r = control_new(&assembly->control);
	if (!r)
		r = tree_new(assembly->catalog, assembly->control, &assembly->tree);
	if (!r)
		r = notifier_new(&assembly->notifier);
	if (!r)
		r = filesystem_new(&assembly->loop, assembly->tree, assembly->catalog,
		                   assembly->notifier, &filesystem, assembly_ready, assembly,
		                   &assembly->filesystem);
	if (r)
		return r;

	control_add(assembly->control, "version", assembly_print, NULL);
	catalog_listen(assembly->catalog, (struct catalog_listener){ assembly_changed, assembly });
	return session_open(&assembly->loop, assembly->filesystem, assembly->notifier, &session,
	                    assembly_ended, assembly, &assembly->session);
}

/** Run what is due, without waiting, and take the replies. */
static inline void assembly_run(struct assembly *assembly)
{
	for (int i = 0; i < 3; i++)
		uv_run(&assembly->loop, UV_RUN_NOWAIT);
	kernel_receive(&assembly->kernel);
}

/** Stop, in the order of serve.c. Nobody is left without a reply, and nothing is left at all. */
static inline void assembly_close(struct assembly *assembly)
{
	assembly->kernel.is_ending = true;
	if (assembly->filesystem)
		filesystem_fail_waiting(assembly->filesystem, -ENOTCONN);
	kernel_receive(&assembly->kernel);
	session_close(assembly->session);
	filesystem_free(assembly->filesystem);
	tree_free(assembly->tree);
	control_free(assembly->control);
	catalog_free(assembly->catalog);
	while (uv_run(&assembly->loop, UV_RUN_DEFAULT))
		;
	notifier_free(assembly->notifier);
	cache_close(assembly->cache);
}

/** What is left once the source has gone, too. */
static inline void assembly_fini(struct assembly *assembly)
{
	assert_int_equal(uv_loop_close(&assembly->loop), 0);
	kernel_end(&assembly->kernel);
}
