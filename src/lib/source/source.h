/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source: bytes at a physical address, registers at an offset. A source is a const table of functions
 * (one file each: core.c, kdumpfile.c, raw.c, devmem.c, kcore.c, debugfs.c, overlay.c); sources.c lists them, input.c
 * finds the one that reads a file.
 *
 * Three answers stay apart all the way up: "not held here" (-ENODATA), "refused" (-EACCES), and bytes that
 * the hardware really gave, all ones included. A failed read is never replaced by a value.
 */
#ifndef RIOMMU_SOURCE_H
#define RIOMMU_SOURCE_H

#include "base/base.h"
#include "spec/registers.h"

enum riommu_provides { RIOMMU_PROVIDES_MEMORY = 1, RIOMMU_PROVIDES_REGISTERS = 2 };

struct riommu_source;

#define RIOMMU_MAX_IOMMUS 1024 /* of one machine, and of one capture */

struct riommu_source_ops {
	const char *name; /* for -A */
	const char *help;
	unsigned provides; /* enum riommu_provides */

	bool reads_file; /* open() wants a PATH: the source is for --input; the others are of a live machine */

	/* Whether a file that begins with these LEN bytes (a page at most) is one of its own. NULL: it cannot be told. */
	bool (*recognizes)(const uint8_t *head, size_t len);

	/* Opens; PATH is the file given with -i for sources that read one, else NULL. Read-only. */
	int (*open)(struct riommu_source *src, const char *path);
	void (*close)(struct riommu_source *src);

	/* Copies LEN bytes at physical address PA. 0, -ENODATA, -EACCES, -EFAULT, -EHWPOISON, other -errno. */
	int (*read)(struct riommu_source *src, uint64_t pa, void *buf, size_t len);

	/*
	 * Zero-copy: a pointer to the whole page that holds PA, good until close. -ENODATA also when the
	 * page is held only in part (read() is asked then). NULL: the source only copies.
	 */
	int (*map)(struct riommu_source *src, uint64_t page, const uint8_t **data);

	/*
	 * One register of the IOMMU whose register page is at BASE. WIDTH is 4 or 8; an 8-byte register is read
	 * as two 4-byte accesses. -ENODATA: not held; -EACCES: refused; -EFAULT: the bus did not answer.
	 */
	int (*reg_read)(struct riommu_source *src, uint64_t base, uint32_t offset, unsigned width,
			uint64_t *value);

	/* Drops what the source itself remembers of a changing system (riommu_source_forget()). NULL: nothing. */
	void (*forget)(struct riommu_source *src);

	/*
	 * Stores 4 bytes at a register. NULL: the source cannot write. Called only on a source that was opened with
	 * riommu_source_open_writable(), and only control/ does that.
	 */
	int (*reg_write)(struct riommu_source *src, uint64_t base, uint32_t offset, uint32_t value);
};

#define RIOMMU_PAGE_SLOTS 1024 /* direct-mapped; a copying source holds at most 4 MiB */

struct riommu_page_slot {
	uint64_t tag; /* riommu_page_tag() of the page that is held; 0 is empty */
	const uint8_t *data;
	uint8_t *own; /* buffer of a copying source, reused */
};

/* Its lowest bits are the slot; no page has 0. */
static inline uint64_t riommu_page_tag(uint64_t pa)
{
	return ~(pa >> RIOMMU_PAGE_SHIFT);
}

struct riommu_source {
	const struct riommu_source_ops *ops;
	struct riommu_ctx *ctx;
	void *priv;
	char *path;         /* what was opened, for messages */
	const uint8_t *map; /* all of it, where it is a file that is mapped */
	uint64_t map_size;
	bool writable; /* opened for writing registers */
	/* asked for registers that this one does not have or may not read; owned */
	struct riommu_source *lower;
	/* pages fetched from below the slots: "each table page once" is measured here */
	uint64_t pages_read;
	struct riommu_page_slot *slots;
};

/* All sources, ended by NULL, in the order in which they are tried. */
const struct riommu_source_ops *const *riommu_sources(void);
const struct riommu_source_ops *riommu_source_by_name(const char *name);

/*
 * Which source reads the file PATH: the one called ACCESS (NULL: none was named), raw where -O base= says where RAM begins,
 * else by its first bytes. -EINVAL when ACCESS reads no files. A file that nothing recognizes is core's, which says why not.
 */
int riommu_source_for_file(struct riommu_ctx *ctx, const char *path, const char *access,
			   const struct riommu_source_ops **ops);

/* Opens a source. *SRC is the caller's to close; closing NULL is fine. */
int riommu_source_open(struct riommu_ctx *ctx, const struct riommu_source_ops *ops,
		       const char *path, struct riommu_source **src);
void riommu_source_close(struct riommu_source *src);

/* Opens a source that can write registers too. -EACCES where the method or the system does not allow it. */
int riommu_source_open_writable(struct riommu_ctx *ctx, const struct riommu_source_ops *ops,
				struct riommu_source **src);

/*
 * Writes 4 bytes of a register (of one half, for 8-byte ones); logs what is done. -EACCES on a source that was not opened for
 * it, -EINVAL for an offset that is not in the register table and a BASE that is no page.
 */
int riommu_source_reg_write(struct riommu_source *src, uint64_t base, uint32_t offset,
			    uint32_t value);

/* A copy of LEN bytes at PA; the range may cross pages. Errors as ops->read. */
int riommu_source_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len);

/* The slow half of riommu_source_entry(). */
int riommu_source_fetch(struct riommu_source *src, uint64_t pa, size_t len, uint8_t *scratch,
			const uint8_t **data);

/*
 * LEN bytes at PA that lie within one page, without a copy where possible. *DATA is good until the next call on
 * SRC; SCRATCH (at least LEN bytes) holds them when the page is only held in part.
 */
static inline int riommu_source_entry(struct riommu_source *src, uint64_t pa, size_t len,
				      uint8_t *scratch, const uint8_t **data)
{
	uint64_t tag = riommu_page_tag(pa);
	const struct riommu_page_slot *slot = &src->slots[tag % RIOMMU_PAGE_SLOTS];

	if (slot->tag == tag) {
		*data = slot->data + (pa & RIOMMU_PAGE_MASK);
		return 0;
	}
	return riommu_source_fetch(src, pa, len, scratch, data);
}

/* One register; checks offset and width against the register table first (-EINVAL). */
int riommu_source_reg_read(struct riommu_source *src, uint64_t base, uint32_t offset,
			   unsigned width, uint64_t *value);

/* Forgets the pages held in slots of a copying source: live memory changes. */
void riommu_source_forget(struct riommu_source *src);

/* -- overlay: registers given by hand (--reg), by a capture's notes or by a handover record ------------------ */

/* Lays an overlay over LOWER (which it then owns; may be NULL). */
int riommu_overlay_new(struct riommu_ctx *ctx, struct riommu_source *lower,
		       struct riommu_source **overlay);

/* Sets a register; a later set of the same one wins. Offset and width are checked against the table: -EINVAL. */
int riommu_overlay_set(struct riommu_source *overlay, uint64_t base, uint32_t offset,
		       unsigned width, uint64_t value);

/* True if the overlay itself, not the source below, has the register. */
bool riommu_overlay_get(const struct riommu_source *overlay, uint64_t base, uint32_t offset,
			uint64_t *value);

/* -- core: captures and vmcores ----------------------------------------------------------------------------- */

/* The Ith register note of an open core (notes were checked at open); false past the end. ENTRIES points at
 * packed entries (spec/notes.h). */
struct riommu_core_registers {
	uint64_t base;
	char name[64];
	uint32_t count;
	const uint8_t *entries;
};
bool riommu_core_registers_at(const struct riommu_source *core, size_t i,
			      struct riommu_core_registers *out);

/* The machine note's JSON text (not NUL-terminated), false when there is none. */
bool riommu_core_machine(const struct riommu_source *core, const char **text, size_t *len);

/* The Ith PT_LOAD by ascending address; false past the end. FILE_SIZE < MEM_SIZE: the rest is zero or not held. */
bool riommu_core_segment_at(const struct riommu_source *core, size_t i, uint64_t *pa,
			    uint64_t *file_size, uint64_t *mem_size);

/* -- why can't I read it? ----------------------------------------------------------------------------------- */

enum riommu_way_state {
	RIOMMU_WAY_OPEN,
	RIOMMU_WAY_REFUSED,
	RIOMMU_WAY_ABSENT,
	RIOMMU_WAY_UNTRIED
};

/* One way to the registers of an IOMMU (or to memory): what became of it, what stops it, what to do. */
struct riommu_way {
	const char *method; /* "debugfs", "devmem", "kcore" */
	enum riommu_way_state state;
	char reason[256]; /* why not; "" when open */
	char remedy[256]; /* the one thing to do; "" when open */
};

/* Tries, read-only, each live way to the registers at BASE. Fills at most MAX, returns how many. */
size_t riommu_ways(struct riommu_ctx *ctx, uint64_t base, struct riommu_way *ways, size_t max);

/* The same for memory: it is always kcore on a live machine. */
void riommu_way_to_memory(struct riommu_ctx *ctx, struct riommu_way *way);

/* The same after an attempt, which ended with ERR and riommu_error(). */
void riommu_explain_memory(struct riommu_ctx *ctx, int err, struct riommu_way *way);

#endif
