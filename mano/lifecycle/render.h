/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a service's descriptor to the documents that its processes run (docs/ENGINE.md): one for the service process,
 * one for each VNF that has a process of its own and is on a chain. Pure functions, any thread; the result is the
 * caller's.
 */
#ifndef SLUICE_LIFECYCLE_RENDER_H
#define SLUICE_LIFECYCLE_RENDER_H

#include "config/conf.h"

/* The part of a rendered document below `rendered` came from below `source` of the descriptor. */
struct render_origin {
	char *rendered; /* "functions[0].config" */
	char *source;   /* "vnfs[2].config" */
};

struct rendering {
	char *vnf;     /* "" : the service process */
	char *program; /* name of the executable: sluice-chain, sluice-nat */
	char *build;   /* its path, if it is not where all are; NULL */
	struct conf *document;
	struct render_origin *origins;
	size_t origins_count;
};

struct renderings {
	struct rendering *list; /* the service process first */
	size_t count;
};

/* The service must have passed descriptor_check. run_folder is where services have their folders. */
struct renderings render_service(const struct conf *service, const char *run_folder);
void renderings_free(struct renderings *renderings);

/* A path of the rendered document as one of the descriptor; malloc'd. One that came from nowhere stays as it is. */
char *render_source(const struct rendering *rendering, const char *path);

#endif
