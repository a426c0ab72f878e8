/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who would be cut off: filesystems, swap and interfaces, followed through sysfs to the device that carries them. A device under
 * another (a partition on a disk, a volume on two) is followed down to all of those below it.
 */
#include "control/control-internal.h"
#include "discover/paths.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_LIST  ((size_t)4 << 20) /* of mounts or swaps */
#define MAX_DEPTH 16                /* volumes on volumes */

struct search {
	const struct riommu_quiesce *q;
	struct riommu_user user;
	int (*found)(void *arg, const struct riommu_user *user);
	void *arg;
	int result; /* of found() */
	int error;  /* the first, with its words: then who would be cut off is not known */
};

/* PATH could not be looked at. What is not there is nobody's. */
static void lost(struct search *s, const char *path, int error)
{
	if (!error || error == ENOENT || error == ENOTDIR || error == EINVAL || s->error)
		return;
	s->error = riommu_fail(s->q->ctx, -error, "%s: %s: who would be cut off is not known", path,
			       strerror(error));
}

/* The next entry of the directory PATH, NULL at the end. */
static struct dirent *next_entry(struct search *s, DIR *dir, const char *path)
{
	struct dirent *entry;

	errno = 0;
	entry = readdir(dir);
	if (!entry)
		lost(s, path, errno);
	return entry;
}

/* -- devices --------------------------------------------------------------------------------------------------- */

/* With ddtp Off all of them lose their DMA, kept and platform devices, too; without, only what is stopped. */
static bool is_cut_off(const struct riommu_quiesce *q, const struct riommu_quiesce_function *f)
{
	if (!(q->skip & 1u << RIOMMU_STAGE_BLOCK))
		return f->kind != RIOMMU_FUNCTION_IOMMU;
	return f->command_new != f->command_old;
}

static const struct riommu_quiesce_function *find(const struct riommu_quiesce *q, const char *name,
						  size_t len)
{
	for (size_t i = 0; i < q->function_count; i++) {
		const struct riommu_quiesce_function *f = &q->functions[i];

		if (strlen(f->name) == len && !memcmp(f->name, name, len) && is_cut_off(q, f))
			return f;
	}
	return NULL;
}

/* The device nearest to the end of PATH ("../../devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1"). */
static const struct riommu_quiesce_function *carrier(const struct riommu_quiesce *q,
						     const char *path)
{
	const struct riommu_quiesce_function *last = NULL, *f;

	while (*path) {
		size_t len = strcspn(path, "/");

		f = find(q, path, len);
		if (f)
			last = f;
		path += len + (path[len] == '/');
	}
	return last;
}

static int tell(struct search *s, const struct riommu_quiesce_function *f)
{
	if (!f)
		return 0;
	s->user.function = f->name;
	s->result = s->found(s->arg, &s->user);
	return s->result;
}

/* -- block devices --------------------------------------------------------------------------------------------- */

static int follow_block(struct search *s, const char *path, unsigned depth);

/* Each symbolic link in the directory PATH/WHERE, whose name begins with PREFIX. */
static int follow_all(struct search *s, const char *path, const char *where, const char *prefix,
		      unsigned depth)
{
	char below[RIOMMU_PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (snprintf(below, sizeof(below), "%s/%s", path, where) >= (int)sizeof(below)) {
		lost(s, path, ENAMETOOLONG);
		return 0;
	}
	dir = opendir(below);
	if (!dir) {
		lost(s, below, errno);
		return 0;
	}
	while (!s->result && (entry = next_entry(s, dir, path))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (snprintf(below, sizeof(below), "%s/%s/%s", path, where, entry->d_name) <
		    (int)sizeof(below))
			follow_block(s, below, depth + 1);
		else
			lost(s, path, ENAMETOOLONG);
	}
	closedir(dir);
	return s->result;
}

/*
 * What the volume at PATH lies on. A partition of a volume has no list of its own: the volume above it has. A multipath NVMe
 * disk lies below its subsystem, where its controllers are links.
 */
static int follow_lower(struct search *s, const char *path, const char *target, unsigned depth)
{
	static const char *const up[] = {"..", "../.."};

	follow_all(s, path, "slaves", "", depth);
	follow_all(s, path, "../slaves", "", depth);
	for (size_t i = 0; strstr(target, "/nvme-subsystem/") && i < 2; i++)
		follow_all(s, path, up[i], "nvme", depth);
	return s->result;
}

/* PATH is the symbolic link of a block device in sysfs. */
static int follow_block(struct search *s, const char *path, unsigned depth)
{
	char target[RIOMMU_PATH_MAX];
	ssize_t len = readlink(path, target, sizeof(target) - 1);

	if (len < 0 || depth > MAX_DEPTH) {
		lost(s, path, len < 0 ? errno : ELOOP);
		return 0; /* no block device: tmpfs, nfs, ... */
	}
	target[len] = '\0';
	if (tell(s, carrier(s->q, target)))
		return s->result;
	return follow_lower(s, path, target, depth);
}

/* "/dev/nvme0n1p1", also where it is a link ("/dev/mapper/root"). NODE begins with a slash. */
static int follow_node(struct search *s, const char *node)
{
	char real[PATH_MAX], path[RIOMMU_PATH_MAX];
	const char *name = strrchr(realpath(node, real) ? real : node, '/') + 1;

	if (strlen(name) > NAME_MAX)
		return 0; /* whoever mounts chooses this text: it is none of a device */
	riommu_path(s->q->ctx, path, "sysfs.path", "/class/block/%s", name);
	riommu_copy_name(s->user.name, sizeof(s->user.name), name, strlen(name));
	return follow_block(s, path, 0);
}

/* -- /proc/self/mountinfo and /proc/swaps ------------------------------------------------------------------------ */

/* They write blanks and the like as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		unsigned byte;

		if (*text == '\\' && sscanf(text + 1, "%3o", &byte) == 1 && byte < 256 &&
		    strspn(text + 1, "01234567") >= 3) {
			*to++ = (char)byte;
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* The Nth word of LINE (from 0), ended; NULL when there are not as many. LINE is spoiled behind it. */
static char *word(char *line, unsigned n)
{
	while (n--) {
		line += strcspn(line, " \t");
		line += strspn(line, " \t");
	}
	if (!*line)
		return NULL;
	line[strcspn(line, " \t")] = '\0';
	return line;
}

/*
 * "36 35 259:1 / /boot rw - ext4 /dev/nvme0n1p1 rw". Filesystems over several devices (btrfs) have a number of their own that
 * is no device's: then the source is followed.
 */
static int mount_line(struct search *s, char *line)
{
	char copy[3][512], path[RIOMMU_PATH_MAX], *number, *where, *source;
	char *rest = strstr(line, " - ");
	unsigned major, minor;

	if (!rest)
		return 0;
	for (int i = 0; i < 2; i++)
		snprintf(copy[i], sizeof(copy[i]), "%s", line);
	snprintf(copy[2], sizeof(copy[2]), "%s", rest + 3);
	number = word(copy[0], 2);
	where = word(copy[1], 4);
	source = word(copy[2], 1);
	if (!number || !where || sscanf(number, "%u:%u", &major, &minor) != 2)
		return 0;
	unescape(where);
	s->user = (struct riommu_user){.kind = RIOMMU_USER_MOUNT};
	riommu_copy_name(s->user.where, sizeof(s->user.where), where, strlen(where));
	if (source)
		unescape(source);
	if (!major)
		return source && !strncmp(source, "/dev/", 5) ? follow_node(s, source) : 0;
	if (source) {
		const char *name = strrchr(source, '/') ? strrchr(source, '/') + 1 : source;

		riommu_copy_name(s->user.name, sizeof(s->user.name), name, strlen(name));
	}
	riommu_path(s->q->ctx, path, "sysfs.path", "/dev/block/%u:%u", major, minor);
	return follow_block(s, path, 0);
}

/* "/dev/nvme0n1p2 partition 8388604 0 -2". A swap file lies on a mounted filesystem: that is told already. */
static int swap_line(struct search *s, char *line)
{
	char *name = word(line, 0);

	if (!name || name[0] != '/')
		return 0; /* the heading */
	unescape(name);
	s->user = (struct riommu_user){.kind = RIOMMU_USER_SWAP};
	return follow_node(s, name);
}

/* A list that is not there is none only if the kernel may have been built WITHOUT it. */
static int each_line(struct search *s, const char *file, bool without,
		     int (*line)(struct search *s, char *line))
{
	char path[RIOMMU_PATH_MAX], *text, *at;
	size_t len;
	int err;

	riommu_path(s->q->ctx, path, "proc.path", "%s", file);
	err = riommu_read_file(path, MAX_LIST, &text, &len);
	if (err == -ENOENT && without)
		return 0;
	if (err)
		return riommu_fail(s->q->ctx, err, "%s: %s: who would be cut off is not known",
				   path, riommu_read_reason(err));
	for (at = text; !s->result && *at;) {
		size_t end = strcspn(at, "\n");
		bool more = at[end] == '\n';

		at[end] = '\0';
		line(s, at);
		at += end + more;
	}
	free(text);
	return s->result;
}

/* -- /sys/class/net ------------------------------------------------------------------------------------------------ */

#define IFF_UP 1

static bool is_up(const struct search *s, const char *name)
{
	char path[RIOMMU_PATH_MAX], *text;
	uint64_t flags = 0;
	size_t len;
	int err;

	riommu_path(s->q->ctx, path, "sysfs.path", "/class/net/%s/flags", name);
	err = riommu_read_file(path, 64, &text, &len);
	if (err) /* when in doubt, it is named */
		return err != -ENOENT && err != -ENOTDIR;
	text[strcspn(text, "\n")] = '\0';
	if (riommu_parse_u64(text, &flags))
		flags = IFF_UP; /* when in doubt, it is named */
	free(text);
	return flags & IFF_UP;
}

static void follow_net(struct search *s, const char *name)
{
	char path[RIOMMU_PATH_MAX], target[RIOMMU_PATH_MAX];
	ssize_t len;

	riommu_path(s->q->ctx, path, "sysfs.path", "/class/net/%s", name);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0) {
		lost(s, path, errno); /* but for "bonding_masters" and its like */
		return;
	}
	target[len] = '\0';
	s->user = (struct riommu_user){.kind = RIOMMU_USER_NETWORK};
	riommu_copy_name(s->user.name, sizeof(s->user.name), name, strlen(name));
	tell(s, carrier(s->q, target));
}

static int each_net(struct search *s)
{
	char path[RIOMMU_PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	riommu_path(s->q->ctx, path, "sysfs.path", "/class/net");
	dir = opendir(path);
	if (!dir && errno == ENOENT)
		return 0; /* a kernel without networks */
	if (!dir)
		return riommu_fail(s->q->ctx, -errno, "%s: %s: who would be cut off is not known",
				   path, strerror(errno));
	while (!s->result && (entry = next_entry(s, dir, path))) {
		if (entry->d_name[0] != '.' && is_up(s, entry->d_name))
			follow_net(s, entry->d_name);
	}
	closedir(dir);
	return s->result;
}

int riommu_quiesce_users(const struct riommu_quiesce *q,
			 int (*found)(void *arg, const struct riommu_user *user), void *arg)
{
	struct search s = {.q = q, .found = found, .arg = arg};
	int err = each_line(&s, "/self/mountinfo", false, mount_line);

	if (!err)
		err = each_line(&s, "/swaps", true, swap_line);
	if (!err)
		err = each_net(&s);
	return err ? err : s.error;
}
