/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One request from end to end (specification, 3.3 "Process to translate an IOVA"; step numbers are that section's). */
#include "walk/walk-internal.h"

int riommu_walker_init(struct riommu_walker *walker, const struct riommu_system *sys, size_t iommu,
		       const char **missing_register)
{
	const struct riommu_iommu *unit = &sys->iommus[iommu];
	const char *absent = riommu_option(sys->ctx, "absent"),
		   *be = riommu_option(sys->ctx, "be_writable");
	uint64_t capabilities, fctl, ddtp;

	*missing_register = NULL;
	if (riommu_iommu_reg(unit, RIOMMU_REG_CAPABILITIES, &capabilities))
		*missing_register = "capabilities";
	else if (riommu_iommu_reg(unit, RIOMMU_REG_FCTL, &fctl))
		*missing_register = "fctl";
	else if (riommu_iommu_reg(unit, RIOMMU_REG_DDTP, &ddtp))
		*missing_register = "ddtp";
	if (*missing_register)
		return -ENODATA;
	*walker = (struct riommu_walker){
		.memory = sys->memory,
		.memory_error = sys->memory_error,
		.capabilities = capabilities,
		.ddtp = ddtp,
		.fctl = (uint32_t)fctl,
		.gxl_writable = strcmp(riommu_option(sys->ctx, "gxl_writable"), "0") != 0,
		.be_writable = be ? strcmp(be, "0") != 0 : (capabilities & RIOMMU_CAP_END) != 0,
		.absent_is_fault = absent && strcmp(absent, "fault") == 0,
	};
	return 0;
}

enum riommu_result walk_fault(struct walk *k, unsigned cause, const char *reason)
{
	k->cause = (uint16_t)cause;
	k->reason = reason;
	return RIOMMU_FAULT;
}

unsigned walk_cause(const struct walk *k, unsigned exec, unsigned read, unsigned write)
{
	return k->is_exec ? exec : k->is_read ? read : write;
}

/* -- entries ------------------------------------------------------------------------------------------------------ */

static struct riommu_step *keep_step(struct walk *k, const struct walk_entry *e)
{
	struct riommu_step *step;

	if (!k->trace || k->trace->step_count == RIOMMU_MAX_STEPS)
		return NULL;
	step = &k->trace->step[k->trace->step_count++];
	*step = (struct riommu_step){
		.structure = e->structure,
		.level = e->level,
		.size = e->size,
		.implicit = e->implicit,
		.address = e->address,
		.guest = e->guest,
	};
	return step;
}

/*
 * DATA as the earlier updates of this walk left it, in SCRATCH. The updates are taken as bytes: one page may serve as two
 * structures, of other sizes and another endianness. They only ever set bits, so their order does not matter.
 */
static const uint8_t *apply_updates(const struct walk *k, const struct walk_entry *e,
				    const uint8_t *data, uint8_t *scratch)
{
	memmove(scratch, data, e->size);
	for (size_t i = 0; i < k->update_count; i++)
		for (unsigned b = 0; b < k->update[i].size; b++) {
			uint64_t at = k->update[i].address + b - e->address;

			if (at < e->size)
				scratch[at] |= (uint8_t)(k->update[i].raw >> 8 * b);
		}
	return scratch;
}

int walk_load(struct walk *k, const struct walk_entry *e, uint64_t *value)
{
	uint8_t scratch[64] __attribute__((aligned(8)));
	const uint8_t *data;
	struct riommu_step *step;
	unsigned count = e->size == 4 ? 1 : e->size / 8u;
	int err;

	if (e->address & k->beyond_pas)
		return -EFAULT;
	step = keep_step(k, e);
	if (k->w->memory)
		err = riommu_source_entry(k->w->memory, e->address, e->size, scratch, &data);
	else
		err = k->w->memory_error ? k->w->memory_error : -ENODATA;
	if (err == -ENODATA && k->w->absent_is_fault)
		return -EFAULT;
	if (err) {
		k->missing = e->address;
		k->error = err;
		return err;
	}
	if (k->update_count)
		data = apply_updates(k, e, data, scratch);
	if (e->size == 4)
		value[0] = riommu_get32(data, e->big_endian);
	else
		for (unsigned i = 0; i < count; i++)
			value[i] = riommu_get64(data + 8 * i, e->big_endian);
	if (step) {
		step->count = (uint8_t)count;
		memcpy(step->value, value, count * sizeof(*value));
	}
	return 0;
}

void walk_store(struct walk *k, const struct walk_entry *e, uint64_t value)
{
	size_t i = 0;
	uint64_t raw = value;

	while (i < k->update_count &&
	       (k->update[i].address != e->address || k->update[i].size != e->size))
		i++;
	/* Bounded by construction: a leaf per first-stage level and its second-stage walk. */
	if (i == RIOMMU_MAX_UPDATES)
		return;
	if (e->big_endian)
		raw = e->size == 4 ? __builtin_bswap32((uint32_t)value) : __builtin_bswap64(value);
	k->update[i] = (struct riommu_update){e->address, value, raw, e->size};
	if (i == k->update_count)
		k->update_count++;
	k->slots = NULL;
}

/* -- the request -------------------------------------------------------------------------------------------------- */

/* What is checked for: ATS asks for read, and for write unless no-write; an exec request without R counts only untranslated. */
static void request_attributes(struct walk *k, const struct riommu_request *q)
{
	bool ats = q->type == RIOMMU_ATS, exec = q->access == RIOMMU_EXEC;

	k->is_exec = exec && (q->type == RIOMMU_UNTRANSLATED || q->has_process_id);
	k->is_write = q->access == RIOMMU_WRITE;
	k->is_read = ats || q->access == RIOMMU_READ || (exec && q->type != RIOMMU_UNTRANSLATED);
	k->check_permissions = !ats;
	k->needed = ats ? 0
			: (k->is_read ? RIOMMU_PTE_R : 0) | (k->is_write ? RIOMMU_PTE_W : 0) |
				    (k->is_exec ? RIOMMU_PTE_X : 0);
	k->supervisor = q->has_process_id && q->privileged;
}

/* Step 7: what this device may not ask. */
static enum riommu_result disallowed(struct walk *k, const struct riommu_request *q)
{
	uint64_t tc = k->dc.dw[RIOMMU_DC_TC];
	unsigned mode = walk_mode(k->dc.dw[RIOMMU_DC_FSC]);
	const char *why = NULL;

	if (q->type != RIOMMU_UNTRANSLATED && !(tc & RIOMMU_TC_EN_ATS))
		why = "translated and ATS requests are not enabled for this device (EN_ATS=0)";
	else if (q->has_process_id && !(tc & RIOMMU_TC_PDTV))
		why = "the request has a process_id and the device has no process directory "
		      "(PDTV=0)";
	else if (q->has_process_id && mode == RIOMMU_PDTP_PD17 && q->process_id >> 17)
		why = "the process_id is wider than 17 bits (PD17)";
	else if (q->has_process_id && mode == RIOMMU_PDTP_PD8 && q->process_id >> 8)
		why = "the process_id is wider than 8 bits (PD8)";
	return why ? walk_fault(k, RIOMMU_CAUSE_TYPE_DISALLOWED, why) : RIOMMU_OK;
}

/* Steps 9 to 16: which first stage, if any. *FSC is Bare (0) where there is none. */
static enum riommu_result first_stage_context(struct walk *k, const struct riommu_request *q,
					      uint64_t *fsc)
{
	uint64_t tc = k->dc.dw[RIOMMU_DC_TC];
	struct riommu_pc pc;
	enum riommu_result r;

	*fsc = 0;
	if (q->type == RIOMMU_TRANSLATED)
		return RIOMMU_OK;
	if (!(tc & RIOMMU_TC_PDTV)) {
		*fsc = k->dc.dw[RIOMMU_DC_FSC];
		return RIOMMU_OK;
	}
	if ((!q->has_process_id && !(tc & RIOMMU_TC_DPE)) ||
	    walk_mode(k->dc.dw[RIOMMU_DC_FSC]) == RIOMMU_PDTP_BARE)
		return RIOMMU_OK;
	/* DPE: process_id 0, user privilege */
	r = walk_process_directory(k, q->has_process_id ? q->process_id : 0, &pc);
	if (r != RIOMMU_OK)
		return r;
	if (k->supervisor && !(pc.ta & RIOMMU_PC_ENS))
		return walk_fault(k, RIOMMU_CAUSE_TYPE_DISALLOWED,
				  "supervisor privilege is not enabled for this process (ENS=0)");
	k->sum = pc.ta & RIOMMU_PC_SUM;
	*fsc = pc.fsc;
	return RIOMMU_OK;
}

/* R, W, X that both leaves give; for ATS those of the completion (3.6). */
static uint8_t permissions(const struct riommu_request *q, uint64_t first, uint64_t second)
{
	uint64_t both = first & second;

	if (q->type == RIOMMU_ATS && !(both & RIOMMU_PTE_D))
		both &= ~(uint64_t)RIOMMU_PTE_W;
	if (q->type == RIOMMU_ATS && !((both & RIOMMU_PTE_R) && q->access == RIOMMU_EXEC))
		both &= ~(uint64_t)RIOMMU_PTE_X;
	return walk_permissions(both);
}

/* Step 19: the guest physical address through the second stage. */
static enum riommu_result second_stage(struct walk *k, uint64_t gpa, struct walk_leaf *leaf)
{
	switch (walk_second_stage(k, gpa, USE_EXPLICIT, leaf)) {
	case STAGE_OK:
		if (walk_msi_enabled(k))
			leaf->size = walk_msi_limit(k, gpa, leaf->size);
		return RIOMMU_OK;
	case STAGE_PAGE_FAULT:
		return walk_guest_page_fault(k, gpa & ~(uint64_t)3, k->reason);
	case STAGE_ACCESS_FAULT:
		return walk_fault(k,
				  walk_cause(k, RIOMMU_CAUSE_INSTRUCTION_ACCESS_FAULT,
					     RIOMMU_CAUSE_READ_ACCESS_FAULT,
					     RIOMMU_CAUSE_WRITE_ACCESS_FAULT),
				  "a second-stage page table lies where there is no memory");
	case STAGE_CORRUPTION:
		return walk_fault(
			k, RIOMMU_CAUSE_PT_CORRUPTION,
			"the second-stage page table's memory answers with data corruption");
	default:
		return RIOMMU_UNKNOWN;
	}
}

/* Steps 17 to 20. */
static enum riommu_result two_stages(struct walk *k, const struct riommu_request *q, uint64_t fsc,
				     struct riommu_translation *out)
{
	struct walk_leaf first, second;
	enum riommu_result r;
	bool ats = q->type == RIOMMU_ATS;

	r = walk_first_stage(k, fsc, q->iova, &first);
	if (r != RIOMMU_OK)
		return r;
	if (walk_msi_enabled(k))
		r = walk_msi(k, first.pa, &second, out);
	if (r == RIOMMU_OK && out->msi == RIOMMU_MSI_NONE)
		r = second_stage(k, first.pa, &second);
	if (r != RIOMMU_OK)
		return r;
	out->pa = ats && (k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_T2GPA) ? first.pa : second.pa;
	out->page_size = walk_smaller(first.size, second.size);
	out->memory_type = first.pbmt != RIOMMU_PMA ? first.pbmt : second.pbmt;
	out->has_permissions =
		ats || (q->type == RIOMMU_UNTRANSLATED && out->msi != RIOMMU_MSI_MRIF);
	if (out->has_permissions)
		out->permissions = permissions(q, first.pte, second.pte);
	if (ats) {
		out->ats_privileged = q->has_process_id && q->privileged;
		out->ats_global = q->has_process_id && out->msi == RIOMMU_MSI_NONE && first.global;
		out->ats_untranslated_only = out->msi == RIOMMU_MSI_MRIF;
	}
	return RIOMMU_OK;
}

static const char undefined_mode[] = "ddtp.iommu_mode is a reserved or custom encoding";

static enum riommu_result identity(const struct riommu_request *q, struct riommu_translation *out)
{
	out->pa = q->iova;
	return RIOMMU_OK;
}

static enum riommu_result walk_request(struct walk *k, const struct riommu_request *q,
				       struct riommu_translation *out)
{
	unsigned mode = (unsigned)riommu_bits(k->w->ddtp, 3, 0);
	enum riommu_result r;
	uint64_t fsc;
	bool valid;

	k->dc.dw[RIOMMU_DC_TC] = 0; /* DTF counts as 0 until a context is read */
	if (mode == RIOMMU_DDTP_OFF)
		return walk_fault(k, RIOMMU_CAUSE_ALL_INBOUND_DISALLOWED,
				  "ddtp.iommu_mode is Off: every request is refused");
	if (mode == RIOMMU_DDTP_BARE) {
		if (q->type == RIOMMU_UNTRANSLATED)
			return identity(q, out);
		return walk_fault(k, RIOMMU_CAUSE_TYPE_DISALLOWED,
				  "ddtp.iommu_mode is Bare: only untranslated requests pass");
	}
	if (mode > RIOMMU_DDTP_3LVL) {
		/* A reserved or custom mode: what the IOMMU does is not written down, so no answer is better than a guess. */
		k->error = -EBADMSG;
		k->reason = undefined_mode;
		return RIOMMU_UNKNOWN;
	}
	r = walk_directory(k, q->device_id, &valid);
	if (r != RIOMMU_OK)
		return r;
	k->reason =
		valid ? riommu_dc_misconfigured(k->w, &k->dc, NULL)
		      : "the device context is not valid (V=0): the device is blocked or unknown";
	if (k->reason)
		return walk_fault(
			k, valid ? RIOMMU_CAUSE_DDT_MISCONFIGURED : RIOMMU_CAUSE_DDT_NOT_VALID,
			k->reason);
	r = disallowed(k, q);
	if (r != RIOMMU_OK)
		return r;
	if (q->type == RIOMMU_TRANSLATED && !(k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_T2GPA))
		return identity(q, out);
	r = first_stage_context(k, q, &fsc);
	if (r != RIOMMU_OK)
		return r;
	return two_stages(k, q, fsc, out);
}

/* What the device is told (facts 3.10). */
static enum riommu_response response(const struct riommu_request *q, unsigned cause)
{
	if (q->type != RIOMMU_ATS)
		return RIOMMU_RESPONSE_UR;
	switch (cause) {
	case RIOMMU_CAUSE_ALL_INBOUND_DISALLOWED:
	case RIOMMU_CAUSE_DDT_LOAD_ACCESS_FAULT:
	case RIOMMU_CAUSE_DDT_NOT_VALID:
	case RIOMMU_CAUSE_DDT_MISCONFIGURED:
	case RIOMMU_CAUSE_TYPE_DISALLOWED:
		return RIOMMU_RESPONSE_UR;
	case RIOMMU_CAUSE_INSTRUCTION_PAGE_FAULT:
	case RIOMMU_CAUSE_READ_PAGE_FAULT:
	case RIOMMU_CAUSE_WRITE_PAGE_FAULT:
	case RIOMMU_CAUSE_INSTRUCTION_GUEST_PAGE_FAULT:
	case RIOMMU_CAUSE_READ_GUEST_PAGE_FAULT:
	case RIOMMU_CAUSE_WRITE_GUEST_PAGE_FAULT:
	case RIOMMU_CAUSE_MSI_PTE_NOT_VALID:
	case RIOMMU_CAUSE_PDT_NOT_VALID:
		return RIOMMU_RESPONSE_SUCCESS;
	default:
		return RIOMMU_RESPONSE_CA;
	}
}

static void end_fault(const struct walk *k, const struct riommu_request *q,
		      struct riommu_translation *out)
{
	bool dtf = k->dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_DTF;

	out->cause = k->cause;
	out->iotval = q->iova;
	out->iotval2 = k->iotval2;
	out->reason = k->reason;
	out->response = response(q, k->cause);
	out->reported = out->response != RIOMMU_RESPONSE_SUCCESS &&
			(!dtf || riommu_cause(k->cause)->despite_dtf);
}

/* RIOMMU_OK, and nothing else: piece by piece, since for so little a call or a string instruction is slow. */
static void clear(struct riommu_translation *out)
{
	typedef uint64_t pair __attribute__((vector_size(16), aligned(8), may_alias));
	pair *pairs = (pair *)out;

	_Static_assert(sizeof(*out) == 6 * sizeof(*pairs) && RIOMMU_OK == 0, "all of it");
#pragma GCC unroll 6
	for (unsigned i = 0; i < 6; i++)
		pairs[i] = (pair){0, 0};
}

void riommu_translate(const struct riommu_walker *walker, const struct riommu_request *request,
		      struct riommu_translation *out, struct riommu_trace *trace)
{
	enum riommu_result result;
	struct walk k;

	walk_begin(&k, walker, trace);
	request_attributes(&k, request);
	clear(out);
	result = walk_request(&k, request, out);
	if (result != RIOMMU_OK)
		*out = (struct riommu_translation){.result = result};
	if (result == RIOMMU_FAULT) {
		end_fault(&k, request, out);
	} else if (result == RIOMMU_UNKNOWN) {
		out->missing = k.missing;
		out->error = k.error;
		out->reason = k.reason;
	}
	if (trace) {
		trace->update_count = k.update_count;
		memcpy(trace->update, k.update, k.update_count * sizeof(k.update[0]));
	}
}

/* What was read says where the next entry is: of two walks that differ a value does so first, or that one of them had none. */
static bool same_step(const struct riommu_step *a, const struct riommu_step *b)
{
	return a->count == b->count && !memcmp(a->value, b->value, a->count * sizeof(a->value[0]));
}

/* Whether two walks of one request read the same entries: then their answers are the same. */
static bool same_walk(const struct riommu_trace *a, const struct riommu_trace *b)
{
	if (a->step_count != b->step_count)
		return false;
	for (size_t i = 0; i < a->step_count; i++)
		if (!same_step(&a->step[i], &b->step[i]))
			return false;
	return true;
}

void riommu_translate_live(const struct riommu_walker *walker, const struct riommu_request *request,
			   struct riommu_translation *out, struct riommu_trace *trace)
{
	struct riommu_trace traces[2];
	unsigned walks = 0;

	do {
		if (walker->memory)
			riommu_source_forget(walker->memory);
		riommu_translate(walker, request, out, &traces[walks % 2]);
		walks++;
	} while (walks < 2 || (walks < RIOMMU_LIVE_WALKS && !same_walk(&traces[0], &traces[1])));
	out->changed = walks > 2;
	if (trace)
		*trace = traces[(walks - 1) % 2];
}

enum riommu_result riommu_locate_dc(const struct riommu_walker *walker, uint32_t device_id,
				    struct riommu_dc *dc, struct riommu_translation *out,
				    struct riommu_trace *trace)
{
	struct riommu_request q = {.device_id = device_id};
	unsigned mode = (unsigned)riommu_bits(walker->ddtp, 3, 0);
	struct walk k;
	bool valid;

	walk_begin(&k, walker, trace);
	k.dc = (struct riommu_dc){0}; /* the caller gets it whole, in the base format too */
	*out = (struct riommu_translation){.result = RIOMMU_OK};
	if (mode < RIOMMU_DDTP_1LVL)
		out->result = walk_fault(
			&k,
			mode ? RIOMMU_CAUSE_TYPE_DISALLOWED : RIOMMU_CAUSE_ALL_INBOUND_DISALLOWED,
			mode ? "ddtp.iommu_mode is Bare: there is no device directory"
			     : "ddtp.iommu_mode is Off: there is no device directory");
	else if (mode > RIOMMU_DDTP_3LVL)
		*out = (struct riommu_translation){
			.result = RIOMMU_UNKNOWN, .error = -EBADMSG, .reason = undefined_mode};
	else
		out->result = walk_directory(&k, device_id, &valid);
	if (out->result == RIOMMU_OK) {
		*dc = k.dc;
	} else if (out->result == RIOMMU_FAULT) {
		end_fault(&k, &q, out);
	} else if (!out->error) {
		out->missing = k.missing;
		out->error = k.error;
	}
	return out->result;
}

const char *riommu_structure_name(enum riommu_structure structure)
{
	static const char *const names[] = {"ddte", "dc", "pdte", "pc", "pte", "gpte", "msi_pte"};

	return names[structure];
}

const struct riommu_layout *riommu_step_layout(const struct riommu_step *step, unsigned i,
					       uint64_t tc, uint32_t fctl)
{
	switch (step->structure) {
	case RIOMMU_S_DDTE:
		return riommu_layout_ddte();
	case RIOMMU_S_DC:
		return riommu_layout_dc(i, tc, fctl);
	case RIOMMU_S_PDTE:
		return riommu_layout_pdte();
	case RIOMMU_S_PC:
		return riommu_layout_pc(i, tc);
	case RIOMMU_S_MSI_PTE:
		return riommu_layout_msi_pte(i, step->value[0]);
	default:
		return riommu_layout_pte(step->size == 4);
	}
}
