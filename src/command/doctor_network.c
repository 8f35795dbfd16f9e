/* SPDX-License-Identifier: MIT */
/* From the name to the answer: each step by itself, and only if the one before held. */

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "kapturefs/command/doctor.h"
#include "kapturefs/command/question.h"
#include "kapturefs/command/words.h"

enum {
	ADDRESS_SIZE = 1024,
	PORT_SIZE = 16,
};

struct place {
	char host[ADDRESS_SIZE];
	char port[PORT_SIZE];
	bool is_proxy;
};

static bool is_tls(const struct doctor *doctor)
{
	return strncmp(doctor->config.base_url, "https:", 6) == 0;
}

/* `scheme://[user@]host[:port][/...]`, an IPv6 address in brackets. */
static struct place read_url(const char *url, const char *port)
{
	const char *start = strstr(url, "://");
	struct place place = { .port = "" };
	size_t length;

	start = start ? start + 3 : url;
	length = strcspn(start, "/?#");
	for (size_t i = 0; i < length; i++) {
		if (start[i] == '@') {
			start += i + 1;
			length -= i + 1;
			i = 0;
		}
	}
	if (*start == '[') {
		size_t end = strcspn(start, "]");

		snprintf(place.host, sizeof(place.host), "%.*s", (int)end - 1, start + 1);
		start += end + (start[end] == ']');
		length = strcspn(start, "/?#");
	} else {
		size_t end = strcspn(start, ":/?#");

		snprintf(place.host, sizeof(place.host), "%.*s", (int)end, start);
		start += end;
		length -= end;
	}
	snprintf(place.port, sizeof(place.port), "%s", port);
	if (*start == ':')
		snprintf(place.port, sizeof(place.port), "%.*s", (int)length - 1, start + 1);
	return place;
}

/* Whom to connect to: the source, or the proxy in front of it; 1080 is libcurl's own default. */
static struct place find_place(const struct doctor *doctor)
{
	struct place place;

	if (!doctor->config.proxy)
		return read_url(doctor->config.base_url, is_tls(doctor) ? "443" : "80");
	place = read_url(doctor->config.proxy, "1080");
	place.is_proxy = true;
	return place;
}

/* The name */

static struct addrinfo *check_name(struct doctor *doctor, const struct place *place)
{
	const char *name = place->is_proxy ? "name of the proxy" : "name";
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *addresses = NULL;
	int r = getaddrinfo(place->host, place->port, &hints, &addresses);
	int count = 0;

	if (r) {
		doctor_say(doctor, name, DOCTOR_FAILED,
		           "check its spelling, the network, and /etc/resolv.conf", "%s: %s",
		           place->host, gai_strerror(r));
		return NULL;
	}
	for (const struct addrinfo *address = addresses; address; address = address->ai_next)
		count++;
	doctor_say(doctor, name, DOCTOR_WELL, NULL, "%s has %d address%s", place->host, count,
	           count == 1 ? "" : "es");
	return addresses;
}

/* The connection */

static int connect_to(const struct addrinfo *address, int timeout_ms)
{
	struct pollfd writable = { .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0;
	int r;

	writable.fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (writable.fd < 0)
		return -errno;
	r = connect(writable.fd, address->ai_addr, address->ai_addrlen) < 0 ? -errno : 0;
	if (r == -EINPROGRESS) {
		r = poll(&writable, 1, timeout_ms) == 1 ? 0 : -ETIMEDOUT;
		if (!r && getsockopt(writable.fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
			r = -error;
	}
	close(writable.fd);
	return r;
}

static bool check_connection(struct doctor *doctor, const struct place *place,
                             const struct addrinfo *addresses)
{
	int timeout_ms = (int)doctor->config.connect_timeout * 1000;
	uint64_t began_ns = uv_hrtime();
	char duration[WORDS_SIZE];
	int r = -EHOSTUNREACH;

	for (const struct addrinfo *address = addresses; address && r; address = address->ai_next)
		r = connect_to(address, timeout_ms);
	if (r)
		doctor_say(doctor, "connection", DOCTOR_FAILED,
		           r == -ECONNREFUSED ? "check the port, and that the server runs"
		                              : "check the network and the firewall; behind a "
		                                "proxy, give proxy=URL",
		           "%s, port %s: %s", place->host, place->port, strerror(-r));
	else
		doctor_say(doctor, "connection", DOCTOR_WELL, NULL, "%s, port %s, within %s",
		           place->host, place->port,
		           words_duration((uv_hrtime() - began_ns) / 1000000, duration));
	return r == 0;
}

/* The question */

/* Without a reply a protocol error is one of TLS, for nothing else comes before it. */
static bool check_tls(struct doctor *doctor, const struct question_outcome *outcome)
{
	if (!is_tls(doctor)) {
		doctor_say(doctor, "TLS", DOCTOR_WELL, NULL, "not used on this machine itself");
		return true;
	}
	if (outcome->error == -EPROTO && !outcome->status) {
		doctor_say(doctor, "TLS", DOCTOR_FAILED,
		           "check the clock, and the host's name; for authorities of one's own, "
		           "give cafile=PATH",
		           "%s", outcome->cause);
		return false;
	}
	if (!outcome->status) {
		doctor_say(doctor, "TLS", DOCTOR_SKIPPED, NULL, "there was no reply");
		return true;
	}
	doctor_say(doctor, "TLS", DOCTOR_WELL, NULL, "the certificate is good");
	return true;
}

/* It failed in words that would be an absence if the configuration said so. */
static bool has_unknown_sentence(const struct question_outcome *outcome)
{
	return outcome->sentence[0] && outcome->status < 500 && outcome->error != -EBUSY;
}

static void check_answer(struct doctor *doctor, const struct question_outcome *outcome)
{
	if (has_unknown_sentence(outcome))
		doctor_say(
		        doctor, "API", DOCTOR_FAILED,
		        "if that says that there is no such customer, give it as "
		        "absent_text=TEXT (commas may be left out)",
		        "of a customer that cannot exist it says \"%s\" (HTTP %ld), which is not "
		        "documented",
		        outcome->sentence, outcome->status);
	else if (!outcome->error)
		doctor_say(doctor, "API", DOCTOR_WELL, NULL, "it accepts the token");
	else if (outcome->is_refused)
		doctor_say(doctor, "API", DOCTOR_FAILED,
		           "ask Kapture for a valid token, and put it into the token file",
		           "it refuses the token");
	else if (outcome->error == -EBUSY)
		doctor_say(doctor, "API", DOCTOR_NOTE, "wait, or lower rate=N/s",
		           "it wants fewer requests, so that the token could not be tried");
	else if (outcome->error == -EACCES)
		doctor_say(doctor, "API", DOCTOR_FAILED,
		           "look for a firewall in front of it; else ask Kapture what may be asked",
		           "%s, HTTP %ld", outcome->cause, outcome->status);
	else if (outcome->error == -EHOSTUNREACH && doctor->config.proxy)
		doctor_say(doctor, "proxy", DOCTOR_FAILED,
		           "check proxy=URL, its name and password, and what the proxy allows",
		           "%s", outcome->cause);
	else if (outcome->status)
		doctor_say(doctor, "API", DOCTOR_FAILED,
		           "check SOURCE: this may not be the server of Kapture", "HTTP %ld: %s",
		           outcome->status, outcome->cause);
	else
		doctor_say(doctor, "API", DOCTOR_FAILED, NULL, "%s, %s", strerror(-outcome->error),
		           outcome->cause);
}

static void check_api(struct doctor *doctor)
{
	struct question_outcome outcome;
	int r;

	if (!doctor->has_token) {
		doctor_say(doctor, "API", DOCTOR_SKIPPED, NULL, "without a token");
		return;
	}
	r = question_ask(&doctor->config, &doctor->secrets, 0, &outcome);
	if (r)
		doctor_say(doctor, "API", DOCTOR_FAILED, NULL, "%s", strerror(-r));
	else if (check_tls(doctor, &outcome))
		check_answer(doctor, &outcome);
}

void doctor_check_network(struct doctor *doctor)
{
	struct addrinfo *addresses;
	struct place place;

	if (!doctor->has_source) {
		doctor_say(doctor, "API", DOCTOR_SKIPPED, NULL, "without a source");
		return;
	}
	place = find_place(doctor);
	addresses = check_name(doctor, &place);
	if (addresses && check_connection(doctor, &place, addresses))
		check_api(doctor);
	if (addresses)
		freeaddrinfo(addresses);
}
