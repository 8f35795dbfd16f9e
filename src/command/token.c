/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kapturefs/base/log.h"
#include "kapturefs/command/token.h"
#include "kapturefs/config/secrets.h"

static int find_path(const struct config *config, char **ret)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	int length = 0;

	if (config->token_file)
		length = asprintf(ret, "%s", config->token_file);
	else if (credentials)
		length = asprintf(ret, "%s/kapture-token", credentials);
	return length < 0 ? -ENOMEM : 0;
}

static bool is_same_file(const struct stat *left, const struct stat *right)
{
	return left->st_dev == right->st_dev && left->st_ino == right->st_ino &&
	       left->st_size == right->st_size && left->st_mode == right->st_mode &&
	       left->st_uid == right->st_uid && left->st_mtim.tv_sec == right->st_mtim.tv_sec &&
	       left->st_mtim.tv_nsec == right->st_mtim.tv_nsec &&
	       left->st_ctim.tv_sec == right->st_ctim.tv_sec &&
	       left->st_ctim.tv_nsec == right->st_ctim.tv_nsec;
}

/* Note what the file looks like now; tells whether that is news. */
static bool note_file(struct token_watch *watch)
{
	struct stat now = { 0 };
	int error = stat(watch->path, &now) < 0 ? -errno : 0;
	bool is_news = error != watch->error || !is_same_file(&now, &watch->seen);

	watch->seen = now;
	watch->error = error;
	return is_news;
}

void token_watch_fini(struct token_watch *watch)
{
	free(steal(&watch->path));
}

static int read_token(struct token_watch *watch, struct config_complaint *complaint)
{
	cleanup(config_secrets_fini) struct config_secrets secrets = { 0 };
	struct config token_alone = *watch->config;
	int r;

	token_alone.header_file = NULL;
	token_alone.body_file = NULL;
	r = config_read_secrets(&token_alone, &secrets, complaint);
	return r ? r : kapture_set_token(watch->kapture, secrets.token);
}

int token_watch_init(struct token_watch *watch, const struct config *config,
                     struct kapture *kapture)
{
	struct config_complaint complaint;

	*watch = (struct token_watch){ .config = config, .kapture = kapture };
	if (find_path(config, &watch->path)) {
		watch->path = NULL;
		return -ENOMEM;
	}
	if (!watch->path)
		return 0;

	/*
	 * It may have changed since it was read; if it cannot be read now, it is news again
	 * later.
	 */
	(void)note_file(watch);
	if (read_token(watch, &complaint))
		watch->seen = (struct stat){ 0 };
	return 0;
}

static void take_token(struct token_watch *watch)
{
	struct config_complaint complaint;
	int r = read_token(watch, &complaint);

	if (r)
		log_error("token: the old one is kept: %s",
		          r == -EINVAL ? complaint.text : strerror(-r));
	else
		log_notice("token: taken up from its file");
}

void token_watch_look(struct token_watch *watch)
{
	if (watch->path && note_file(watch))
		take_token(watch);
}

int token_watch_reload(struct token_watch *watch)
{
	char *path = NULL;

	if (find_path(watch->config, &path))
		return -ENOMEM;
	free(watch->path);
	watch->path = path;
	if (!watch->path)
		return 0;
	(void)note_file(watch);
	take_token(watch);
	return 0;
}
