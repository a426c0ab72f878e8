/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate --hardware: the IOMMU is asked the same as the walk, through its debug translation interface. It is the one
 * thing in iommu-dump that writes registers (tr_req_iova, tr_req_ctl).
 */
#include "config.h"

#include "dump.h"

#include <inttypes.h>

/* tr_req is answered at once by what is known; the specification only says "finite". */
#define PROBE_TIMEOUT_MS 1000

bool hardware_open(struct dump *d, size_t iommu, struct riommu_source **control)
{
	const char *name = d->sys->iommus[iommu].name;
	int err;

	if (!d->sys->live) {
		out_error(&d->out, -EINVAL, "--hardware: %s is a file, there is no IOMMU to ask",
			  d->sys->path);
		return false;
	}
	if (d->request.type != RIOMMU_UNTRANSLATED) {
		out_error(&d->out, -EINVAL,
			  "--hardware: an IOMMU can be asked about untranslated requests only");
		return false;
	}
	if (riommu_system_driven(d->sys, iommu) && !d->force) {
		out_error(
			&d->out, 0,
			"%s: the kernel drives this IOMMU, and a question can add a fault record, "
			"set A bits and fill caches; --force asks all the same",
			name);
		out_status(&d->out, STATUS_FINDING);
		return false;
	}
	err = riommu_control_open(d->sys, control);
	if (err)
		out_error(&d->out, err, "%s: the IOMMU cannot be asked: %s", name,
			  riommu_error(d->ctx));
	return !err;
}

/* The answer is about a read (or an execute): a write is never asked for, it could set D. */
static enum agreement compare(const struct riommu_walker *w, const struct riommu_request *q,
			      const struct riommu_probe *probe)
{
	struct riommu_request asked = *q;
	struct riommu_translation t;
	bool refused;

	if (asked.access == RIOMMU_WRITE)
		asked.access = RIOMMU_READ;
	riommu_translate(w, &asked, &t, NULL);
	if (t.result == RIOMMU_UNKNOWN)
		return AGREEMENT_UNKNOWN;
	/* an MRIF has no address to answer with (specification, "Debug support": cause 260) */
	refused = t.result == RIOMMU_FAULT || t.msi == RIOMMU_MSI_MRIF;
	if (refused || probe->fault)
		return refused == probe->fault ? AGREEMENT_YES : AGREEMENT_NO;
	if (probe->page == (t.pa & ~RIOMMU_PAGE_MASK))
		return AGREEMENT_YES;
	/* QEMU answers for a superpage with the page number of its base, and S clear */
	if (t.page_size && probe->page == (t.pa & ~(t.page_size - 1)))
		return AGREEMENT_YES;
	return AGREEMENT_NO;
}

bool hardware_ask(struct dump *d, struct riommu_source *control, size_t iommu,
		  const struct riommu_walker *w, const struct riommu_request *q,
		  struct hardware_answer *answer)
{
	const struct riommu_iommu *unit = &d->sys->iommus[iommu];
	int err = riommu_probe_translate(control, unit, q, PROBE_TIMEOUT_MS, &answer->probe);

	if (err) {
		out_error(&d->out, err, "%s: iova 0x%" PRIx64 ": %s", unit->name, q->iova,
			  riommu_error(d->ctx));
		return false;
	}
	answer->agreement = w ? compare(w, q, &answer->probe) : AGREEMENT_UNKNOWN;
	if (answer->agreement ==
	    AGREEMENT_NO) { /* the tables may have changed since they were read */
		riommu_source_forget(w->memory);
		answer->agreement = compare(w, q, &answer->probe);
	}
	if (answer->agreement == AGREEMENT_NO)
		out_status(&d->out, STATUS_FINDING);
	return true;
}

void hardware_json(struct json_object *obj, const struct hardware_answer *answer)
{
	const struct riommu_probe *p = &answer->probe;
	struct json_object *hardware = json_object_new_object();

	json_add(hardware, "fault", json_object_new_boolean(p->fault));
	json_add(hardware, "page", p->fault ? NULL : json_hex(p->page));
	json_add(hardware, "page_size", p->fault ? NULL : json_hex(p->size));
	json_add(hardware, "response", json_hex(p->response));
	json_add(hardware, "agrees",
		 answer->agreement == AGREEMENT_UNKNOWN
			 ? NULL
			 : json_object_new_boolean(answer->agreement == AGREEMENT_YES));
	json_add(obj, "hardware", hardware);
}

void hardware_print(FILE *f, int indent, const struct hardware_answer *answer)
{
	static const char *const words[] = {
		[AGREEMENT_UNKNOWN] = "the walk has no answer to compare it with",
		[AGREEMENT_YES] = "agrees with the walk",
		[AGREEMENT_NO] =
			"DIFFERS from the walk, also of tables read again: a missing invalidation?",
	};
	const struct riommu_probe *p = &answer->probe;
	char size[32];

	if (p->fault)
		fprintf(f, "%*shardware: fault", indent, "");
	else
		fprintf(f, "%*shardware: ok, page 0x%" PRIx64 ", %s", indent, "", p->page,
			size_words(p->size, size, sizeof(size)));
	fprintf(f, " (tr_response 0x%" PRIx64 ")\n%*s    %s\n", p->response, indent, "",
		words[answer->agreement]);
}
