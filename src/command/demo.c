/* SPDX-License-Identifier: MIT */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kapturefs/command/command.h"
#include "kapturefs/command/companion.h"
#include "kapturefs/command/mountpoint.h"
#include "kapturefs/command/serve.h"
#include "kapturefs/command/terminal.h"
#include "kapturefs/config/options.h"
#include "kapturefs/config/source.h"
#include "kapturefs/sandbox/program.h"

enum { LINE_MAX_SIZE = 128, TOKEN_BYTES = 16 };

/* The process that serves; it lives as long as the descriptor is open in this one. */
struct server {
	pid_t pid;
	int life;
	char url[LINE_MAX_SIZE];
	char phone[LINE_MAX_SIZE]; /* of customers, for examples */
	char email[LINE_MAX_SIZE];
	char id[LINE_MAX_SIZE];
};

struct demo {
	struct server server;
	struct config config;
	char *mountpoint;
	char token[2 * TOKEN_BYTES + 1];
};

/* Printed when they work. */
static void print_commands(void *userdata)
{
	const struct demo *demo = userdata;
	const struct server *server = &demo->server;

	printf("%d generated customers are at %s. In another terminal, try\n\n"
	       "  cat %s/by-phone/%s/name\n"
	       "  ls -l %s/by-email/%s/contacts/primary/\n"
	       "  grep -r . %s/by-id/%s\n\n"
	       "Ctrl-C ends the demo.\n",
	       SANDBOX_DEMO_CUSTOMERS, demo->mountpoint, demo->mountpoint, server->phone,
	       demo->mountpoint, server->email, demo->mountpoint, server->id);
	fflush(stdout);
}

static int complain(const char *text, int status)
{
	terminal_complain("kapturefs: demo: %s", text);
	return status;
}

/* In the new process. Both descriptors are above those that they become. */
static _Noreturn void become_server(int input, int output)
{
	char name[] = SANDBOX_FOR_DEMO;
	char *arguments[] = { name, NULL };

	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	_exit(companion_run("demo", arguments));
}

/* Returns 0, *@ret_output to be read, or a negative errno. */
static int fork_server(struct server *server, int *ret_output)
{
	int input[2];
	int output[2];

	if (pipe2(input, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(output, O_CLOEXEC) < 0) {
		int error = errno;

		close(input[0]);
		close(input[1]);
		return -error;
	}
	server->pid = fork();
	if (server->pid == 0)
		become_server(input[0], output[1]);
	close(input[0]);
	close(output[1]);
	server->life = input[1];
	*ret_output = output[0];
	return server->pid < 0 ? -EAGAIN : 0;
}

static bool read_line(FILE *output, char ret[static LINE_MAX_SIZE])
{
	char *end;

	if (!fgets(ret, LINE_MAX_SIZE, output))
		return false;
	end = strchr(ret, '\n');
	if (!end)
		return false;
	*end = '\0';
	return true;
}

/* What it says when it serves. */
static bool hear_server(struct server *server, int descriptor)
{
	FILE *output = fdopen(descriptor, "r");
	bool has_said_all;

	if (!output) {
		close(descriptor);
		return false;
	}
	has_said_all = read_line(output, server->url) && read_line(output, server->phone) &&
	               read_line(output, server->email) && read_line(output, server->id);
	(void)fclose(output);
	return has_said_all;
}

/* Returns whether it has ended with an error that it has told. */
static bool stop_server(struct server *server)
{
	int status;

	if (server->life >= 0)
		close(server->life);
	server->life = -1;
	if (server->pid <= 0)
		return false;
	while (waitpid(server->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return false;
	}
	server->pid = 0;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_LOCAL;
}

/* Returns an exit status. */
static int start_server(struct server *server, const char *token)
{
	int output = -1;
	int r;

	r = fork_server(server, &output);
	if (r)
		return complain(strerror(-r), EXIT_LOCAL);
	dprintf(server->life, "%s\n", token);
	if (hear_server(server, output))
		return EXIT_OK;
	return stop_server(server)
	               ? EXIT_LOCAL
	               : complain(SANDBOX_PROGRAM " has ended before it served", EXIT_LOCAL);
}

/* One that nobody else can know: the port is everybody's. */
static bool make_token(char ret[static 2 * TOKEN_BYTES + 1])
{
	unsigned char bytes[TOKEN_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	return true;
}

static int complain_of(int r, const struct config_complaint *complaint)
{
	return r == -EINVAL ? complain(complaint->text, EXIT_USAGE)
	                    : complain(strerror(-r), EXIT_LOCAL);
}

/* The server is the source, and nothing is kept on disk. */
static int configure(struct demo *demo, struct config_complaint *complaint)
{
	int r;

	r = config_set_source(&demo->config, demo->server.url, complaint);
	return r ? r : config_set_option(&demo->config, "cache", ":memory:", NULL, complaint);
}

static int run(struct demo *demo, const char *mountpoint)
{
	const struct config_secrets secrets = { .token = demo->token };
	struct config_complaint complaint;
	int status;
	int r;

	r = mountpoint_check(mountpoint, &demo->mountpoint, &complaint);
	if (r)
		return complain_of(r, &complaint);
	if (!make_token(demo->token))
		return complain(strerror(errno), EXIT_LOCAL);
	status = start_server(&demo->server, demo->token);
	if (status != EXIT_OK)
		return status;
	r = configure(demo, &complaint);
	if (r)
		return complain_of(r, &complaint);

	status = serve(&(struct serve_settings){
	        .config = &demo->config,
	        .secrets = &secrets,
	        .mountpoint = demo->mountpoint,
	        .foreground = true,
	        .ready = print_commands,
	        .userdata = demo,
	});
	return status == EXIT_FAILED ? EXIT_LOCAL : status;
}

int command_demo(int argc, char **argv)
{
	struct demo demo = { .server.life = -1 };
	int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
	int status;

	if (argc != first + 1 || (first == 1 && argv[1][0] == '-'))
		return complain("give a MOUNTPOINT and nothing more", EXIT_USAGE);

	serve_harden();
	/* The server's token is the only one that counts here. */
	unsetenv("CREDENTIALS_DIRECTORY");
	config_init(&demo.config);
	status = run(&demo, argv[first]);
	(void)stop_server(&demo.server);
	config_fini(&demo.config);
	free(demo.mountpoint);
	return status;
}
