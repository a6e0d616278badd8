/* SPDX-License-Identifier: BSD-3-Clause */
/* The class: what the engine calls. */
#include "lb/lb.h"
#include "lb/lb_class.h"

static const struct nf_counter counters[] = {
	[LB_NO_SERVICE] = { "no-service",
	                    "First packets to a virtual address, or a source, where no service is.", true },
	[LB_NO_BACKEND] = { "no-backend", "First packets refused because no backend is up.", true },
	[LB_DENIED] = { "denied", "First packets of clients that the service does not let in.", true },
	[LB_SESSION_LIMIT] = { "session-limit", "First packets above the service's limit of sessions.",
	                       true },
	[LB_RATE_LIMIT] = { "rate-limit", "First packets above the service's rate of new sessions.", true },
	[LB_BACKENDS_FULL] = { "backends-full", "First packets refused because all backends are at a limit.",
	                       true },
	[LB_NO_PORT] = { "no-port", "First packets refused because no source port is left.", true },
	[LB_SAME_PORT] = { "same-port",
	                   "First packets of clients that share the backend's port, or its subnet, so that "
	                   "answers would not come "
	                   "back this way.",
	                   true },
	[LB_NOT_A_BEGINNING] = { "not-a-beginning",
	                         "TCP segments to a service, or from its backends, that begin no session.",
	                         true },
	[LB_NOT_TRANSLATABLE] = { "not-translatable", "Protocols without ports in mode \"full-nat\".", true },
	[LB_BACKEND_FAILED] = { "backend-failed", "Packets of sessions whose backend has failed.", true },
	[LB_BALANCED] = { "balanced", "Sessions given to a backend.", false },
	[LB_PERSISTED] = { "persisted", "Of these, those whose client was remembered.", false },
	[LB_BACKUP_USED] = { "backup-used", "Of these, those given to a backup.", false },
	[LB_FORGOTTEN] = { "forgotten", "Clients forgotten early for others, for lack of room.", false },
	[LB_TOO_BIG] = { "too-big", "Packets too large for the tunnel to a backend.", true },
	[LB_NEEDS_SESSION] = { "needs-session",
	                       "Packets to a service of a NAT mode for whose session there is no room.",
	                       true },
	[LB_STATELESS] = { "stateless",
	                   "Packets balanced by their hash, for there was no room for a session.", false },
	{ NULL, NULL, false },
};

const struct nf_class lb_class = {
	.name = "lb",
	.help = "layer-4 load balancer: virtual services of TCP, UDP or any protocol over backends; NAT, "
	        "full "
	        "NAT, direct return, tunnels",
	.flags = NF_NEEDS_ROUTED | NF_REWRITES | NF_PROVES | NF_STATELESS_OK,
	.slot = { .size = sizeof(struct lb_slot), .version = 1 },
	.counters = counters,
	.schema = lb_schema,
	.compile = lb_compile,
	.release = lb_release,
	.start = lb_start,
	.stop = lb_stop,
	.published = lb_published,
	.owner = lb_owner,
	.owners_differ = lb_owners_differ,
	.open = lb_open,
	.review = lb_review,
	.process = lb_process,
	.close = lb_close,
	.adopt = lb_adopt,
	.hear = lb_hear,
	.recall = lb_recall,
	.tick = lb_tick,
	.claims = lb_claims,
	.needs = lb_needs,
	.show = lb_show,
	.show_session = lb_show_session,
	.metrics = lb_metrics,
};
