/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check: what will happen at the handover, as far as it can be known before: what Linux does (7.2: the driver's shutdown leaves
 * ddtp Bare; a panic leaves it as it is; a kernel that finds a mode above Bare gives up unless it is a crash kernel), what the
 * stub in the Image would do instead, and what may get in the way.
 */
#include "config.h"

#include "kexec-prep.h"

#include "walk/mappings.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#define LABEL 9
#define NAMES 400 /* bytes of names of devices that a finding has room for */

/* What this machine says of itself: read as a whole before tables are, since nothing can be opened then. */
struct host {
	bool *driven;           /* by IOMMU: a driver has it */
	struct riommu_dt *tree; /* NULL: there is none */
	char *framebuffers;     /* /proc/fb; NULL: not to be read */
	const char *lockdown;   /* NULL: it is not locked down, or that is not known */
	enum answer loaded, loaded_crash;
	bool own_record; /* of how this kernel was started */
};

struct check {
	struct prep *p;
	struct prep_kernel kernel;
	bool has_kernel;
	char *command_line; /* NULL: not known */
	bool kexec, panic;  /* which handovers are looked at */
	struct host host;
	unsigned count[3]; /* findings by severity */
};

/* -- findings ----------------------------------------------------------------------------------------------------- */

static void emit(struct check *c, enum riommu_severity severity, const char *id,
		 const struct riommu_iommu *iommu, const char *message, const char *advice)
{
	char text[1400];

	c->count[severity]++;
	if (severity >= c->p->severity)
		out_status(&c->p->out, STATUS_FINDING);
	if (in_json(&c->p->out)) {
		struct json_object *obj = json_object_new_object();

		json_add(obj, "id", json_text(id));
		json_add(obj, "severity", json_text(riommu_severity_name(severity)));
		json_add(obj, "iommu", iommu ? json_hex(iommu->base) : NULL);
		json_add(obj, "message", json_text(message));
		json_add(obj, "advice", json_text(advice));
		out_item(&c->p->out, obj);
		return;
	}
	progress_end();
	snprintf(text, sizeof(text), "%s%s%s [%s]", iommu ? iommu->name : "", iommu ? ": " : "",
		 message, id);
	print_wrapped(stdout, text,
		      (size_t)printf("%-*s", LABEL - 1, riommu_severity_name(severity)), LABEL);
	snprintf(text, sizeof(text), "-> %s", advice ? advice : "");
	if (advice)
		print_wrapped(stdout, text, 0, LABEL);
}

static void finding(struct check *c, enum riommu_severity severity, const char *id,
		    const struct riommu_iommu *iommu, const char *advice, const char *fmt, ...)
	RIOMMU_PRINTF(6, 7);

static void finding(struct check *c, enum riommu_severity severity, const char *id,
		    const struct riommu_iommu *iommu, const char *advice, const char *fmt, ...)
{
	char message[1200];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	printable(message);
	emit(c, severity, id, iommu, message, advice);
}

/* -- the Image ---------------------------------------------------------------------------------------------------- */

static const struct riommu_stub_iommu *table_entry(const struct check *c, uint64_t base)
{
	const struct riommu_stub_table *table = &c->kernel.image.table;

	for (uint32_t i = 0; c->has_kernel && c->kernel.image.wrapped && i < table->count; i++)
		if (table->iommu[i].base == base)
			return &table->iommu[i];
	return NULL;
}

/* Whether the stub would write to an IOMMU with these capabilities. */
static bool entry_fits(const struct riommu_stub_iommu *entry, const struct riommu_iommu *iommu)
{
	uint64_t capabilities;

	return !entry->capabilities ||
	       riommu_iommu_reg(iommu, RIOMMU_REG_CAPABILITIES, &capabilities) ||
	       capabilities == entry->capabilities;
}

static bool is_blocked(const struct check *c, const struct riommu_iommu *iommu)
{
	const struct riommu_stub_iommu *entry = table_entry(c, iommu->base);

	return entry && entry->policy == RIOMMU_POLICY_BLOCK && entry_fits(entry, iommu);
}

static void check_entry(struct check *c, const struct riommu_iommu *iommu)
{
	const struct riommu_stub_iommu *entry = table_entry(c, iommu->base);

	if (!entry)
		finding(c, RIOMMU_ERROR, "iommu-not-covered", iommu,
			"wrap the Image again: image IN -o OUT",
			"the stub in the Image does not know this IOMMU");
	else if (!entry_fits(entry, iommu))
		finding(c, RIOMMU_ERROR, "capabilities-changed", iommu,
			"wrap the Image again: image IN -o OUT",
			"the stub expects capabilities 0x%" PRIx64
			", which it does not have: it would be left alone",
			entry->capabilities);
	else if (entry->policy == RIOMMU_POLICY_LEAVE)
		finding(c, RIOMMU_INFO, "policy-leave", iommu, NULL,
			"the stub only records its state (--policy leave)");
}

/* Table entries for IOMMUs that are not on this machine. */
static void check_extra(struct check *c)
{
	const struct riommu_stub_table *table = &c->kernel.image.table;

	for (uint32_t i = 0; i < table->count; i++) {
		bool here = false;

		for (size_t j = 0; j < c->p->sys->iommu_count; j++)
			here = here || c->p->sys->iommus[j].base == table->iommu[i].base;
		if (!here)
			finding(c, RIOMMU_WARNING, "iommu-extra", NULL,
				"wrap the Image again: image IN -o OUT",
				"the stub has an IOMMU at 0x%" PRIx64
				", which this machine does not show",
				table->iommu[i].base);
	}
}

static void check_image(struct check *c)
{
	const struct riommu_image *image = &c->kernel.image;

	if (!c->has_kernel) {
		finding(c, RIOMMU_INFO, "no-image", NULL, "check IMAGE",
			"no Image was named: what follows is what happens without the stub");
		return;
	}
	if (!image->wrapped) {
		finding(c, RIOMMU_WARNING, "image-not-wrapped", NULL,
			"image IN -o OUT, or load IMAGE, which does it", "%s has no stub",
			c->kernel.path);
		return;
	}
	finding(c, RIOMMU_INFO, "image-wrapped", NULL, NULL,
		"%s has the stub, by layout %c (%s), which knows of %" PRIu32 " IOMMU%s",
		c->kernel.path, (char)image->layout, riommu_layout_name(image->layout),
		image->table.count, image->table.count == 1 ? "" : "s");
	if (!image->stub_current)
		finding(c, RIOMMU_WARNING, "stub-old", NULL, "wrap it again: image IN -o OUT",
			"its stub is not the one of this program");
	check_extra(c);
	for (size_t i = 0; prep_next_iommu(c->p, &i); i++)
		check_entry(c, &c->p->sys->iommus[i]);
}

/* -- the driver ----------------------------------------------------------------------------------------------------- */

static void check_driver(struct check *c, const struct riommu_iommu *iommu)
{
	char words[512];
	const char *problem =
		prep_driver_problem(&c->kernel, iommu, c->command_line, words, sizeof(words));
	enum driver driver = iommu_driver(iommu);

	if (problem && is_blocked(c, iommu))
		finding(c, RIOMMU_ERROR, "driver-missing", iommu,
			"a kernel with the driver, or --policy leave for this IOMMU",
			"%s, and the stub blocks it: no device behind it (disks) would work",
			problem);
	else if (problem)
		finding(c, RIOMMU_WARNING, "driver-missing", iommu, NULL, "%s", problem);
	else if (c->kernel.known.driver[driver] == ANSWER_UNKNOWN)
		finding(c, RIOMMU_INFO, "driver-unknown", iommu,
			"see that its configuration has RISCV_IOMMU_PCI=y",
			"whether kernel %s has a driver for it cannot be seen",
			c->kernel.known.release);
	else
		finding(c, RIOMMU_INFO, "driver-present", iommu, NULL,
			"kernel %s has a driver for it (by %s)", c->kernel.known.release,
			c->kernel.known.evidence);
}

/* -- what the next kernel finds --------------------------------------------------------------------------------------- */

static const char *mode_name(uint64_t ddtp)
{
	const char *name = riommu_ddtp_mode_name(ddtp);

	return name ? name : "a reserved mode";
}

/* After kexec -e. A driver that runs now leaves Bare behind; without one ddtp stays as it is. */
static void check_kexec(struct check *c, const struct riommu_iommu *iommu, bool driven,
			const uint64_t *ddtp)
{
	static const char open[] = "wrap the Image: image IN -o OUT, or load IMAGE";
	uint64_t mode = ddtp ? riommu_bits(*ddtp, 3, 0) : 0;

	if (driven)
		finding(c, RIOMMU_WARNING, "kexec-open", iommu, open,
			"kexec: this kernel's driver leaves it Bare, so all DMA passes until the "
			"next kernel's driver takes over; "
			"the next kernel accepts that");
	else if (!ddtp)
		finding(c, RIOMMU_WARNING, "kexec-unknown", iommu,
			"iommu-dump list says why and what to do",
			"kexec: no driver has it, and ddtp is not known (%s)", iommu->reason);
	else if (*ddtp & RIOMMU_DDTP_BUSY || mode > RIOMMU_DDTP_BARE)
		finding(c, RIOMMU_ERROR, "kexec-refused", iommu, open,
			"kexec: the next kernel finds %s%s and gives up on this IOMMU (-EBUSY)",
			mode_name(*ddtp), *ddtp & RIOMMU_DDTP_BUSY ? ", busy," : "");
	else if (mode == RIOMMU_DDTP_BARE)
		finding(c, RIOMMU_WARNING, "kexec-open", iommu, open,
			"kexec: it stays Bare: all DMA passes; the next kernel accepts that");
	else
		finding(c, RIOMMU_INFO, "kexec-off", iommu, NULL,
			"kexec: it stays Off, which the next kernel accepts");
}

/* After a panic nothing runs before the crash kernel: what ddtp is now it will be then. */
static void check_panic(struct check *c, const struct riommu_iommu *iommu, bool driven,
			const uint64_t *ddtp)
{
	static const char live[] =
		"wrap the crash kernel's Image: image IN -o OUT, or load -p IMAGE";
	uint64_t mode = ddtp ? riommu_bits(*ddtp, 3, 0) : RIOMMU_DDTP_3LVL;

	if (!ddtp && !driven)
		finding(c, RIOMMU_WARNING, "panic-unknown", iommu,
			"iommu-dump list says why and what to do",
			"panic: no driver has it, and ddtp is not known (%s)", iommu->reason);
	else if (ddtp && *ddtp & RIOMMU_DDTP_BUSY)
		finding(c, RIOMMU_ERROR, "panic-refused", iommu, live,
			"panic: ddtp is busy; if it stays so the crash kernel gives up on this "
			"IOMMU (-EBUSY)");
	else if (mode > RIOMMU_DDTP_BARE)
		finding(c, RIOMMU_WARNING, "panic-live", iommu, live,
			"panic: the old tables%s%s%s stay live, and devices go on writing, until "
			"the crash kernel's driver takes over; it "
			"accepts that because it is a crash kernel",
			ddtp ? " (" : "", ddtp ? mode_name(*ddtp) : "", ddtp ? ")" : "");
	else if (mode == RIOMMU_DDTP_BARE)
		finding(c, RIOMMU_WARNING, "panic-open", iommu, live,
			"panic: it stays Bare: all DMA passes; the crash kernel accepts that");
	else
		finding(c, RIOMMU_INFO, "panic-off", iommu, NULL,
			"panic: it stays Off, which the crash kernel accepts");
}

/* Whether the kernel has a driver at work. A capture shows that by the groups of devices, which only that driver makes. */
static bool is_driven(const struct check *c, size_t index)
{
	const struct riommu_system *sys = c->p->sys;

	for (size_t i = 0; !sys->live && i < sys->device_count; i++)
		if (sys->devices[i].iommu == index && sys->devices[i].group[0])
			return true;
	return sys->live && c->host.driven[index];
}

static void check_state(struct check *c, size_t index)
{
	const struct riommu_iommu *iommu = &c->p->sys->iommus[index];
	bool driven = is_driven(c, index);
	uint64_t value, *ddtp = riommu_iommu_reg(iommu, RIOMMU_REG_DDTP, &value) ? NULL : &value;

	if (is_blocked(c, iommu)) {
		finding(c, RIOMMU_INFO, "blocked", iommu, NULL,
			"the stub puts it Off, with its queues off, before the next kernel runs, "
			"which accepts that");
		return;
	}
	if (c->kexec)
		check_kexec(c, iommu, driven, ddtp);
	if (c->panic)
		check_panic(c, iommu, driven, ddtp);
}

/* -- DMA over the crash kernel -------------------------------------------------------------------------------------- */

/* How what a device reaches and the memory of the crash kernel lie to each other: the last that applies. */
enum overlap { NO_CONTEXT, OVERLAP_NONE, OVERLAP_UNKNOWN, OVERLAP_SOME, OVERLAP_ALL };

struct windows {
	struct check *c;
	size_t iommu;
	uint8_t *overlaps; /* enum overlap, by device_id; NULL: no contexts were seen */
	uint32_t last;     /* the highest device_id with a valid context */
	unsigned identity, overlap, apart, translated, unreadable;
	char identity_names[NAMES], overlap_names[NAMES], translated_names[NAMES];
};

static void add_name(const struct windows *w, char names[NAMES], uint32_t device_id)
{
	const char *name = riommu_system_device_name(w->c->p->sys, w->iommu, device_id);
	size_t used = strlen(names);

	if (used > NAMES - 100) {
		if (names[used - 1] != '.')
			strcpy(names + used, ", ...");
		return;
	}
	if (name)
		snprintf(names + used, NAMES - used, "%s%s", used ? ", " : "", name);
	else
		snprintf(names + used, NAMES - used, "%s0x%" PRIx32, used ? ", " : "", device_id);
}

static void mark(const struct windows *w, uint32_t device_id, enum overlap overlap)
{
	uint8_t *known = &w->overlaps[device_id];

	if (*known != NO_CONTEXT && *known < overlap)
		*known = (uint8_t)overlap;
}

static bool is_crash_memory(const struct riommu_region *region)
{
	return !strncmp(region->name, "Crash kernel", 12);
}

/* True if START..END touches REGION. */
static bool touches(const struct riommu_region *region, uint64_t start, uint64_t end)
{
	return start <= region->end && end >= region->start;
}

static enum overlap overlap_of(const struct riommu_system *sys, const struct riommu_mapping *m)
{
	bool mrif = m->kind == RIOMMU_MAPPING_MSI_MRIF; /* its notice is written too */
	uint64_t end = mrif ? m->pa + 511 : m->pa + (m->last - m->iova);

	if (m->kind == RIOMMU_MAPPING_IDENTITY)
		return OVERLAP_ALL;
	if (m->kind == RIOMMU_MAPPING_UNREADABLE)
		return OVERLAP_UNKNOWN;
	for (size_t i = 0; i < sys->region_count; i++)
		if (is_crash_memory(&sys->regions[i]) &&
		    (touches(&sys->regions[i], m->pa, end) ||
		     (mrif && touches(&sys->regions[i], m->notice_pa, m->notice_pa + 3))))
			return OVERLAP_SOME;
	return OVERLAP_NONE;
}

/* Translated requests are left out: a device that sends them got the address from the IOMMU, or could not be held anyway. */
static int see_reached(void *arg, const struct riommu_reached *r)
{
	const struct windows *w = arg;
	enum overlap overlap = overlap_of(w->c->p->sys, r->mapping);

	for (size_t i = 0; i < r->ref_count; i++)
		if (r->refs[i].kind != RIOMMU_SPACE_TRANSLATED)
			mark(w, r->refs[i].device_id, overlap);
	return 0;
}

static int see_context(void *arg, const struct riommu_dc_visit *v)
{
	struct windows *w = arg;

	if (!v->dc) {
		w->unreadable++;
		return 0;
	}
	if (!(v->dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_V))
		return 0;
	w->last = v->dc->device_id;
	w->overlaps[w->last] = OVERLAP_NONE;
	return 0;
}

/* All contexts, and what their devices could reach of the memory from the first region to the last. */
static void see_tables(struct windows *w, const struct riommu_walker *walker)
{
	const struct riommu_system *sys = w->c->p->sys;
	uint64_t first = UINT64_MAX, last = 0;
	int err;

	w->overlaps = need(calloc((size_t)RIOMMU_DEVICE_ID_MAX + 1, 1));
	err = riommu_visit_dcs(walker, see_context, w);
	for (size_t i = 0; i < sys->region_count; i++) {
		if (!is_crash_memory(&sys->regions[i]))
			continue;
		first = sys->regions[i].start < first ? sys->regions[i].start : first;
		last = sys->regions[i].end > last ? sys->regions[i].end : last;
	}
	if (!err)
		err = riommu_visit_reachable(walker, first, last, see_reached, w, NULL);
	if (err && err != -EOVERFLOW)
		out_error(&w->c->p->out, err, "%s: what its devices reach is not known: %s",
			  sys->iommus[w->iommu].name, strerror(-err));
	/* what was given up is told for each device; another error leaves all open */
	for (uint32_t id = 0; err && err != -EOVERFLOW && id <= w->last; id++)
		mark(w, id, OVERLAP_UNKNOWN);
}

static void count_device(struct windows *w, uint32_t device_id)
{
	switch ((enum overlap)w->overlaps[device_id]) {
	case NO_CONTEXT:
		break;
	case OVERLAP_ALL:
		w->identity++;
		add_name(w, w->identity_names, device_id);
		break;
	case OVERLAP_SOME:
		w->overlap++;
		add_name(w, w->overlap_names, device_id);
		break;
	case OVERLAP_NONE:
		w->apart++;
		break;
	case OVERLAP_UNKNOWN:
		w->translated++;
		add_name(w, w->translated_names, device_id);
		break;
	}
}

/* Registers or memory cannot be read: what the kernel says of the groups. */
static void see_groups(struct windows *w)
{
	const struct riommu_system *sys = w->c->p->sys;

	for (size_t i = 0; i < sys->device_count; i++) {
		const struct riommu_device *device = &sys->devices[i];

		if (device->iommu != w->iommu || !device->domain_type[0] ||
		    !strcmp(device->domain_type, "blocked"))
			continue;
		if (!strcmp(device->domain_type, "identity")) {
			w->identity++;
			add_name(w, w->identity_names, device->device_id);
		} else {
			w->translated++;
			add_name(w, w->translated_names, device->device_id);
		}
	}
}

static void report_windows(const struct windows *w, const char *where)
{
	const struct riommu_iommu *iommu = &w->c->p->sys->iommus[w->iommu];
	bool blocked = is_blocked(w->c, iommu);

	if (w->identity)
		finding(w->c, RIOMMU_INFO, "dma-identity", iommu, NULL,
			"by an identity mapping, usual for Linux 7.2, these reach all memory, the "
			"crash kernel at %s too%s: "
			"%s (%u in all)",
			where, blocked ? ", until the stub blocks them" : "", w->identity_names,
			w->identity);
	if (w->overlap)
		finding(w->c, blocked ? RIOMMU_INFO : RIOMMU_WARNING, "dma-window", iommu,
			"iommu-dump devices",
			"page tables let these reach memory of the crash kernel at %s%s: %s (%u in "
			"all)",
			where, blocked ? ", until the stub blocks them" : "", w->overlap_names,
			w->overlap);
	if (w->apart)
		finding(w->c, RIOMMU_INFO, "dma-apart", iommu, NULL,
			"the page tables of %u devices do not reach the crash kernel at %s",
			w->apart, where);
	if (w->translated)
		finding(w->c, RIOMMU_INFO, "dma-not-checked", iommu, "iommu-dump devices",
			"the page tables of these cannot be read whole, so they are not compared "
			"with the crash kernel at "
			"%s: %s (%u in all)",
			where, w->translated_names, w->translated);
	if (w->unreadable)
		finding(w->c, RIOMMU_INFO, "dma-unknown", iommu, NULL,
			"%u parts of the device directory cannot be read", w->unreadable);
}

static void check_windows(struct check *c, size_t index, const char *where)
{
	struct riommu_system *sys = c->p->sys;
	struct windows w = {.c = c, .iommu = index};
	struct riommu_walker walker;
	const char *missing;
	uint64_t ddtp;

	if (!riommu_iommu_reg(&sys->iommus[index], RIOMMU_REG_DDTP, &ddtp)) {
		if (riommu_bits(ddtp, 3, 0) == RIOMMU_DDTP_OFF)
			return;
		if (riommu_bits(ddtp, 3, 0) == RIOMMU_DDTP_BARE) {
			finding(c, RIOMMU_INFO, "dma-identity", &sys->iommus[index], NULL,
				"it is Bare: every device behind it reaches all memory, the crash "
				"kernel at %s too",
				where);
			return;
		}
	}
	if (sys->memory && !riommu_walker_init(&walker, sys, index, &missing))
		see_tables(&w, &walker);
	for (uint32_t id = 0; w.overlaps && id <= w.last; id++)
		count_device(&w, id);
	free(w.overlaps);
	if (!w.identity && !w.overlap && !w.apart && !w.translated)
		see_groups(&w);
	report_windows(&w, where);
}

static void check_crash_memory(struct check *c)
{
	const struct riommu_system *sys = c->p->sys;
	char where[200] = "";

	for (size_t i = 0; i < sys->region_count; i++) {
		size_t used = strlen(where);

		if (is_crash_memory(&sys->regions[i]))
			snprintf(where + used, sizeof(where) - used, "%s0x%" PRIx64 "-0x%" PRIx64,
				 used ? ", " : "", sys->regions[i].start, sys->regions[i].end);
	}
	if (!where[0]) {
		finding(c, RIOMMU_INFO, "no-crash-memory", NULL,
			"boot with crashkernel=256M, if a crash kernel is wanted",
			"no memory is reserved for a crash kernel, or /proc/iomem does not show "
			"it");
		return;
	}
	for (size_t i = 0; prep_next_iommu(c->p, &i); i++)
		check_windows(c, i, where);
}

/* -- firmware ----------------------------------------------------------------------------------------------------------- */

/* Whether DMA is blocked for anybody: else what firmware left running goes on. */
static bool blocks_any(const struct check *c)
{
	if (!c->has_kernel || !c->kernel.image.wrapped)
		return true; /* it will be, by default */
	for (size_t i = 0; i < c->p->sys->iommu_count; i++)
		if (is_blocked(c, &c->p->sys->iommus[i]))
			return true;
	return false;
}

static const char leave_advice[] =
	"--policy NAME=leave for the IOMMU that it is behind, if that matters";

static int see_firmware(void *arg, const struct riommu_firmware_dma *dma)
{
	struct check *c = arg;
	enum riommu_severity severity = blocks_any(c) ? RIOMMU_WARNING : RIOMMU_INFO;

	if (dma->framebuffer)
		finding(c, severity, "firmware-framebuffer", NULL, leave_advice,
			"firmware shows a framebuffer (%s): behind a blocked IOMMU the screen goes "
			"dark until its driver runs",
			dma->node);
	else
		finding(c, severity, "firmware-dma", NULL, leave_advice,
			"%s uses memory at fixed addresses (iommu-addresses of %s): blocked, it "
			"stops until its driver runs",
			dma->device[0] ? dma->device : "a device", dma->node);
	return 0;
}

/* "0 simple", "0 EFI VGA", "0 simpledrmdrmfb": a framebuffer whose memory firmware set up. */
static void check_framebuffers(struct check *c)
{
	static const char *const drivers[] = {"simple", "EFI",     "VESA",
					      "efidrm", "vesadrm", "ofdrm"};
	char *text = c->host.framebuffers, *next = NULL;

	for (char *line = text ? strtok_r(text, "\n", &next) : NULL; line;
	     line = strtok_r(NULL, "\n", &next)) {
		const char *name = line + strspn(line, " 0123456789");

		for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(drivers); i++) {
			if (strncasecmp(name, drivers[i], strlen(drivers[i])))
				continue;
			finding(c, blocks_any(c) ? RIOMMU_WARNING : RIOMMU_INFO,
				"firmware-framebuffer", NULL, leave_advice,
				"the screen shows a framebuffer of the firmware (%s): behind a "
				"blocked IOMMU it goes dark until its driver runs",
				line);
			break;
		}
	}
}

/* -- the system --------------------------------------------------------------------------------------------------------- */

static void check_loaded(struct check *c, bool crash)
{
	const char *what = crash ? "crash kernel" : "kernel for kexec -e";

	switch (crash ? c->host.loaded_crash : c->host.loaded) {
	case ANSWER_YES:
		finding(c, RIOMMU_INFO, crash ? "crash-loaded" : "kexec-loaded", NULL, NULL,
			"a %s is loaded (from which Image cannot be seen)", what);
		break;
	case ANSWER_NO:
		finding(c, RIOMMU_INFO, crash ? "crash-not-loaded" : "kexec-not-loaded", NULL,
			crash ? "load -p IMAGE" : "load IMAGE", "no %s is loaded", what);
		break;
	case ANSWER_UNKNOWN:
		finding(c, RIOMMU_WARNING, "no-kexec", NULL, "a kernel with CONFIG_KEXEC",
			"this kernel does not say whether a %s is loaded", what);
		break;
	}
}

/* Starts it, with its output to ENDS[1]. -1, and errno. */
static pid_t ask_kexec(const char *path, const int ends[2])
{
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(ends[1], STDOUT_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[0]);
	close(ends[1]);
	execl(path, path, "--version", (char *)NULL);
	_exit(127);
}

#define MAX_ANSWER ((size_t)64 << 10)

/* The first line that the program says of itself; "" when it says none, or *ERR tells why it could not be asked. */
static void kexec_version(const char *path, char *text, size_t size, int *err)
{
	char *answer = NULL;
	int ends[2];
	size_t len;
	pid_t pid;

	text[0] = '\0';
	*err = pipe(ends) ? errno : 0;
	if (*err)
		return;
	pid = ask_kexec(path, ends);
	*err = pid < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) ? errno : 0;
	close(ends[1]);
	if (!*err)
		*err = -riommu_read_fd(ends[0], MAX_ANSWER, &answer, &len);
	close(ends[0]);
	if (!*err)
		riommu_copy_name(text, size, answer, strcspn(answer, "\n"));
	free(answer);
	if (pid < 0)
		return;
	kill(pid, SIGKILL); /* it may say nothing, or go on when all is said */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void prep_check_before(struct prep *p)
{
	struct kexec_tools *k = &p->kexec;

	if (p->options.input)
		return;
	if (kexec_find(p, k->program, sizeof(k->program))) {
		kexec_version(k->program, k->version, sizeof(k->version), &k->error);
	} else {
		k->error = errno;
		k->program[0] = '\0';
	}
}

static void check_kexec_tools(struct check *c)
{
	const struct kexec_tools *k = &c->p->kexec;
	const char *path = k->program, *text = k->version;
	unsigned major, minor, patch;
	int used = 0;

	if (!path[0]) {
		bool absent = !k->error || k->error == ENOENT;

		finding(c, RIOMMU_WARNING, "kexec-missing", NULL,
			"install kexec-tools, or -O kexec.path=FILE",
			"the program kexec is not here%s%s", absent ? "" : ": ",
			absent ? "" : strerror(k->error));
		return;
	}
	if (sscanf(text, "kexec-tools %u.%u.%u%n", &major, &minor, &patch, &used) != 3)
		finding(c, RIOMMU_INFO, "kexec-version", NULL, NULL,
			"%s does not say its version%s%s", path, k->error ? ": " : "",
			k->error == ETIME ? "it does not come to an end"
			: k->error        ? strerror(k->error)
					  : "");
	else if (c->panic && major * 1000000 + minor * 1000 + patch <= 2000032 &&
		 strncmp(text + used, ".git", 4))
		finding(c, RIOMMU_INFO, "kexec-version", NULL,
			"copy /proc/vmcore as it is, or use a newer kexec-tools",
			"kexec-tools %u.%u.%u describes memory wrongly to a crash kernel on "
			"riscv64: makedumpfile can fail on the dump",
			major, minor, patch);
	else
		finding(c, RIOMMU_INFO, "kexec-version", NULL, NULL, "%s is kexec-tools %u.%u.%u",
			path, major, minor, patch);
}

/* kexec takes this kernel's device tree unless it is given one: with the record of how this kernel was started. */
static void check_own_record(struct check *c)
{
	if (c->host.own_record)
		finding(c, RIOMMU_INFO, "own-record", NULL,
			"use load, or kexec --dtb with a tree by dtb",
			"this kernel's device tree has the record of its own start; a kernel "
			"loaded by plain kexec "
			"inherits it, and a report there would tell of the wrong handover");
}

static void check_system(struct check *c)
{
	const char *level = c->host.lockdown;

	if (level)
		finding(c, RIOMMU_ERROR, "lockdown", NULL, "boot without lockdown (Secure Boot)",
			"the kernel is locked down (%s): it refuses kexec_load, and "
			"kexec_file_load cannot pass a device tree",
			level);
	if (c->kexec)
		check_loaded(c, false);
	if (c->panic)
		check_loaded(c, true);
	check_kexec_tools(c);
	check_own_record(c);
}

/* -- what is read before nothing can be opened ------------------------------------------------------------------------ */

static void ask_host(struct check *c)
{
	struct prep *p = c->p;
	struct host *h = &c->host;
	char *record;

	h->driven = need(calloc(p->sys->iommu_count, sizeof(*h->driven)));
	for (size_t i = 0; i < p->sys->iommu_count; i++)
		h->driven[i] = riommu_system_driven(p->sys, i);
	riommu_dt_load(p->sys, &h->tree);
	h->framebuffers = read_text(p, "proc.path", "/fb");
	h->lockdown = lockdown_level(p);
	if (c->kexec)
		h->loaded = kernel_loaded(p, false);
	if (c->panic)
		h->loaded_crash = kernel_loaded(p, true);
	record = read_text(p, "dt.path", RIOMMU_RECORD_NODE "/" RIOMMU_RECORD_PROPERTY);
	h->own_record = record;
	free(record);
}

static void forget_host(struct host *h)
{
	free(h->driven);
	riommu_dt_free(h->tree);
	free(h->framebuffers);
}

/* -- all of it ------------------------------------------------------------------------------------------------------------ */

static void check_all(struct check *c)
{
	struct prep *p = c->p;

	check_image(c);
	for (size_t i = 0; prep_next_iommu(p, &i); i++) {
		if (c->has_kernel)
			check_driver(c, &p->sys->iommus[i]);
		check_state(c, i);
	}
	if (c->panic)
		check_crash_memory(c);
	if (!p->sys->live) /* the rest is of the machine that this runs on */
		return;
	if (c->host.tree)
		riommu_firmware_dma(c->host.tree, see_firmware, c);
	check_framebuffers(c);
	check_system(c);
}

void prep_check(struct prep *p, int argc, char **argv)
{
	struct check c = {.p = p, .kexec = p->load || !p->panic, .panic = p->panic || !p->load};

	if (argc > 1) {
		out_error(&p->out, -EINVAL, "check takes one Image, not '%s'", argv[1]);
		return;
	}
	out_begin(&p->out, PREP_SCHEMA, p->sys);
	sandbox(&p->options, SANDBOX_READING, stderr);
	if (argc && !prep_kernel_open(p, argv[0], &c.kernel))
		return;
	c.has_kernel = argc;
	if (p->append || p->sys->live) /* a capture is of another machine than this */
		c.command_line = next_command_line(p);
	if (p->sys->live)
		ask_host(&c);
	sandbox(&p->options, SANDBOX_CLOSED, stderr);
	out_list_begin(&p->out, "findings");
	progress_of_pages(&p->out);
	check_all(&c);
	progress_end();
	out_list_end(&p->out);
	if (!in_json(&p->out))
		printf("%u error%s, %u warning%s\n", c.count[RIOMMU_ERROR],
		       c.count[RIOMMU_ERROR] == 1 ? "" : "s", c.count[RIOMMU_WARNING],
		       c.count[RIOMMU_WARNING] == 1 ? "" : "s");
	forget_host(&c.host);
	free(c.command_line);
	prep_kernel_close(&c.kernel);
}
