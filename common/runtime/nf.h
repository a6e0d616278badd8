/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The contract of a network function. A class is a static table of calls; an instance (struct nf) is one configured
 * function of an engine; its configuration is an immutable snapshot compiled off the datapath; its live state hangs from
 * nf->live. Together with pkt.h, session.h and batch.h this is all that a function's author must know.
 *
 * Threads: compile, release, start, stop, claims, show, metrics run on the control side, one at a time; owner, open, review,
 * process, close, adopt, tick run on the worker that owns the packet or session, and never block, lock or allocate.
 */
#ifndef SLUICE_RUNTIME_NF_H
#define SLUICE_RUNTIME_NF_H

#include <jansson.h>

#include "config/conf.h"
#include "config/schema.h"
#include "manage/metrics.h"
#include "manage/rest.h"
#include "runtime/batch.h"
#include "util/errors.h"

struct engine;
struct nf;

enum nf_flag {
	NF_NEEDS_ROUTED = 1 << 0, /* cannot stand in a transparent service */
	NF_MAY_BYPASS = 1 << 1,   /* onFailure = "bypass" may be asked for */
	NF_STATELESS_OK =
	        1
	        << 2, /* process() takes packets without a session: such come when there is no room for one */
	NF_PROVES = 1 << 4,   /* open() may call opening_prove() */
	NF_REWRITES = 1 << 3, /* open() may rewrite the tuple; its sessions drain when it leaves a path */
	NF_AHEAD =
	        1
	        << 5, /* compile() may take long, and needs no start(): a process that stands by does it ahead */
};

enum nf_need {
	NEEDS_EDGE = 1 << 0, /* nf_leave_via(): ports with neighbours, which a process behind a hop has not */
};

struct nf_counter {
	const char *name; /* "denied", "no-port": kebab-case */
	const char *help;
	bool drop; /* a reason for a drop */
};

/* What a function keeps in each session. version changes with the meaning of the bytes. */
struct slot_layout {
	uint16_t size; /* <= 32 bytes */
	uint16_t version;
};

/* How an opening came about. */
enum opening_flag {
	OPEN_MIDSTREAM =
	        1
	        << 0, /* TCP without SYN, or a function added to a live session's path: must not rewrite then, but for OPEN_PICKUP */
	OPEN_ADDED = 1 << 1,  /* the latter: the session lives already */
	OPEN_PROVEN = 1 << 2, /* its originator has shown that it gets our answers, or cannot be asked to */
	OPEN_PRESSED =
	        1
	        << 3, /* half-open sessions are many (engine.synProxyAt): "auto" has its originator prove itself */
	OPEN_ASIDE = 1 << 5, /* there is no room among them: without opening_prove() it is refused */
	/* With OPEN_MIDSTREAM: an acknowledging segment (or SCTP data) that may be of a flow that a predecessor process knew and this one does not;
	 * either end may speak first. May be accepted where policy allows the flow in either direction. */
	OPEN_PICKUP = 1 << 4,
};

/* One session being opened, as it looks at this position. */
struct opening {
	struct tuple
	        tuple; /* as the packets of direction 0 arrive here; open() may rewrite it for those behind */
	struct rte_mbuf
	        *m; /* the first packet, unedited (addresses and ports: use tuple); NULL when OPEN_ADDED */
	struct session *session; /* reserved; the slot (nf_slot) is zeroed and may be written */
	uint16_t in_port; /* outside ports at the ends of the path, in walking order: engine's port numbers */
	uint16_t out_port;
	uint16_t flags;      /* enum opening_flag */
	uint8_t walk;        /* 0: the originator walks along the path */
	uint8_t attempt;     /* > 0: the keys clashed on the last attempt; a NAT takes another port */
	uint8_t verdict;     /* enum verdict; set by opening_refuse() or opening_take() */
	uint8_t reason;      /* of a refusal: the counter */
	uint8_t ended;       /* set by opening_end() */
	uint8_t proves;      /* set by opening_prove() */
	uint8_t answer_zone; /* zone in which answers come in; set by the engine, changed by opening_end() */
};

/* The openings of one vector that are still alive at this position. */
struct openings {
	struct opening *list[BATCH_MAX];
	unsigned count;
	uint64_t now; /* nanoseconds */
	uint64_t *counters;
	struct worker *worker;
	const struct path *path;
	uint16_t worker_id;
	uint16_t position;
};

/* The counter tells of a dropped packet; a live session that is refused (OPEN_ADDED) brought none. */
static inline void opening_refuse(struct openings *os, struct opening *o, unsigned counter)
{
	if (o->m)
		os->counters[counter]++;
	o->verdict = VERDICT_DROP;
	o->reason = (uint8_t)counter;
}

/* The function has taken the packet over (answered it, emitted it elsewhere); no session comes of it. */
static inline void opening_take(struct opening *o)
{
	o->verdict = VERDICT_TAKE;
}

/* The session ends at this function (hairpin, tunnel): no function behind is asked, and answers enter here, as packets that
 * this function emits in `zone`. process() of this function must TAKE the packets that reach it this way. */
static inline void opening_end(struct opening *o, uint8_t zone)
{
	o->ended = 1;
	o->answer_zone = zone;
}

/* When clients have to show that they are there before their servers hear of them. */
enum syn_proxy {
	SYN_PROXY_OFF,
	SYN_PROXY_AUTO, /* while half-open sessions are many */
	SYN_PROXY_ON,
};

/* SYN proxy: the engine answers a TCP SYN in the server's name with a cookie and forgets it; a client that acknowledges it opens the session, with
 * OPEN_PROVEN and its SYN as if it had just come. True: so it is, and the function is done with this opening. Not for sessions whose answers go another way
 * (opening_oneway()). */
static inline bool opening_prove(struct opening *o, enum syn_proxy when)
{
	if (when == SYN_PROXY_OFF || (when == SYN_PROXY_AUTO && !(o->flags & OPEN_PRESSED)))
		return false;
	if (o->tuple.proto != IPPROTO_TCP || !o->m || o->flags & (OPEN_MIDSTREAM | OPEN_ADDED | OPEN_PROVEN))
		return false;
	o->proves = 1;
	o->verdict = VERDICT_TAKE;
	return true;
}

/* Answers do not come back this way (direct return, tunnels): the session has no reverse key, its TCP states are those that its
 * originator shows, and nobody checks windows. */
static inline void opening_oneway(struct opening *o)
{
	o->session->flags |= SESSION_ONEWAY;
}

/* An address that the function says is its own (NAT pool, virtual address): the edge answers for it on the port at the end of
 * the path that the function faces outward: the path's last port, or the first one. */
struct nf_claim {
	union ipaddr address;
	uint8_t family;
	uint8_t length; /* prefix length */
	bool first_end;
};
typedef void nf_claim_fn(void *context, const struct nf_claim *claim);

/* How sure a function is of a packet's owner: by its opinion's upper bits. */
enum nf_owner {
	NF_NO_OWNER = 0,
	NF_OWNER_SIDE = 1 << 8,     /* by the side that it comes from */
	NF_OWNER_ENDPOINT = 2 << 8, /* one end is known to the function */
	NF_OWNER_CLAIM = 3 << 8,    /* it is for an address that the function claims */
};

/* What an instance that serves a hop and its counterpart, the shadow in the process whose hop it is, say to each other. The class's own. */
struct nf_message {
	uint32_t words[8];
};

struct nf_class {
	const char *name; /* the kind: "firewall" */
	const char *help; /* one sentence */
	unsigned flags;
	struct slot_layout slot;
	const struct nf_counter *counters; /* ends with name NULL; may be NULL */
	const struct schema *schema;       /* of its `config` group; may be NULL */

	/* Compiles a checked configuration (defaults filled in) into a snapshot; `previous` is the present one or NULL. NULL with errors added. */
	void *(*compile)(struct nf *nf, const void *previous, const struct conf *config,
	                 struct errors *errors);
	void (*release)(void *snapshot); /* after the grace period */
	int (*start)(struct nf *nf,
	             struct errors *errors); /* live state (nf->live), before the first compile; 0 or -1 */
	void (*stop)(struct nf *nf);
	/* A configuration is the running one, and workers have left the previous: now live state that is no worker's may follow it (compile is also
	 * for dry runs). here: the function stands on a path of this process; else it is the shadow of one behind a hop, or on no path, and does
	 * nothing. After each publication, changed or not. */
	void (*published)(struct nf *nf, const void *snapshot, bool here);

	/* Owner bucket (0..255) of packets with this tuple that come to the function with this walk, before any lookup, with how sure it is (enum
	 * nf_owner; of several functions on a path the surest is heard), or NF_NO_OWNER. Pure. */
	unsigned (*owner)(const struct nf *nf, const void *snapshot, const struct tuple *tuple, int walk);
	/* Whether two snapshots name other owners for the same packets: sessions then move between workers. NULL: never. */
	bool (*owners_differ)(const void *a, const void *b);
	void (*open)(const struct nf *nf, const void *snapshot, struct openings *openings);
	/* Judges a live session anew after a policy change. tuple: as direction 0 arrives here; the function replays its rewrite on it.
	 * PASS: go on; TAKE: the session ends here; DROP: it is closed. */
	enum verdict (*review)(const struct nf *nf, const void *snapshot, struct session *s,
	                       struct tuple *tuple, uint16_t in_port, uint16_t out_port);
	void (*process)(const struct nf *nf, const void *snapshot, struct batch *b);
	void (*close)(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id);
	/* A session that a dead predecessor of this process left in its memory file, with the slot as it was: the function takes back what the
	 * session holds (ports, mappings, counts), for close() will give it back. False: it cannot, and has taken nothing; the session is dropped and
	 * counted. On the session's worker before its first packet, one worker after the other. NULL: nothing to take. The session is reviewed
	 * besides, on its next packet. */
	bool (*adopt)(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id);
	/* The counterpart says something; true: `answer` goes back. Any worker, at the same time as others. */
	bool (*hear)(const struct nf *nf, const void *snapshot, const struct nf_message *message,
	             struct nf_message *answer, uint64_t now);
	/* What the counterpart has to know before it is given this session; false: nothing. The session's worker. */
	bool (*ahead)(const struct nf *nf, const void *snapshot, const struct session *s,
	              struct nf_message *message);
	/* The function is behind a hop, and a predecessor of this process left a session whose packets of this walk arrive there with this tuple: their bucket says
	 * what belongs to whom. Before any packet. */
	void (*recall)(const struct nf *nf, const void *snapshot, const struct tuple *tuple, int walk,
	               unsigned bucket);
	/* Periodic work of one worker; returns its next deadline in nanoseconds (UINT64_MAX: none). */
	uint64_t (*tick)(const struct nf *nf, const void *snapshot, unsigned worker_id, uint64_t now);

	void (*claims)(const struct nf *nf, const void *snapshot, nf_claim_fn *fn, void *context);
	/* What this configuration needs of the process that it runs in: bits of enum nf_need. NULL: nothing. */
	unsigned (*needs)(const struct nf *nf, const void *snapshot);
	/* Operational state below /v1/state/<topic>: answers 0 and a new reference in *out, or a negative errno (ENOENT: no such topic). */
	int (*show)(const struct nf *nf, const void *snapshot, const char *topic,
	            const struct rest_request *request, json_t **out);
	/* Fills in the slot's view of a session for REST: members are added to `out`. Worker thread; may be NULL. */
	void (*show_session)(const struct nf *nf, const void *snapshot, const struct session *s, json_t *out);
	void (*metrics)(const struct nf *nf, const void *snapshot, struct metrics *metrics);
};

#define NF_NAME_MAX  64
#define NF_SLOT_NONE UINT32_MAX

/* One instance in an engine. Made and freed by the control side; const to workers. */
struct nf {
	const struct nf_class *klass;
	char name[NF_NAME_MAX];
	uint16_t id;          /* stable for the engine's life */
	uint16_t workers;     /* how many: size of per-worker live state */
	uint32_t slot_offset; /* in the slot area of every session; NF_SLOT_NONE: it has none */
	uint32_t
	        seed; /* of its random choices: fixed by configuration for comparisons, random in production */
	struct engine *engine;
	void *live; /* the class's own; per-worker parts are indexed by worker_id and written by that worker alone */
};

static inline void *nf_slot(const struct nf *nf, struct session *s)
{
	return session_slot(s, nf->slot_offset);
}

/* Lookup has asked for the line in which the slots of a session begin; this asks for the slots of a function that lie behind it. */
static inline void nf_prefetch_slots(const struct nf *nf, struct batch *b)
{
	if (nf->slot_offset < RTE_CACHE_LINE_SIZE)
		return;
	for (unsigned i = 0; i < b->count; i++)
		if (batch_pkt(b, i)->session)
			__builtin_prefetch(nf_slot(nf, batch_pkt(b, i)->session));
}

/* What functions may ask of the engine; worker thread. */

/* Queues a packet for a later batch of this worker: it goes on at `position` (inclusive; one past either end: out by the edge),
 * walking along (0) or against (1) the path. With a session it keeps it (an ICMP error that turned round). With NULL it is a new
 * packet: parsed, owned and looked up anew in the zone that the caller has set in pkt_of(m)->zone; a miss is opened from `position` on. The mbuf is
 * the engine's from now on; freed and counted when the packet has turned more than twice. */
void nf_emit(struct worker *worker, const struct path *path, int position, int walk, struct rte_mbuf *m,
             struct session *session);

enum { EMITTED_ZONE = 0x80 };

/* The zone of packets that a function emits as new ones (the far side of a hairpin, of a tunnel): one for each instance. */
static inline uint8_t nf_zone(const struct nf *nf)
{
	return (uint8_t)(EMITTED_ZONE | nf->id);
}

/* A fresh mbuf of this worker's pool with a cleared struct pkt, or NULL (counted). */
struct rte_mbuf *nf_mbuf(struct worker *worker);

/* Answers an offending packet with an ICMP error (or, `reset`, a TCP RST) from the edge's address facing its sender; rate-limited; turns round at
 * `position`. The offending packet stays the caller's. type/code as in ICMPv4; translated for IPv6. */
enum nf_reject { NF_REJECT_ADMIN, NF_REJECT_PORT, NF_REJECT_HOST, NF_REJECT_RESET };
void nf_reject(struct worker *worker, const struct path *path, unsigned position, int walk,
               struct rte_mbuf *offending, enum nf_reject how);

/* Where a packet of the function's own goes in, from tick(). */
struct nf_place {
	struct worker *worker;
	const struct path *path;
	int position, walk;
	uint16_t port; /* outside port at the end behind it: the packet's in_port */
};
/* The function's place on the path that leads to a destination, as the edge routes; where the edge cannot tell (behind a hop, no route): on the first
 * path that has the function, with `walk` as it is given. False: it stands on none. */
bool nf_place(const struct nf *nf, unsigned worker_id, uint8_t family, const union ipaddr *destination,
              int walk, struct nf_place *place);
/* Whether packets to an address leave by the port that an opening came in by, at the other end of its path: answers would come in where none are looked for. */
bool nf_turns_back(const struct worker *worker, const struct opening *o, const union ipaddr *destination);
/* Whether two hosts are in one subnet of a port, and answer each other past us. */
bool nf_one_subnet(const struct worker *worker, uint8_t family, const union ipaddr *a, const union ipaddr *b);
/* The packet was for the function itself: counted as delivered, and freed. */
void nf_deliver(struct worker *worker, struct rte_mbuf *m);

/* The same for a packet that is larger than what it was to go through (a tunnel): the sender is told how large one may be, in bytes of IP. */
void nf_too_big(struct worker *worker, const struct path *path, unsigned position, int walk,
                struct rte_mbuf *offending, uint16_t mtu);

/* From process(): packets that were TAKEn go out by the edge at once, past the functions behind; it is another packet than the one that came (a tunnel's),
 * and routed by its destination. */
void nf_leave(struct batch *b, struct rte_mbuf **m, unsigned n);
/* The same to a next hop that the function chose, a host on the link of a port of the edge, whatever the packet's destination is. A class that does so has
 * NEEDS_EDGE among its needs(). */
void nf_leave_via(struct batch *b, struct rte_mbuf *m, const union ipaddr *next_hop);

/* Whether this process serves the hops of another, which then has the say over what a function has in both. Worker. */
bool nf_serves_hop(const struct nf *nf, unsigned worker_id);
/* From tick() where it does: to the counterpart. It may be lost, or answered by a worker of its own (hear()). False: nobody is there, or it has no room now. */
bool nf_tell(const struct nf *nf, unsigned worker_id, const struct nf_message *message);

/* One log line or event from a worker: queued without blocking, rate-limited; format is static. `text` at most 200 bytes are kept. */
void nf_log(struct worker *worker, const struct nf *nf, const char *event, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Control side. */

/* What the function makes of its configuration has changed without it (names that resolve to other addresses): it is compiled anew and published, soon,
 * by a control thread. Any thread but a worker's; never waits. */
void nf_renew(const struct nf *nf);

/* Runs fn on every worker between two turns, one after the other, and waits for each: how REST reads what workers own. fn must be short. */
typedef void nf_worker_fn(const struct nf *nf, unsigned worker_id, uint64_t now, void *argument);
void nf_on_workers(const struct nf *nf, nf_worker_fn *fn, void *argument);
/* Waits until each worker has been between two turns: what none could take up since is in no worker's hands. */
void nf_settle(const struct nf *nf);
/* Whether a change is under way with which sessions move: a function that has been told of it already (`published`) meets packets of its own only when it
 * is told again. Control side. */
bool nf_moving(const struct nf *nf);

/* The engine's number of an outside port by name (as in the service's configuration), or -1; and back ("?" if unknown). */
int engine_port_number(const struct engine *engine, const char *name);
const char *engine_port_name(const struct engine *engine, unsigned port);

#endif
