/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump diff: what changed between two captures. */
#include "config.h"

#include "diff.h"
#include "fault-words.h"
#include "queue-words.h"

#include <inttypes.h>
#include <stdlib.h>

#define INDENT 2 /* behind the mark of a line */

/* -- lines and items -------------------------------------------------------------------------- */

const char *diff_iommu(const struct diff *x)
{
	unsigned side = x->pair->iommu[RIOMMU_NEW] != RIOMMU_NO_IOMMU ? RIOMMU_NEW : RIOMMU_OLD;

	return x->sys[side]->iommus[x->pair->iommu[side]].name;
}

size_t diff_side(struct diff *x, enum riommu_side side)
{
	x->d->sys = x->sys[side];
	return x->pair ? x->pair->iommu[side] : RIOMMU_NO_IOMMU;
}

const char *diff_device(struct diff *x, uint32_t device_id, char *buf, size_t size)
{
	for (unsigned side = 2; side--;) {
		size_t iommu = diff_side(x, (enum riommu_side)side);

		if (iommu != RIOMMU_NO_IOMMU &&
		    riommu_system_device_name(x->sys[side], iommu, device_id))
			return dump_device_label(x->d, iommu, device_id, buf, size);
	}
	snprintf(buf, size, "0x%" PRIx32, device_id);
	return buf;
}

void diff_section(struct diff *x, const char *what)
{
	snprintf(x->title, sizeof(x->title), "%s%s%s @@", x->pair ? diff_iommu(x) : "",
		 x->pair ? ": " : "", what);
	x->section = x->title;
}

void diff_heading(struct diff *x)
{
	progress_end();
	if (!x->any)
		printf("--- %s\n+++ %s\n", x->path[RIOMMU_OLD], x->path[RIOMMU_NEW]);
	x->any = true;
	if (!x->section)
		return;
	fputs("@@", stdout);
	print_wrapped(stdout, x->section, 2, INDENT + 1);
	x->section = NULL;
}

void diff_line(struct diff *x, char mark, const char *fmt, ...)
{
	char text[700];
	va_list args;

	if (in_json(&x->d->out))
		return;
	diff_heading(x);
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	putchar(mark);
	print_wrapped(stdout, text, 1, INDENT);
}

void diff_finding(struct diff *x)
{
	out_status(&x->d->out, STATUS_FINDING);
}

const char *diff_word(bool has_old, bool has_new)
{
	return has_old && has_new ? "changed" : has_new ? "added" : "removed";
}

struct json_object *diff_json(bool has_old, bool has_new)
{
	struct json_object *obj = json_object_new_object();

	json_add(obj, "change", json_text(diff_word(has_old, has_new)));
	return obj;
}

void diff_item(struct diff *x, struct json_object *obj, struct json_object *old,
	       struct json_object *new)
{
	json_add(obj, "old", old);
	json_add(obj, "new", new);
	out_item(&x->d->out, obj);
}

/* -- IOMMUs ------------------------------------------------------------------------------------ */

static bool in_both(const struct diff *x)
{
	return x->pair->iommu[0] != RIOMMU_NO_IOMMU && x->pair->iommu[1] != RIOMMU_NO_IOMMU;
}

static const struct riommu_iommu *iommu_of(const struct diff *x, unsigned side)
{
	size_t i = x->pair->iommu[side];

	return i == RIOMMU_NO_IOMMU ? NULL : &x->sys[side]->iommus[i];
}

static struct json_object *side_json(struct diff *x, enum riommu_side side)
{
	size_t iommu = diff_side(x, side);

	return iommu == RIOMMU_NO_IOMMU ? NULL : dump_iommu_json(x->d, iommu);
}

static void compare_iommu(struct diff *x)
{
	const struct riommu_iommu *old = iommu_of(x, RIOMMU_OLD), *new = iommu_of(x, RIOMMU_NEW);

	if (old && new && old->base == new->base && !strcmp(old->name, new->name))
		return;
	diff_finding(x);
	if (old)
		diff_line(x, '-', "%s at 0x%" PRIx64, old->name, old->base);
	if (new)
		diff_line(x, '+', "%s at 0x%" PRIx64, new->name, new->base);
	if (in_json(&x->d->out))
		diff_item(x, diff_json(old, new), side_json(x, RIOMMU_OLD),
			  side_json(x, RIOMMU_NEW));
}

/* -- registers --------------------------------------------------------------------------------- */

/* Registers that one side does not know, for one message. */
struct unknown {
	struct diff *x;
	unsigned count[2];
	const char *first[2];
	int error[2];
};

/* One side knows the register, the other never asked for it (there is none), or could not read it. */
static bool is_unknown(struct unknown *u, const struct riommu_reg_change *change)
{
	static const int errors[] = {
		[RIOMMU_REG_MISSING] = -ENODATA,
		[RIOMMU_REG_REFUSED] = -EACCES,
		[RIOMMU_REG_DEAD] = -EFAULT,
	};

	for (unsigned side = 0; side < 2; side++) {
		unsigned state = iommu_of(u->x, side)->state[change->index];

		if (state == RIOMMU_REG_KNOWN || state == RIOMMU_REG_UNREAD)
			continue;
		if (!u->count[side]++) {
			u->first[side] = riommu_registers()[change->index].name;
			u->error[side] = errors[state];
		}
		return true;
	}
	return false;
}

static void report_unknown(const struct unknown *u)
{
	for (unsigned side = 0; side < 2; side++) {
		char more[32] = "";

		if (!u->count[side])
			continue;
		if (u->count[side] > 1)
			snprintf(more, sizeof(more), " and %u more", u->count[side] - 1);
		out_error(&u->x->d->out, u->error[side],
			  "%s: %s: %s%s: not compared: not known there, but in the other",
			  u->x->path[side], iommu_of(u->x, side)->name, u->first[side], more);
	}
}

static void register_lines(struct diff *x, const struct riommu_reg_change *change)
{
	const struct riommu_reg *reg = &riommu_registers()[change->index];
	char text[2][FIELD_TEXT];

	for (size_t i = 0; i < reg->layout->count; i++) {
		const struct riommu_field *f = &reg->layout->fields[i];

		if (!riommu_field_get(f, change->differing))
			continue;
		for (unsigned side = 0; side < 2; side++)
			field_text(f, iommu_of(x, side)->value[change->index], text[side]);
		if (!riommu_field_get(f, change->differing & ~change->moving)) {
			diff_line(x, '~', "%s.%s %s -> %s", reg->name, f->name, text[0], text[1]);
			continue;
		}
		diff_line(x, '-', "%s.%s %s", reg->name, f->name, text[0]);
		diff_line(x, '+', "%s.%s %s", reg->name, f->name, text[1]);
	}
}

/* There is such a register in one only: capabilities say so. */
static void presence_lines(struct diff *x, const struct riommu_reg_change *change)
{
	const struct riommu_reg *reg = &riommu_registers()[change->index];

	for (unsigned side = 0; side < 2; side++)
		if (iommu_of(x, side)->state[change->index] == RIOMMU_REG_KNOWN)
			diff_line(x, side ? '+' : '-', "%s 0x%" PRIx64, reg->name,
				  iommu_of(x, side)->value[change->index]);
}

static struct json_object *register_end(const struct diff *x, unsigned side,
					const struct riommu_reg_change *change)
{
	const struct riommu_iommu *iommu = iommu_of(x, side);

	if (iommu->state[change->index] != RIOMMU_REG_KNOWN)
		return NULL;
	return dump_register_json(iommu, change->index);
}

static int show_register(void *arg, const struct riommu_reg_change *change)
{
	struct unknown *u = arg;
	struct diff *x = u->x;
	const struct riommu_reg *reg = &riommu_registers()[change->index];
	struct json_object *old, *new, *obj, *fields;
	bool moving = change->comparable && !(change->differing & ~change->moving);

	if (!change->comparable && is_unknown(u, change))
		return 0;
	if (!moving)
		diff_finding(x);
	if (!in_json(&x->d->out)) {
		if (change->comparable)
			register_lines(x, change);
		else
			presence_lines(x, change);
		return 0;
	}
	old = register_end(x, RIOMMU_OLD, change);
	new = register_end(x, RIOMMU_NEW, change);
	obj = diff_json(old, new);
	json_add(obj, "iommu", json_hex(iommu_of(x, RIOMMU_NEW)->base));
	json_add(obj, "name", json_text(reg->name));
	json_add(obj, "moving", json_object_new_boolean(moving));
	fields = json_object_new_array();
	json_field_names(fields, "", reg->layout, change->differing);
	json_add(obj, "fields", fields);
	diff_item(x, obj, old, new);
	return 0;
}

static void compare_registers(struct diff *x)
{
	struct unknown u = {.x = x};

	if (!in_both(x))
		return;
	diff_section(x, "registers");
	riommu_compare_registers(
		(const struct riommu_iommu *const[2]){iommu_of(x, 0), iommu_of(x, 1)},
		show_register, &u);
	report_unknown(&u);
}

/* -- devices and memory of the machine --------------------------------------------------------- */

static struct json_object *device_json(const struct riommu_device *device)
{
	struct json_object *obj;

	if (!device)
		return NULL;
	obj = json_object_new_object();
	json_add(obj, "driver", json_text(device->driver[0] ? device->driver : NULL));
	json_add(obj, "group", json_text(device->group[0] ? device->group : NULL));
	json_add(obj, "domain_type",
		 json_text(device->domain_type[0] ? device->domain_type : NULL));
	return obj;
}

static int show_device(void *arg, const struct riommu_device *const device[2])
{
	struct diff *x = arg;
	const struct riommu_device *any = device[0] ? device[0] : device[1];
	struct json_object *obj;

	diff_finding(x);
	for (unsigned i = 0; i < 2; i++)
		if (device[i])
			diff_line(x, i ? '+' : '-', "%s (0x%" PRIx32 ") driver %s, group %s %s",
				  device[i]->name, device[i]->device_id,
				  device[i]->driver[0] ? device[i]->driver : "none",
				  device[i]->group[0] ? device[i]->group : "-",
				  device[i]->domain_type);
	if (!in_json(&x->d->out))
		return 0;
	obj = diff_json(device[0], device[1]);
	json_add(obj, "iommu",
		 x->pair ? json_hex(iommu_of(x, device[1] ? RIOMMU_NEW : RIOMMU_OLD)->base) : NULL);
	json_add(obj, "device_id", json_hex(any->device_id));
	json_add(obj, "name", json_text(any->name));
	diff_item(x, obj, device_json(device[0]), device_json(device[1]));
	return 0;
}

static void compare_devices(struct diff *x)
{
	diff_section(x, "devices");
	if (riommu_compare_devices((const struct riommu_system *const[2]){x->sys[0], x->sys[1]},
				   x->pair, show_device, x))
		die(STATUS_ERROR, "out of memory");
}

static struct json_object *region_json(const struct riommu_region *region)
{
	struct json_object *obj;

	if (!region)
		return NULL;
	obj = json_object_new_object();
	json_add(obj, "start", json_hex(region->start));
	json_add(obj, "end", json_hex(region->end));
	json_add(obj, "name", json_text(region->name));
	return obj;
}

static int show_region(void *arg, const struct riommu_region *const region[2])
{
	struct diff *x = arg;

	diff_finding(x);
	for (unsigned i = 0; i < 2; i++)
		if (region[i])
			diff_line(x, i ? '+' : '-', "0x%" PRIx64 "-0x%" PRIx64 " %s",
				  region[i]->start, region[i]->end, region[i]->name);
	if (in_json(&x->d->out))
		diff_item(x, diff_json(region[0], region[1]), region_json(region[0]),
			  region_json(region[1]));
	return 0;
}

static void compare_memory(struct diff *x)
{
	x->pair = NULL;
	out_list_begin(&x->d->out, "regions");
	diff_section(x, "memory map");
	if (riommu_compare_regions((const struct riommu_system *const[2]){x->sys[0], x->sys[1]},
				   show_region, x))
		die(STATUS_ERROR, "out of memory");
	out_list_end(&x->d->out);
}

/* -- faults ------------------------------------------------------------------------------------ */

static const char *const ring_names[] = {
	[RIOMMU_RING_SAME] = "same",     [RIOMMU_RING_GREW] = "grew",
	[RIOMMU_RING_LAPPED] = "lapped", [RIOMMU_RING_RESET] = "reset",
	[RIOMMU_RING_MOVED] = "moved",   [RIOMMU_RING_UNKNOWN] = "unknown",
};

static const char *const ring_words[] = {
	[RIOMMU_RING_LAPPED] = "the ring went round: records in between were written over, how "
			       "many is not known",
	[RIOMMU_RING_RESET] = "the ring was cleared or began anew: records in between may be gone",
	[RIOMMU_RING_MOVED] = "this is another ring: all its records are shown",
	[RIOMMU_RING_UNKNOWN] = "an index or a part of the ring is not known: records are shown "
				"that are not at the same place in the old one",
};

struct faults {
	struct diff *x;
	struct riommu_queue queue[2];
	struct json_object *rings;
};

static void fault_line(struct diff *x, const struct riommu_fault_visit *v)
{
	const struct riommu_fault *f = &v->fault;
	char device[96], process[40] = "", state[16] = "";

	if (f->pv)
		snprintf(process, sizeof(process), ", process 0x%" PRIx32, f->pid);
	if (v->pending)
		snprintf(state, sizeof(state), ", pending");
	diff_line(x, '+', "%" PRIu32 ": %u %s, %s, %s%s of 0x%" PRIx64 "%s", v->index, f->cause,
		  riommu_cause_name(f->cause),
		  riommu_fault_has_device(f) ? diff_device(x, f->did, device, sizeof(device))
					     : "no device",
		  riommu_ttyp_name(f->ttyp), process, f->iotval, state);
}

static int show_fault(void *arg, const struct riommu_fault_visit *v)
{
	struct faults *f = arg;
	struct diff *x = f->x;

	if (v->error) {
		out_error(&x->d->out, dump_gap_error(v->error),
			  "%s: %s: %" PRIu32 " entries of the fault queue from index %" PRIu32
			  " on are not compared: the ring %s",
			  x->path[RIOMMU_NEW], diff_iommu(x), v->skipped, v->index,
			  dump_gap_reason(v->error));
		return 0;
	}
	diff_finding(x);
	if (in_json(&x->d->out)) {
		size_t iommu = diff_side(x, RIOMMU_NEW);

		diff_item(x, diff_json(false, true), NULL,
			  dump_fault_json(x->d, iommu, &f->queue[RIOMMU_NEW], v));
	} else {
		fault_line(x, v);
	}
	return 0;
}

static void add_ring(struct faults *f, const struct riommu_ring_change *ring)
{
	struct json_object *obj = json_object_new_object();

	json_add(obj, "iommu", json_hex(iommu_of(f->x, RIOMMU_NEW)->base));
	json_add(obj, "state", json_text(ring_names[ring->state]));
	json_add(obj, "added", json_object_new_int64((int64_t)ring->added));
	json_object_array_add(f->rings, obj);
}

static bool open_queue(struct diff *x, unsigned side, struct riommu_queue *queue)
{
	int err = riommu_queue_open(x->sys[side], x->pair->iommu[side], RIOMMU_FQ, queue);

	if (!err || err == -EBADMSG)
		return true;
	out_error(&x->d->out, err, "%s: faults are not compared: %s", x->path[side],
		  riommu_error(x->d->ctx));
	return false;
}

/* What neither file holds has not changed between them: said, and nothing is missing. */
static bool queue_is_in_neither(const struct diff *x)
{
	uint64_t fqb;

	return riommu_iommu_reg(iommu_of(x, RIOMMU_OLD), RIOMMU_REG_FQB, &fqb) == -ENODATA &&
	       riommu_iommu_reg(iommu_of(x, RIOMMU_NEW), RIOMMU_REG_FQB, &fqb) == -ENODATA;
}

static void compare_faults(struct faults *f)
{
	struct riommu_ring_change ring = {.state = RIOMMU_RING_UNKNOWN};
	struct diff *x = f->x;

	if (in_both(x) && queue_is_in_neither(x)) {
		diff_section(x, "faults");
		diff_line(x, ' ', "not compared: neither file has the register fqb");
		add_ring(f, &ring);
		return;
	}
	if (!in_both(x) || !open_queue(x, RIOMMU_OLD, &f->queue[0]) ||
	    !open_queue(x, RIOMMU_NEW, &f->queue[1]) || queue_never_set_up(&f->queue[1]))
		return;
	diff_section(x, "faults");
	riommu_compare_faults(f->queue, show_fault, f, &ring);
	if (ring_words[ring.state] && (ring.added || ring.state != RIOMMU_RING_MOVED))
		diff_line(x, ' ', "%s", ring_words[ring.state]);
	if (ring.state == RIOMMU_RING_UNKNOWN)
		out_error(&x->d->out, -ENODATA,
			  "%s: which faults are new cannot be told for certain: an index or a part "
			  "of the ring is not known",
			  diff_iommu(x));
	if (ring.state == RIOMMU_RING_LAPPED || ring.state == RIOMMU_RING_RESET ||
	    ring.state == RIOMMU_RING_MOVED)
		diff_finding(x);
	add_ring(f, &ring);
}

/* -- all of it --------------------------------------------------------------------------------- */

static int walker_of(struct diff *x, unsigned side, struct riommu_walker *walker)
{
	const struct riommu_system *sys = x->sys[side];
	const char *missing;
	int err = riommu_walker_init(walker, sys, x->pair->iommu[side], &missing);

	if (err)
		out_error(&x->d->out, err,
			  "%s: %s: contexts and mappings are not compared: register %s is not "
			  "known; supply it with --reg %s=VALUE",
			  x->path[side], diff_iommu(x), missing, missing);
	else if (!sys->memory)
		out_error(&x->d->out, err = sys->memory_error,
			  "%s: %s: contexts and mappings are not compared: %s", x->path[side],
			  diff_iommu(x), sys->memory_reason);
	else if (riommu_bits(walker->ddtp, 3, 0) > RIOMMU_DDTP_3LVL)
		out_error(&x->d->out, err = -EBADMSG,
			  "%s: %s: contexts and mappings are not compared: ddtp.iommu_mode is a "
			  "reserved or custom encoding",
			  x->path[side], diff_iommu(x));
	return err;
}

/* What is to be compared of an IOMMU; NULL when there is nothing: it is reported, or all pages are the same. */
static struct riommu_comparison *open_comparison(struct diff *x)
{
	struct riommu_comparison *c = NULL;
	struct riommu_walker walkers[2];

	if (!in_both(x) || walker_of(x, 0, &walkers[0]) || walker_of(x, 1, &walkers[1]))
		return NULL;
	if (riommu_comparison_open(walkers, &c))
		die(STATUS_ERROR, "out of memory");
	if (!riommu_comparison_same(c))
		return c;
	riommu_comparison_close(c);
	return NULL;
}

static void for_each_pair(struct diff *x, const char *list, void (*compare)(struct diff *x))
{
	out_list_begin(&x->d->out, list);
	x->section = NULL;
	for (size_t i = 0; i < x->pair_count; i++) {
		x->pair = &x->pairs[i];
		compare(x);
	}
	out_list_end(&x->d->out);
}

/* The tables of all IOMMUs: contexts first, then mappings. */
static void compare_tables(struct diff *x)
{
	struct riommu_comparison **c = calloc(x->pair_count + 1, sizeof(*c));
	static const struct {
		const char *list;
		void (*compare)(struct diff *x, const struct riommu_comparison *c);
	} parts[] = {{"contexts", diff_contexts}, {"mappings", diff_mappings}};

	if (!c)
		die(STATUS_ERROR, "out of memory");
	for (size_t part = 0; part < RIOMMU_ARRAY_SIZE(parts); part++) {
		out_list_begin(&x->d->out, parts[part].list);
		for (size_t i = 0; i < x->pair_count; i++) {
			x->pair = &x->pairs[i];
			if (!part)
				c[i] = open_comparison(x);
			if (c[i])
				parts[part].compare(x, c[i]);
		}
		out_list_end(&x->d->out);
	}
	for (size_t i = 0; i < x->pair_count; i++)
		riommu_comparison_close(c[i]);
	free(c);
}

static void compare_all_faults(struct diff *x)
{
	struct faults f = {.x = x, .rings = json_object_new_array()};

	out_list_begin(&x->d->out, "faults");
	for (size_t i = 0; i < x->pair_count; i++) {
		x->pair = &x->pairs[i];
		compare_faults(&f);
	}
	out_list_end(&x->d->out);
	out_member(&x->d->out, "fault_queues", f.rings);
}

/* Only the pairs that -u chooses: it is an IOMMU of both. */
static void choose_pairs(struct diff *x)
{
	const char *name = x->d->options.iommu;
	size_t kept = 0;

	for (size_t i = 0; i < x->pair_count; i++)
		if (!name || x->pairs[i].iommu[0] == riommu_system_find_iommu(x->sys[0], name) ||
		    x->pairs[i].iommu[1] == riommu_system_find_iommu(x->sys[1], name))
			x->pairs[kept++] = x->pairs[i];
	x->pair_count = kept;
}

static void compare(struct diff *x)
{
	out_member(&x->d->out, "old", source_json(x->sys[RIOMMU_OLD]));
	out_member(&x->d->out, "new", source_json(x->sys[RIOMMU_NEW]));
	if (riommu_pair_iommus((const struct riommu_system *const[2]){x->sys[0], x->sys[1]},
			       &x->pairs, &x->pair_count))
		die(STATUS_ERROR, "out of memory");
	choose_pairs(x);
	progress_of_pages(&x->d->out);
	for_each_pair(x, "iommus", compare_iommu);
	for_each_pair(x, "registers", compare_registers);
	for_each_pair(x, "devices", compare_devices);
	compare_tables(x);
	compare_all_faults(x);
	compare_memory(x);
	progress_end();
	if (!x->any && !in_json(&x->d->out) && !x->d->out.error_count)
		printf("nothing differs\n");
	free(x->pairs);
}

void dump_diff_open(struct dump *d, int argc, char **argv)
{
	struct options options = d->options;

	sandbox(&options, SANDBOX_READING, stderr);
	for (unsigned side = 0; argc == 2 && side < 2; side++) {
		options.input = argv[side];
		d->diff[side] = open_system(&d->out, DUMP_SCHEMA, &options);
	}
}

void dump_diff(struct dump *d, int argc, char **argv)
{
	struct diff x = {.d = d};

	if (argc != 2) {
		out_begin(&d->out, DUMP_SCHEMA, NULL);
		out_error(&d->out, -EINVAL, "diff takes two files: the old one and the new one");
		return;
	}
	for (unsigned side = 0; side < 2; side++) {
		x.path[side] = argv[side];
		x.sys[side] = d->diff[side];
	}
	out_begin(&d->out, DUMP_SCHEMA, NULL);
	compare(&x);
	d->sys = NULL;
	riommu_system_close(x.sys[RIOMMU_OLD]);
	riommu_system_close(x.sys[RIOMMU_NEW]);
}
