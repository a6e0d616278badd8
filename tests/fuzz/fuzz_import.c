/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes of sessions that a hop's other end sends, which may be another build, or broken: they are put into the tables of a real engine with a
 * firewall, a NAT, a load balancer (the input's first byte says which), in link mode, and packets of theirs follow. Frames are those of real
 * sessions, learned at the start, with the input's bytes laid over them. At the end of each input every packet is accounted for, and when all sessions are
 * closed nothing is held: no mbuf, no port of the NAT, no mapping, no session of a backend.
 * A step: what (1 byte), length (1), these bytes: offset (1) and value (1) by turns.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "import_holds.h"
#include "firewall/firewall_class.h"
#include "lb/lb_class.h"
#include "nat/nat_class.h"
#include "runtime/change/transfer.h"
#include "runtime/process/eal.h"
#include "runtime/balance.h"
#include "runtime/worker.h"
#include "support/packets.h"

enum { BASES_MAX = 8, FRAME_MAX = 320, BODY = 16, OPENERS = 4 };
enum { STEP_SESSION, STEP_PACKET, STEP_ANSWER, STEP_ASK, STEP_PROBE, STEP_MESSAGE, STEPS };

/* A real session: the frame that tells of it, and what that says. */
struct base {
	uint8_t frame[FRAME_MAX];
	uint16_t length;
	struct transfer_frame decoded;
};

struct part {
	const char *functions; /* of the document */
	struct packet_spec openers[OPENERS];
	uint8_t in_by; /* the link by which they come */
	const struct path *path;
	struct base bases[BASES_MAX];
	unsigned base_count;
};

/* One engine with a path through each. */
static struct {
	struct engine *engine;
	unsigned mbufs; /* that are free while nothing happens */
	uint64_t now;
} world;

#define CLIENT(PROTO, TO, PORT)                                                               \
	{                                                                                     \
		.src = "192.0.2.10", .dst = TO, .proto = PROTO, .sport = 1000, .dport = PORT, \
		.tcp_flags = 2, .icmp_type = 8, .icmp_id = 7                                  \
	}
#define CLIENT6(PROTO, TO, PORT)                                                                  \
	{                                                                                         \
		.src = "2001:db8:1::10", .dst = TO, .proto = PROTO, .sport = 1000, .dport = PORT, \
		.tcp_flags = 2, .icmp_type = 128, .icmp_id = 7                                    \
	}

static struct part parts[] = {
	{ .functions = "{ name = \"fw\"; kind = \"firewall\"; config = { default = \"drop\"; rules = ("
	               "{ name = \"a\"; protocol = \"tcp\"; action = \"accept\"; }, { name = \"b\"; action = "
	               "\"accept\"; log = true; } ); }; }",
	  .openers = { CLIENT(IPPROTO_TCP, "198.51.100.254", 80), CLIENT(IPPROTO_UDP, "198.51.100.254", 53),
	               CLIENT(IPPROTO_ICMP, "198.51.100.254", 0),
	               CLIENT6(IPPROTO_TCP, "2001:db8:2::fe", 80) } },
	{ .functions =
	          "{ name = \"nat\"; kind = \"nat\"; config = { pools = ( { name = \"public\"; addresses = [ "
	          "\"198.51.100.10-198.51.100.11\" ]; } ); forwards = ( { name = \"www\"; outside = "
	          "\"198.51.100.11\"; protocol = \"tcp\"; ports = \"8080\"; inside = \"192.0.2.10\"; "
	          "insidePort = 8000; } ); mapping = \"endpoint-independent\"; filtering = "
	          "\"address-dependent\"; }; }",
	  .openers = { CLIENT(IPPROTO_TCP, "198.51.100.254", 80), CLIENT(IPPROTO_UDP, "198.51.100.254", 53),
	               CLIENT(IPPROTO_ICMP, "198.51.100.254", 0),
	               CLIENT(IPPROTO_UDP, "198.51.100.10", 99) } },
	{ .functions =
	          "{ name = \"lb\"; kind = \"lb\"; config = { services = ( { name = \"web\"; address = "
	          "\"198.51.100.80\"; ports = \"80\"; backends = ( { name = \"one\"; address = "
	          "\"192.0.2.11\"; "
	          "port = 8000; }, { name = \"two\"; address = \"192.0.2.12\"; port = 8000; } ); }, { name = "
	          "\"six\"; address = \"2001:db8:2::80\"; ports = \"80\"; mode = \"full-nat\"; source = "
	          "\"six\"; "
	          "backends = ( { name = \"one\"; address = \"2001:db8:1::11\"; port = 8000; } ); } ); "
	          "sources = "
	          "( { name = \"six\"; addresses = [ \"2001:db8:1::200-2001:db8:1::203\" ]; } ); }; }",
	  .in_by = 1,
	  .openers = { CLIENT(IPPROTO_TCP, "198.51.100.80", 80), CLIENT6(IPPROTO_TCP, "2001:db8:2::80", 80),
	               CLIENT(IPPROTO_UDP, "203.0.113.9", 53), CLIENT6(IPPROTO_UDP, "2001:db8:9::9", 53) } },
};

int LLVMFuzzerInitialize(int *count, char ***arguments);
const char *__asan_default_options(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Workers lie in memory where leaks are not looked for, and with them all that leads to what they use. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

#define PORTS(NAME)                                                                                \
	"{ name = \"" NAME ".a\"; as = \"lan\"; device = \"synth:?silent=1\"; }, { name = \"" NAME \
	".b\"; as = \"wan\"; device = \"synth:?silent=1\"; }"
#define PATH(NAME) "{ name = \"" NAME "\"; path = [ \"" NAME ".a\", \"" NAME "\", \"" NAME ".b\" ]; }"

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static void turn(void)
{
	world.now += 1000000;
	worker_turn(world.engine->workers[0], world.now);
}

/* As if it had come from a port. */
static void deliver(const struct part *part, uint16_t link, const uint8_t *frame, uint16_t length)
{
	struct worker *w = world.engine->workers[0];
	struct rte_mbuf *m = worker_mbuf(w);

	require(m != NULL, "an mbuf is free");
	memcpy(rte_pktmbuf_append(m, length), frame, length);
	w->counters[C_RECEIVED]++;
	ingress_burst(w, part->path->ends[link], &m, 1);
}

static void deliver_spec(struct part *part, uint16_t link, const struct packet_spec *spec)
{
	struct rte_mbuf *m = packet_build(spec);

	deliver(part, link, rte_pktmbuf_mtod(m, const uint8_t *), rte_pktmbuf_data_len(m));
	packet_free(m);
}

/* --- learning --- */

static struct conf *document(void)
{
	char text[4096];
	struct errors errors = ERRORS_NONE;
	struct conf *doc;

	snprintf(text, sizeof(text),
	         "engine = { sessions = 1024; mbufs = 2048; idle = \"poll\"; seed = 1; };\n"
	         "edge = { mode = \"link\"; ports = ( " PORTS("fw") ", " PORTS("nat") ", " PORTS(
	                 "lb") " ); };\n"
	                       "functions = ( %s, %s, %s );\npaths = ( " PATH("fw") ", " PATH(
	                               "nat") ", " PATH("lb") " );\n",
	         parts[0].functions, parts[1].functions, parts[2].functions);
	doc = conf_read_text(text, "import", &errors);
	require(doc != NULL, errors.count ? errors.list[0].detail : "document");
	return doc;
}

static void ask(struct part *part, uint16_t link, const struct tuple *tuple)
{
	struct rte_mbuf *m = packet_new();
	const struct transfer_frame frame = { .kind = TRANSFER_ASK, .session.before = *tuple };

	transfer_encode(m, &frame);
	deliver(part, link, rte_pktmbuf_mtod(m, const uint8_t *), rte_pktmbuf_data_len(m));
	packet_free(m);
}

/* What the engine says of the session that this packet is of: its last answer. */
static void learn(struct part *part, const struct packet_spec *spec)
{
	const struct replies *r = &world.engine->workers[0]->replies;
	struct rte_mbuf *m = packet_parsed(spec);
	struct base *base = &part->bases[part->base_count];
	struct tuple tuple;

	pkt_tuple(m, &tuple);
	packet_free(m);
	tuple.zone = 0;
	ask(part, part->in_by, &tuple);
	require(r->head != r->tail, "a question is answered");
	m = r->m[(r->tail - 1) % REPLIES_MAX];
	require(transfer_decode(m, &base->decoded), "as we can read it");
	if (base->decoded.kind != TRANSFER_SESSION)
		return;
	base->length = rte_pktmbuf_data_len(m);
	memcpy(base->frame, rte_pktmbuf_mtod(m, const uint8_t *), base->length);
	part->base_count++;
}

static void close_one(void *worker, struct session *s)
{
	session_close(worker, s);
}

static void close_all(void)
{
	struct worker *w = world.engine->workers[0];
	uint64_t cursor = 0;

	flow_walk(w->table, &cursor, 1u << 20, close_one, w);
	turn();
}

static void begin(void)
{
	static const struct nf_class *const classes[] = { &firewall_class, &nat_class, &lb_class, NULL };
	struct engine_options options = { .classes = classes, .manual = true };
	struct errors errors = ERRORS_NONE;
	struct conf *doc = document();

	world.engine = engine_new(doc, &options, &errors);
	require(world.engine != NULL, errors.count ? errors.list[0].detail : "engine");
	require(engine_apply(world.engine, doc, false, &errors),
	        errors.count ? errors.list[0].detail : "apply");
	world.now = clock_now(&world.engine->clock);
	turn();
	world.mbufs = rte_mempool_avail_count(world.engine->pool);
}

static void learn_all(struct part *part, const struct path *path)
{
	part->path = path;
	for (unsigned i = 0; i < OPENERS; i++) {
		deliver_spec(part, part->in_by, &part->openers[i]);
		learn(part, &part->openers[i]);
	}
	require(part->base_count >= 2, "most have sessions");
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	struct eal_options eal = { .name = "fuzz-import",
		                   .hugepages = EAL_HUGEPAGES_NEVER,
		                   .memory_mb = 256 };
	struct errors errors = ERRORS_NONE;

	(void)count;
	(void)arguments;
	require(eal_start(&eal, &errors), "EAL");
	begin();
	for (unsigned i = 0; i < RTE_DIM(parts); i++)
		learn_all(&parts[i], atomic_load(&world.engine->snapshot)->paths[i]);
	close_all();
	return 0;
}

/* --- one input --- */

static void lay_over(uint8_t *frame, uint16_t length, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i + 1 < count; i += 2)
		if (BODY + bytes[i] < length)
			frame[BODY + bytes[i]] ^= bytes[i + 1];
}

static void step_session(struct part *part, const struct base *base, uint16_t link, const uint8_t *bytes,
                         size_t count)
{
	uint8_t frame[FRAME_MAX];

	memcpy(frame, base->frame, base->length);
	lay_over(frame, base->length, bytes, count);
	deliver(part, link, frame, base->length);
}

static void address_text(char *text, const union ipaddr *address, uint8_t family)
{
	inet_ntop(family == 6 ? AF_INET6 : AF_INET, address, text, INET6_ADDRSTRLEN);
}

/* A packet with this tuple, with the input's bytes laid over its headers. */
static void step_packet(struct part *part, const struct tuple *t, uint16_t link, const uint8_t *bytes,
                        size_t count)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	uint8_t frame[FRAME_MAX];
	struct packet_spec spec = { .src = src,
		                    .dst = dst,
		                    .proto = t->proto,
		                    .sport = ntohs(t->sport),
		                    .dport = ntohs(t->dport),
		                    .icmp_id = ntohs(t->sport),
		                    .icmp_type = t->family == 6 ? 128 + link : 8,
		                    .length = 20 };
	struct rte_mbuf *m;
	uint16_t length;

	address_text(src, &t->src, t->family);
	address_text(dst, &t->dst, t->family);
	m = packet_build(&spec);
	length = rte_pktmbuf_data_len(m);
	memcpy(frame, rte_pktmbuf_mtod(m, const uint8_t *), length);
	packet_free(m);
	lay_over(frame, length, bytes, count);
	deliver(part, link, frame, length);
}

static void step_probe(struct part *part, uint16_t link, const uint8_t *bytes, size_t count)
{
	struct rte_mbuf *m = packet_new();
	const struct transfer_frame frame = { .kind = TRANSFER_PROBE,
		                              .senders = count ? bytes[0] : 1,
		                              .round = count > 1 ? bytes[1] : 0 };

	transfer_encode(m, &frame);
	deliver(part, link, rte_pktmbuf_mtod(m, const uint8_t *), rte_pktmbuf_data_len(m));
	packet_free(m);
}

static const void *snapshot_of(const char *function)
{
	const void *snapshot;

	require(engine_nf(world.engine, function, &snapshot) != NULL, function);
	return snapshot;
}

/* What a counterpart of the function says, of a pool that there is; see source_dealing.c. */
static void step_message(struct part *part, uint16_t link, const uint8_t *bytes, size_t count)
{
	static const struct {
		const char *kind; /* and name */
		unsigned (*pool)(const void *snapshot);
	} speakers[] = { { "nat", import_nat_pool }, { "lb", import_lb_pool } };
	unsigned who = part == &parts[2];
	struct transfer_frame frame = { .kind = TRANSFER_MESSAGE };
	struct rte_mbuf *m = packet_new();
	uint32_t words[8] = { 0 };

	memcpy(words, bytes, RTE_MIN(count, sizeof(words)));
	words[1] ^= speakers[who].pool(snapshot_of(speakers[who].kind));
	snprintf(frame.session.kind, sizeof(frame.session.kind), "%s", speakers[who].kind);
	memcpy(frame.session.slot, words, sizeof(words));
	transfer_encode(m, &frame);
	deliver(part, link, rte_pktmbuf_mtod(m, const uint8_t *), rte_pktmbuf_data_len(m));
	packet_free(m);
}

/* `what`: bits 0-2 the step, 3 the other link, 4-5 whose session, 6 a turn afterwards, 7 much later. */
static void step(struct part *part, uint8_t what, const uint8_t *bytes, size_t count)
{
	const struct base *base = &part->bases[(what >> 4 & 3) % part->base_count];
	struct tuple before = base->decoded.session.before,
	             answer = tuple_reverse(&base->decoded.session.behind);
	uint16_t here = base->decoded.session.walk ^ (what >> 3 & 1), there = !here;

	switch ((what & 7) % STEPS) {
	case STEP_SESSION:
		step_session(part, base, here, bytes, count);
		break;
	case STEP_PACKET:
		step_packet(part, &before, here, bytes, count);
		break;
	case STEP_ANSWER:
		step_packet(part, &answer, there, bytes, count);
		break;
	case STEP_ASK:
		ask(part, here, what & 64 ? &answer : &before);
		break;
	case STEP_PROBE:
		step_probe(part, here, bytes, count);
		break;
	default:
		step_message(part, here, bytes, count);
	}
	world.now += what & 0x80 ? UINT64_C(30) * 1000000000 : 0;
	if (what & 0x40)
		turn();
}

static void require_balance(void)
{
	json_t *balance = engine_balance(world.engine, NULL);

	if (!json_is_true(json_object_get(balance, "balanced")))
		json_dumpf(balance, stderr, 0);
	require(json_is_true(json_object_get(balance, "balanced")), "every packet is accounted for");
	json_decref(balance);
}

static void require_rest(void)
{
	struct flow_stats stats;

	for (unsigned i = 0; i < 4; i++)
		turn();
	require_balance();
	close_all();
	world.now += UINT64_C(100) * 1000000000; /* fragments that wait for others */
	for (unsigned i = 0; i < 4; i++)
		turn();
	flow_stats(world.engine->workers[0]->table, &stats);
	require(stats.live == 0, "no session is left");
	require(rte_mempool_avail_count(world.engine->pool) == world.mbufs, "no mbuf is held");
	require(import_nat_holds(snapshot_of("nat")) == 0, "no port and no mapping is held");
	require(import_lb_holds(snapshot_of("lb")) == 0, "no port and no place at a backend is held");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct part *part;

	if (!size)
		return 0;
	part = &parts[data[0] % RTE_DIM(parts)];
	data++;
	size--;
	while (size > 1) {
		size_t length = data[1] < size - 2 ? data[1] : size - 2;

		step(part, data[0], data + 2, length);
		data += 2 + length;
		size -= 2 + length;
	}
	require_rest();
	return 0;
}
