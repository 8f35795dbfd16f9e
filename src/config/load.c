/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kapturefs/config/detour.h"
#include "kapturefs/config/file.h"
#include "kapturefs/config/load.h"
#include "kapturefs/config/options.h"
#include "kapturefs/config/source.h"

#define SYSTEM_FILE "/etc/kapturefs.conf"

/* The request */

int config_request_init(struct config_request *request)
{
	*request = (struct config_request){ .directory = getcwd(NULL, 0) };
	return request->directory ? 0 : -errno;
}

void config_request_fini(struct config_request *request)
{
	free(request->source);
	free(request->options);
	free(request->directory);
	free(request->mountpoint);
	*request = (struct config_request){ 0 };
}

static int replace(char **place, char *text)
{
	if (!text)
		return -ENOMEM;
	free(*place);
	*place = text;
	return 0;
}

int config_request_set_source(struct config_request *request, const char *source)
{
	return replace(&request->source, strdup(source));
}

int config_request_add_options(struct config_request *request, const char *options)
{
	char *joined;

	if (!request->options)
		return replace(&request->options, strdup(options));
	if (asprintf(&joined, "%s,%s", request->options, options) < 0)
		return -ENOMEM;
	return replace(&request->options, joined);
}

/*
 * A path below the directory that a variable names, or below a place in the home directory;
 * NULL if neither is set.
 */
static int user_path(const char *variable, const char *place, const char *name, char **ret)
{
	const char *base = getenv(variable);
	const char *home = getenv("HOME");
	int length;

	*ret = NULL;
	if (base && base[0] == '/')
		length = asprintf(ret, "%s/kapturefs/%s", base, name);
	else if (home && home[0] == '/')
		length = asprintf(ret, "%s/%s/kapturefs/%s", home, place, name);
	else
		return 0;
	if (length < 0)
		*ret = NULL;
	return length < 0 ? -ENOMEM : 0;
}

/* The file */

/* Any other error than that there is none is told by whoever reads it. */
static bool exists(const char *path, const char *mountpoint)
{
	char *detour = NULL;

	/* Below the mount it cannot be looked for. */
	if (mountpoint && detour_find(path, mountpoint, &detour))
		return false;
	if (detour) {
		free(detour);
		return false;
	}
	return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

int config_user_file(char **ret)
{
	return user_path("XDG_CONFIG_HOME", ".config", "config", ret);
}

static int find_file(const char *mountpoint, char **ret)
{
	char *path;
	int r;

	r = config_user_file(&path);
	if (r)
		return r;
	if (path && !exists(path, mountpoint)) {
		free(path);
		path = NULL;
	}
	if (!path && exists(SYSTEM_FILE, mountpoint)) {
		path = strdup(SYSTEM_FILE);
		if (!path)
			return -ENOMEM;
	}
	*ret = path;
	return 0;
}

int config_find_file(char **ret)
{
	return find_file(NULL, ret);
}

static int apply_options(const struct config_request *request, struct config *config,
                         struct config_complaint *complaint)
{
	return request->options
	               ? config_set_options(config, request->options, request->directory, complaint)
	               : 0;
}

/* The command line is judged before any file, and says which one to read. */
static int choose_file(const struct config_request *request, char **ret,
                       struct config_complaint *complaint)
{
	struct config config;
	int r;

	config_init(&config);
	r = apply_options(request, &config, complaint);
	if (!r && request->mountpoint)
		r = config_avoid(&config, request->mountpoint, complaint);
	*ret = r ? NULL : steal(&config.config_file);
	config_fini(&config);
	return r || *ret ? r : find_file(request->mountpoint, ret);
}

/* What the file says for @config's source; *@ret_withheld is the line of a token for others. */
static int apply_file(const char *path, struct config *config, unsigned *ret_withheld,
                      struct config_complaint *complaint)
{
	struct config_file file;
	size_t section;
	int r;

	r = config_file_read(path, &file, complaint);
	if (r)
		return r == CONFIG_FILE_ABSENT ? -EINVAL : r;
	section = config_file_find(&file, config->base_url);
	if (config_file_withholds(&file, section, "token_file"))
		*ret_withheld = config_file_line(&file, section, "token_file");
	r = config_file_apply(&file, section, config, complaint);
	config_file_fini(&file);
	return r;
}

bool config_knows_source(const struct config_request *request)
{
	cleanup(config_fini) struct config config = { 0 };
	struct config_complaint complaint;
	struct config_file file;
	bool is_known;
	char *path;

	if (choose_file(request, &path, &complaint) || !path)
		return false;
	if (config_file_read(path, &file, &complaint)) {
		free(path);
		return false;
	}
	is_known = config_set_source(&config, request->source, &complaint) == 0 &&
	           config_file_find(&file, config.base_url) > 0;
	config_file_fini(&file);
	free(path);
	return is_known;
}

static int load(const struct config_request *request, struct config *config,
                struct config_complaint *complaint)
{
	unsigned withheld = 0;
	char *path;
	int r;

	r = choose_file(request, &path, complaint);
	if (r)
		return r;
	r = config_set_source(config, request->source, complaint);
	if (!r && path)
		r = apply_file(path, config, &withheld, complaint);
	if (!r)
		r = apply_options(request, config, complaint);
	if (!r)
		r = config_check_proxy(config, complaint);
	if (!r && withheld && !config->token_file && !getenv("CREDENTIALS_DIRECTORY"))
		r = config_complain(complaint,
		                    "%s:%u: token_file is for the sources that have a section; add "
		                    "[%s], or give -o token_file=PATH",
		                    path, withheld, request->source);
	if (!r)
		r = config_complete(config, complaint);
	if (!r && request->mountpoint)
		r = config_avoid(config, request->mountpoint, complaint);
	free(config->config_file);
	config->config_file = path;
	return r;
}

int config_load(const struct config_request *request, struct config *ret,
                struct config_complaint *complaint)
{
	struct config config;
	int r;

	config_init(&config);
	r = load(request, &config, complaint);
	if (r) {
		config_fini(&config);
		return r;
	}
	*ret = config;
	return 0;
}

int config_reload(const struct config_request *request, struct config *config,
                  struct config_complaint *complaint)
{
	struct config loaded;
	bool needs_remount;
	int r;

	r = config_load(request, &loaded, complaint);
	if (r)
		return r;
	needs_remount = config_take_changes(config, &loaded, complaint);
	config_fini(&loaded);
	return needs_remount ? CONFIG_NEEDS_REMOUNT : 0;
}

/* What follows from the rest */

static int complete_cache(struct config *config, struct config_complaint *complaint)
{
	char *name;
	int r = 0;

	if (asprintf(&name, "%s.db", config->host) < 0)
		return -ENOMEM;
	if (geteuid() != 0)
		r = user_path("XDG_CACHE_HOME", ".cache", name, &config->cache);
	else if (asprintf(&config->cache, "/var/cache/kapturefs/%s", name) < 0)
		config->cache = NULL, r = -ENOMEM;
	free(name);
	return r || config->cache ? r
	                          : config_complain(complaint, "HOME is not set; give cache=PATH");
}

/*
 * For allow_root the kernel is told allow_other, and libfuse turns the others away: those whose
 * requests it sees. What the kernel has in its caches, and opens, it is not asked about; there only
 * owner and mode hold.
 */
static int complete_allow_root(struct config *config, struct config_complaint *complaint)
{
	if (!config->allow_root)
		return 0;
	if (config->uid != getuid() && config->uid != 0)
		return config_complain(complaint, "option uid: allow_root lets in who mounts and "
		                                  "root, nobody else; leave out uid or take "
		                                  "allow_other");
	config->umask |= S_IRWXG | S_IRWXO;
	return 0;
}

int config_complete(struct config *config, struct config_complaint *complaint)
{
	int r = 0;

	config->cache_is_given = config->cache;
	if (!config->cache)
		r = complete_cache(config, complaint);
	if (!r)
		r = complete_allow_root(config, complaint);
	return r ? r : config_join_fuse_options(config);
}
