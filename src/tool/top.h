/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iommu-top: one model (watches, or a recording that is played back, and the statistics over them) and three views of it: the
 * screen (top-screen.c), text (top-batch.c) and JSON Lines (top-json.c).
 */
#ifndef TOP_H
#define TOP_H

#include "queue/recording.h"
#include "queue/stats.h"
#include "tool.h"

#define TOP_SCHEMA "iommu-top/1"
#define TOP_SECOND ((uint64_t)1000000000)

/* What there is to be seen of a device; top-columns.c has the one table. */
enum top_column_id {
	COLUMN_DEVICE,
	COLUMN_ID,
	COLUMN_IOMMU,
	COLUMN_RATE,
	COLUMN_RATE10,
	COLUMN_FAULTS,
	COLUMN_BEFORE,
	COLUMN_PAGES,
	COLUMN_IOVA,
	COLUMN_TYPE,
	COLUMN_AGE,
	COLUMN_CAUSE,
	COLUMN_COUNT
};

struct top_column {
	const char *name;
	const char *help;
	int width;
	bool right;      /* aligned */
	bool descending; /* the largest first, when sorted by it */
	int rank;        /* on a narrow screen columns of a higher rank go first */
};
extern const struct top_column top_columns[COLUMN_COUNT];

/* Keys of the screen, in one table: the screen obeys it, the help prints it, the manual is compared with it. */
enum top_action {
	ACTION_HELP,
	ACTION_QUIT,
	ACTION_SORT,
	ACTION_INVERT,
	ACTION_FILTER,
	ACTION_PAUSE,
	ACTION_DETAIL,
	ACTION_FOCUS,
	ACTION_LINE,
	ACTION_PAGE,
	ACTION_ENDS,
	ACTION_LOG,
	ACTION_RESET,
	ACTION_SPEED,
	ACTION_COUNT
};

struct top_key {
	const char *keys; /* "q, F10" */
	const char *help;
};
extern const struct top_key top_keys[ACTION_COUNT];

struct top;

/* How a view gets what happens. */
struct top_view {
	void (*begin)(struct top *t);
	void (*event)(struct top *t, const struct riommu_watch_event *e);
	void (*tick)(struct top *t); /* every --delay */
	void (*end)(struct top *t, const char *why);
};
extern const struct top_view top_text_view, top_json_view;

enum top_source { TOP_LIVE, TOP_CAPTURE, TOP_RECORDING };

struct top {
	struct riommu_ctx *ctx;
	struct options options;
	struct riommu_system *sys;
	struct out out;
	enum top_source source;

	bool batch;
	bool delay_given;
	uint64_t delay;      /* ns between two ticks */
	uint64_t iterations; /* 0: no end */
	enum top_column_id sort;
	bool reverse;
	char filter[64];
	const char *record; /* --record */
	uint64_t speed;     /* --speed, in thousandths */

	const struct top_view *view;
	bool short_of_memory; /* that was told */
	struct riommu_stats *stats;
	uint64_t start, now; /* by the clock of the events */

	/* live, and captures: one of each for each IOMMU; NULL for those that -u leaves out */
	struct riommu_watch **watches;
	struct top_poll {
		struct riommu_pace pace;
		uint64_t due, last;
		int error; /* of the last poll, 0: none */
		bool told;
	} * polls;

	struct riommu_recorder *recorder;
	uint64_t synced; /* when the recording was last sent to the disk */

	struct riommu_recording *recording;
	struct riommu_watch_event ahead; /* read, and not yet due */
	bool has_ahead, ended;

	bool on_screen;    /* messages go into the line below, and are printed in the end */
	char message[300]; /* "": none */

	uint64_t told; /* text: how much of the log was printed */
};

/* Set by SIGINT, SIGTERM, SIGHUP. */
extern volatile int top_signal;

/* -- the model (top-model.c) --------------------------------------------------------------------------------- */

/* Opens what the options name. Ends the program when there is nothing to look at. */
void top_open(struct top *t);
void top_close(struct top *t);

/* Something went wrong: told where it can be seen, and counted (ERR 0: told only). */
void top_trouble(struct top *t, int err, const char *fmt, ...) RIOMMU_PRINTF(3, 4);

/* Ends --record; what goes wrong is reported. */
void top_end_recording(struct top *t);

/* CLOCK_MONOTONIC, ns. */
uint64_t top_clock(void);

/* Looks at each queue that is due; returns when the next one is. */
uint64_t top_poll(struct top *t);

/*
 * Of a recording: takes all events up to UNTIL (then t->now is UNTIL). False when it has ended (t->now is its end then), or a signal
 * came.
 */
bool top_play(struct top *t, uint64_t until);

/*
 * Sleeps until TIME (by top_clock()), a second at most, until FD (-1: none) has something to read, or a signal comes. False when FD
 * is gone.
 */
bool top_sleep(uint64_t time, int fd);

/* Writes the state of each IOMMU into the statistics and the recording. */
void top_note_states(struct top *t);

/* True if none of the queues can be looked at: there is no use in going on. */
bool top_blind(const struct top *t);

/* False for an IOMMU that -u leaves out. */
bool top_selected(const struct top *t, size_t iommu);

/* True if anything is, or may be, missing; what is not ordered is among it. */
bool top_missing(const struct top *t);

/* -- words (top-words.c) ---------------------------------------------------------------------------------------- */

enum top_weight { WEIGHT_PLAIN, WEIGHT_WARNING, WEIGHT_ALARM };
struct top_line {
	enum top_weight weight;
	char text[300];
};

/* What to say of an IOMMU, the most important first behind its own line. Fills at most MAX lines; returns how many. */
size_t top_status(const struct top *t, size_t iommu, struct top_line *lines, size_t max);

/* An event in one line, without its time; of a fault the columns of DEVICE and cause line up. */
void top_event_text(const struct top *t, const struct riommu_watch_event *e, char *text,
		    size_t size);
enum top_weight top_event_weight(const struct riommu_watch_event *e);

/* The name of a device, or its id; "(none)" without one. */
void top_device_text(const struct top *t, uint32_t iommu, bool has_device, uint32_t device_id,
		     char *text, size_t size);

/* "1234.5", "12345", "1.2 M": at most 7 characters. */
void top_rate_text(uint64_t tenths, char *text, size_t size);

/* All about one fault, with the walk of its address through the tables as they are now. */
void top_detail(struct top *t, const struct riommu_watch_event *e, FILE *f);

/* -- devices (top-columns.c) ---------------------------------------------------------------------------------------- */

/* The devices that the filter lets through, sorted. The list is the caller's to free(); *COUNT is its length. */
const struct riommu_device_stats **top_devices(const struct top *t, size_t *count);

void top_cell(const struct top *t, const struct riommu_device_stats *d, enum top_column_id column,
	      char *text, size_t size);

/* False for what a capture cannot tell: it is of one moment, so all there is was there before. */
bool top_column_tells(const struct top *t, enum top_column_id column);

/* False when there is no column of this name; case does not matter. */
bool top_column_by_name(const char *name, enum top_column_id *column);

/* Does the filter let this event through? All that are not faults pass. */
bool top_event_passes(const struct top *t, const struct riommu_watch_event *e);

/* -- the screen (top-screen.c) ----------------------------------------------------------------------------------------- */

/* False, with nothing done, where the terminal cannot do it (or the program was built without). */
bool top_screen(struct top *t);

#endif
