#pragma once
/* SPDX-License-Identifier: MIT */
/*
 * The life of a FUSE request, from its handler to its one reply.
 *
 * A request is served by asking the tree. What only the API can answer parks the request; when
 * the key that it lacks has been answered, or the wait is over, it is served again.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "kapturefs/base/base.h"
#include "kapturefs/base/log.h"
#include "kapturefs/base/metrics.h"
#include "kapturefs/fs/libfuse.h"
#include "kapturefs/fs/notifier.h"
#include "kapturefs/fs/tree.h"
#include "kapturefs/store/catalog.h"

struct requests; /* all that are waiting */
struct request;

/** The outcome of serving what has been done, but cannot be seen by everybody yet. */
enum { REQUEST_SETTLING = 2 };

/**
 * Reply and return 0; or return TREE_MISSING with request->query naming the key,
 * REQUEST_SETTLING to be asked again in a moment, or a negative errno to be replied.
 */
typedef int request_serve_fn(struct request *request);

/** What a request wants beyond an answer: that something be done. */
struct request_order {
	uint64_t max_age_ms; /* of an answer that will do, 0 for none */
	bool insists;        /* on a new answer */
	bool is_done;        /* the next is known */
	int outcome;         /* to be replied, a negative errno or what the ioctl returns */
};

/** What the kernel is to be told before a request is replied to. */
struct request_telling {
	struct notification what;
	uint64_t since_ms; /* of uv_hrtime(); 0: nothing */
};

/** One request as a value; on the stack until it has to wait. */
struct request {
	struct requests *requests;
	fuse_req_t req;
	const char *operation; /* for the log */
	request_serve_fn *serve;
	void *context; /* the server's */
	uint64_t number;
	const char *name;
	size_t size;
	off_t offset;
	bool by_descriptor;  /* of getattr: for somebody who has it open */
	bool plus;           /* of readdir: with nodes */
	bool seeks_hole;     /* of lseek */
	uint64_t started_ns; /* of uv_hrtime() */
	struct tree_query query;
	struct request_order order;
	struct request_telling telling;
};

/**
 * Begin on @loop; @catalog outlives it. A request that has waited for @wait_max_ms, which is
 * longer than the catalog ever takes, is answered EIO and reported as a bug. Returns 0 or
 * a negative errno.
 */
int requests_new(uv_loop_t *loop, struct catalog *catalog, uint64_t wait_max_ms,
                 struct requests **ret) must_check;

/** End; none may be waiting. The memory goes once the loop has run. NULL is ignored. */
void requests_free(struct requests *requests);

/** Register how many wait and how long each took. */
void requests_add_metrics(struct requests *requests, struct metrics *metrics);

/** A request that has just come. */
struct request request_new(struct requests *requests, fuse_req_t req, uint64_t number,
                           const char *operation, request_serve_fn *serve, void *context);

/** Serve those that settle again at once. May be called by any thread. */
void requests_wake(struct requests *requests);

/** Serve @request now, or later, when it has what it lacks. It is replied to exactly once. */
void request_run(struct request *request);

/** What somebody waits for, without saying whom it is about. */
struct request_waiting {
	const char *operation; /* static */
	enum key_kind kind;    /* of the key that it lacks */
	struct log_hash customer;
	uint64_t waited_ms;
};

/** Those that have waited longest, in that order, at most @max. Returns how many. */
size_t requests_list_waiting(const struct requests *requests, struct request_waiting *ret,
                             size_t max);

/** Reply @error (negative errno) to every waiting request. */
void requests_fail_waiting(struct requests *requests, int error);
