/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What will be done, and who would lose something by it. Nothing here writes hardware. */
#include "config.h"

#include "quiesce.h"

#include <inttypes.h>
#include <stdlib.h>

/* -- making it ---------------------------------------------------------------------------------------------------- */

void tell_remedy(struct quiesce *t)
{
	size_t i = 0;

	if (!t->sys->live || !next_iommu(t, &i))
		return;
	struct riommu_way ways[8];
	size_t n = riommu_ways(t->ctx, t->sys->iommus[i].base, ways, RIOMMU_ARRAY_SIZE(ways));

	for (size_t w = 0; w < n; w++)
		if (!strcmp(ways[w].method, "devmem") && ways[w].remedy[0])
			note(t, "to write registers: %s", ways[w].remedy);
	if (t->sys->iommus[i].found == RIOMMU_FOUND_PCI && t->action != ACTION_UNDO)
		note(t, "an IOMMU that is a PCI function can be blocked without registers: --via "
			"remove");
}

/* --keep DEVICE as the system calls it. */
static bool resolve_keep(struct quiesce *t)
{
	for (size_t i = 0; i < t->keep_count; i++) {
		struct riommu_device_ref ref;
		const char *name;

		if (!find_device(t, "--keep", t->keep[i], &ref))
			return false;
		name = riommu_system_device_name(t->sys, ref.iommu, ref.device_id);
		if (!name) {
			out_error(&t->out, -EINVAL, "--keep %.64s: the system knows no such device",
				  t->keep[i]);
			return false;
		}
		t->keep[i] = name;
	}
	return true;
}

static bool plan_with(struct quiesce *t, const struct riommu_quiesce_args *args)
{
	int err = riommu_quiesce_plan(t->sys, t->hw, args, &t->q);

	for (size_t i = 0; !err && i < t->q->function_count; i++)
		if (t->q->functions[i].reason[0])
			out_incomplete(&t->out, "%s: what can be done about it is not known",
				       t->q->functions[i].reason);
	if (!err)
		return true;
	/* a device that does not answer is the hardware's doing, as it is in a stage */
	out_error(&t->out, err == -EFAULT ? -ETIMEDOUT : err, "%s", riommu_error(t->ctx));
	if (err == -EACCES)
		tell_remedy(t);
	return false;
}

/* The one function of --device, among those of a plan for all of its IOMMU. */
static const struct riommu_quiesce_function *the_device(struct quiesce *t, const char *name)
{
	const struct riommu_quiesce_function *f = NULL;

	for (size_t i = 0; i < t->q->function_count && !f; i++)
		if (!strcmp(t->q->functions[i].name, name))
			f = &t->q->functions[i];
	if (f && (f->kind == RIOMMU_FUNCTION_MASTER || f->kind == RIOMMU_FUNCTION_QUIET))
		return f;
	out_error(&t->out, -EINVAL, "--device %.64s: it cannot be stopped (%s)", t->device,
		  f ? riommu_function_kind_name(f->kind) : "no function behind this IOMMU");
	return NULL;
}

/* --device: a plan for its IOMMU tells the functions, a second one keeps all the others. */
static bool plan_device(struct quiesce *t, struct riommu_quiesce_args *args)
{
	const struct riommu_quiesce_function *device;
	struct riommu_device_ref ref;
	const char **others, *name;
	struct riommu_quiesce *all;
	size_t n = 0;
	bool good;

	if (!find_device(t, "--device", t->device, &ref))
		return false;
	name = riommu_system_device_name(t->sys, ref.iommu, ref.device_id);
	if (!name) {
		out_error(&t->out, -EINVAL, "--device %.64s: the system knows no such device",
			  t->device);
		return false;
	}
	t->only = ref.iommu;
	args->iommus = &t->only;
	args->iommu_count = 1;
	args->skip |=
		1u << RIOMMU_STAGE_BLOCK | 1u << RIOMMU_STAGE_QUEUES | 1u << RIOMMU_STAGE_VERIFY;
	if (!plan_with(t, args))
		return false;
	device = the_device(t, name);
	if (!device)
		return false;
	all = t->q;
	t->q = NULL;
	others = need(calloc(all->function_count, sizeof(*others)));
	for (size_t i = 0; i < all->function_count; i++)
		if (&all->functions[i] != device &&
		    (all->functions[i].kind == RIOMMU_FUNCTION_MASTER ||
		     all->functions[i].kind == RIOMMU_FUNCTION_QUIET))
			others[n++] = all->functions[i].name;
	args->keep = others;
	args->keep_count = n;
	good = plan_with(t, args);
	riommu_quiesce_close(all);
	free(others);
	return good;
}

bool make_plan(struct quiesce *t, bool write)
{
	struct riommu_quiesce_args args = {
		.skip = t->skip,
		.handover = t->action == ACTION_HANDOVER,
		.timeout_ms = t->timeout_ms,
		.no_registers = t->action == ACTION_REMOVE,
	};
	bool reads = !write && t->action != ACTION_REMOVE && t->sys->registers_error;
	int err = reads ? t->sys->registers_error : riommu_hw_open(t->sys, write, &t->hw);

	if (err) {
		out_error(&t->out, err, "%s",
			  reads ? t->sys->registers_reason : riommu_error(t->ctx));
		if (err == -EACCES)
			tell_remedy(t);
		return false;
	}
	if (t->action == ACTION_STOP)
		return plan_device(t, &args);
	if (!resolve_keep(t))
		return false;
	args.keep = t->keep;
	args.keep_count = t->keep_count;
	if (t->only != RIOMMU_NO_IOMMU) {
		args.iommus = &t->only;
		args.iommu_count = 1;
	}
	return plan_with(t, &args);
}

/* -- showing it --------------------------------------------------------------------------------------------------- */

static void print_functions(const struct riommu_quiesce *q, size_t iommu)
{
	for (size_t i = 0; i < q->function_count; i++) {
		const struct riommu_quiesce_function *f = &q->functions[i];

		if (f->iommu == iommu)
			printf("    %-14s %-12s %s\n", f->name, f->driver[0] ? f->driver : "-",
			       riommu_function_kind_name(f->kind));
	}
}

static void print_writes(const struct riommu_quiesce *q)
{
	const char *what = q->undo ? "It would restore" : "It would write";

	if (!q->write_count)
		printf("%s nothing.\n", what);
	else
		printf("%s, in this order:\n", what);
	for (size_t i = 0; i < q->write_count; i++) {
		const struct riommu_quiesce_write *w = &q->writes[i];

		printf("    %-7s %-14s %-14s 0x%" PRIx32 " -> 0x%" PRIx32 "\n",
		       riommu_stage_name(w->stage), w->object, w->reg, w->old, w->write.value);
	}
}

void print_plan(struct quiesce *t)
{
	const struct riommu_quiesce *q = t->q;

	if (in_json(&t->out))
		return;
	for (size_t i = 0; i < q->iommu_count; i++) {
		const struct riommu_quiesce_iommu *u = &q->iommus[i];

		printf("%s at 0x%" PRIx64 ": ddtp 0x%" PRIx64 " (%s)\n", u->name, u->base,
		       u->ddtp_old, riommu_ddtp_mode_name(u->ddtp_old));
		print_functions(q, i);
	}
	print_writes(q);
	fputs("Nothing was written.\n", stdout);
}

/* -- who would be cut off ----------------------------------------------------------------------------------------- */

static const char *const kinds[] = {
	[RIOMMU_USER_MOUNT] = "filesystem",
	[RIOMMU_USER_SWAP] = "swap",
	[RIOMMU_USER_NETWORK] = "network",
};

static void user_words(const struct riommu_user *u, char *words, size_t size)
{
	switch (u->kind) {
	case RIOMMU_USER_MOUNT:
		snprintf(words, size, "%s carries the filesystem mounted on %s (%s)", u->function,
			 u->where, u->name);
		break;
	case RIOMMU_USER_SWAP:
		snprintf(words, size, "%s carries swap (%s)", u->function, u->name);
		break;
	case RIOMMU_USER_NETWORK:
		snprintf(words, size, "%s is the interface %s, which is up", u->function, u->name);
		break;
	}
}

struct users {
	struct quiesce *t;
	size_t count;
};

static int one_user(void *arg, const struct riommu_user *u)
{
	struct users *found = arg;
	struct quiesce *t = found->t;
	char words[384];

	found->count++;
	user_words(u, words, sizeof(words));
	if (in_json(&t->out)) {
		struct json_object *o = json_object_new_object();
		char where[sizeof(u->where)];

		snprintf(where, sizeof(where), "%s", u->where);
		printable(where);
		json_add(o, "kind", json_text(kinds[u->kind]));
		json_add(o, "function", json_text(u->function));
		json_add(o, "name", json_text(u->name));
		json_add(o, "where", json_text(where[0] ? where : NULL));
		if (!t->users)
			t->users = json_object_new_array();
		json_object_array_add(t->users, o);
	}
	if (t->force) {
		note(t, "cut off all the same: %s", words);
	} else {
		out_error(&t->out, 0, "%s", words);
		out_status(&t->out, STATUS_FINDING);
	}
	return 0;
}

bool nobody_is_cut_off(struct quiesce *t)
{
	struct users found = {.t = t};
	int err;

	if (!t->sys->live) {
		note(t,
		     "%s does not say which functions master the bus, nor who uses them: stage "
		     "stop is not in this plan",
		     t->options.input);
		return true;
	}
	err = riommu_quiesce_users(t->q, one_user, &found);
	if (err) {
		if (t->force) {
			note(t, "who is cut off is not known: %s", riommu_error(t->ctx));
			return true;
		}
		out_error(&t->out, err, "who would be cut off? %s (--force goes on)",
			  riommu_error(t->ctx));
		return false;
	}
	if (!found.count || t->force)
		return true;
	if (!t->plan)
		out_error(&t->out, 0,
			  "refused: nothing was done. Unmount it, swap off, take it down, or "
			  "--force, best with --hold");
	return false;
}
