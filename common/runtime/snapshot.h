/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration that workers run: immutable from the moment it is published, freed after a grace period. Built by the
 * control side in snapshot.c (from a checked document), published by engine_apply().
 */
#ifndef SLUICE_RUNTIME_SNAPSHOT_H
#define SLUICE_RUNTIME_SNAPSHOT_H

#include "config/shared.h"
#include "edge/edge.h"
#include "runtime/classify.h"
#include "runtime/nf.h"

enum {
	ENGINE_PORTS_MAX = EDGE_PORTS_MAX,
	ENGINE_NFS_MAX = SHARED_FUNCTIONS_MAX,
	ENGINE_PATHS_MAX = 256,
	PATH_POSITIONS_MAX = SHARED_POSITIONS_MAX,
	ENGINE_CANDIDATES_MAX = 512,
	PATH_DRAINS_MAX = 3,
	OWNER_BUCKETS = 256,
	PORT_OWNERS_MAX = 4,
};
static_assert((int)ENGINE_PORTS_MAX < (int)EMITTED_ZONE && (int)ENGINE_NFS_MAX <= (int)EMITTED_ZONE,
              "zones are bytes");

enum on_failure { ON_FAILURE_DROP, ON_FAILURE_BYPASS };

/* A position is a function called directly, or a hop: two links to the process that runs it. */
struct position {
	const struct nf *nf;     /* NULL: a hop */
	const void *snapshot;    /* of the function; of a hop: its shadow's */
	const struct nf *shadow; /* of a hop: compiled here for its claims alone */
	bool draining; /* takes no new sessions: those that have its slot go on through it (change/drain.h) */
	uint16_t link[2];   /* of a hop: ports a (walk 0 goes in here) and b */
	uint8_t on_failure; /* enum on_failure */
	uint16_t hop;       /* of a hop: index of its state word in the engine */
	char name[NF_NAME_MAX];
};

struct segment {
	int16_t first,
	        end; /* positions: of its first function in walking order, and behind its last; equal: it has none */
	uint8_t entry_zone, answer_zone;
	uint16_t layout; /* which slots its sessions have: index in engine.layouts */
	uint8_t walk;
	uint64_t set;    /* bit i: function i is one of it */
	uint64_t drains; /* those besides, which former sessions have */
	uint16_t draining_layout
	        [1 << PATH_DRAINS_MAX]; /* by which of `drains` a session has, the lowest is bit 0 */
};

struct path {
	char name[NF_NAME_MAX];
	uint16_t id;      /* stable as long as the name lives; index in snapshot.paths */
	uint16_t ends[2]; /* outside ports: first, last */
	uint16_t count;   /* of positions */
	uint8_t symmetric;
	uint8_t rewrites;    /* some function may rewrite */
	uint32_t generation; /* moves when a function on it was compiled anew, and with its structure */
	uint32_t structure;  /* revision with which its positions last changed */
	int32_t priority;
	uint16_t order;    /* place in the document: among equals, the first is asked first */
	uint64_t nf_set;   /* bit i: function (or shadow) with id i stands on it, and takes new sessions */
	uint64_t draining; /* those that take none any more */
	struct nfp_rules match; /* what enters it; no rules: everything */
	uint16_t segment_count;
	struct segment segments[2 * (PATH_POSITIONS_MAX + 1)];
	struct position positions[PATH_POSITIONS_MAX];
};

/* Whether both walk the same functions and hops between the same ports; b may be NULL. */
bool path_same_walk(const struct path *a, const struct path *b);

/* How packets of one ingress port may enter. */
struct candidate {
	const struct path *path;
	uint8_t walk;
};

enum port_role {
	PORT_UNUSED,
	PORT_OUTSIDE, /* belongs to the edge */
	PORT_LINK,    /* to a hop */
};

/* A function that names owner buckets, and how it is asked. */
struct owner {
	const struct nf *nf;
	const void *snapshot;
	uint8_t walk, of_answer; /* of_answer: of the reversed tuple */
};

struct snapshot_port {
	uint8_t role;
	uint8_t walk;            /* of a link: packets that come by it go on this way ... */
	int16_t position;        /* ... from this position ... */
	const struct path *path; /* ... of this path */
	uint8_t look_up;         /* of a link: whether its segment keeps sessions */
	uint8_t zone;            /* of the keys of what comes in: its number and one */
	uint8_t vlans;           /* keys have their VLANs, too */
	uint8_t mac[6];
	uint8_t check_mac; /* routed outside port: other destinations are not for us */
	uint16_t first_candidate,
	        candidates; /* of an outside port: range in snapshot.candidates, in priority order */
	uint8_t owner_count;
	struct owner owners[PORT_OWNERS_MAX]; /* who is asked for the owner bucket; none: the address pair */
};

struct snapshot {
	uint64_t revision;
	struct edge_table *edge;
	uint8_t edge_mode;      /* enum edge_mode */
	uint8_t separate_vlans; /* keys have their VLANs */
	uint8_t pass_unmatched; /* packets of no path go past all functions, they are not dropped */
	uint16_t port_count;    /* highest number in use + 1 */
	uint16_t path_count;    /* highest id in use + 1 */
	uint16_t workers;       /* how many own packets: 0 .. workers - 1; the others are parked */
	uint8_t bucket_worker[OWNER_BUCKETS]; /* owner of each bucket */
	struct snapshot_port ports[ENGINE_PORTS_MAX];
	struct path *paths[ENGINE_PATHS_MAX]; /* by id; NULL: none */
	const struct nf *nfs[ENGINE_NFS_MAX]; /* by id; NULL: none */
	void *nf_snapshots[ENGINE_NFS_MAX];
	uint32_t nf_generation[ENGINE_NFS_MAX];
	uint8_t nf_carried[ENGINE_NFS_MAX]; /* shared with the next snapshot: not released with this one */
	struct candidate candidates[ENGINE_CANDIDATES_MAX];
	uint16_t candidate_count;
};

#endif
