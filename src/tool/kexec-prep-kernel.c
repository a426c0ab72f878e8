/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be known of the next kernel before it runs: its release, its IOMMU driver, its command line. */
#include "config.h"

#include "kexec-prep.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>

#define MAX_CONFIG  (4u << 20)
#define MAX_TEXT    (1u << 20)
#define RELEASE_SET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-_~"

/* -- the running system ------------------------------------------------------------------------------------------- */

void tell_unread(struct prep *p, const char *path, int err)
{
	if (err == -ENOMEM)
		die(STATUS_ERROR, "out of memory");
	if (err != -ENOENT && err != -ENOTDIR && err != -EACCES && err != -EPERM)
		out_incomplete(&p->out, "%s: %s", path, riommu_read_reason(err));
}

char *read_text(struct prep *p, const char *key, const char *tail)
{
	char path[PATH_MAX], *text;
	size_t len;
	int n = snprintf(path, sizeof(path), "%s%s", riommu_option(p->ctx, key), tail), err;

	if (n < 0 || (size_t)n >= sizeof(path))
		return NULL;
	err = riommu_read_file(path, MAX_TEXT, &text, &len);
	if (err) {
		tell_unread(p, path, err);
		return NULL;
	}
	while (len && (text[len - 1] == '\n' || !text[len - 1]))
		text[--len] = '\0';
	return text;
}

/* "none [integrity] confidentiality" */
const char *lockdown_level(struct prep *p)
{
	static const char *const levels[] = {"integrity", "confidentiality"};
	char *text = read_text(p, "sysfs.path", "/kernel/security/lockdown");
	const char *level = NULL, *at = text ? strchr(text, '[') : NULL;

	for (size_t i = 0; at && i < RIOMMU_ARRAY_SIZE(levels); i++)
		if (!strncmp(at + 1, levels[i], strlen(levels[i])))
			level = levels[i];
	free(text);
	return level;
}

enum answer kernel_loaded(struct prep *p, bool crash)
{
	static const char *const files[][2] = {
		{"/kernel/kexec_loaded", "/kernel/kexec_crash_loaded"},
		{"/kernel/kexec/loaded", "/kernel/kexec/crash_loaded"}, /* newer kernels */
	};
	enum answer answer = ANSWER_UNKNOWN;

	for (size_t i = 0; answer == ANSWER_UNKNOWN && i < RIOMMU_ARRAY_SIZE(files); i++) {
		char *text = read_text(p, "sysfs.path", files[i][crash]);

		if (text && !strcmp(text, "0"))
			answer = ANSWER_NO;
		else if (text && !strcmp(text, "1"))
			answer = ANSWER_YES;
		free(text);
	}
	return answer;
}

/* -- command lines -------------------------------------------------------------------------------------------------- */

/* The end of the parameter at TEXT: a space outside quotes, as the kernel splits them. */
static size_t word_length(const char *text)
{
	bool quoted = false;
	size_t n = 0;

	for (; text[n] && (quoted || !isspace((unsigned char)text[n])); n++)
		quoted ^= text[n] == '"';
	return n;
}

/* Does the parameter at TEXT have this name? To the kernel, '-' and '_' are one. */
static bool is_parameter(const char *text, const char *name)
{
	for (; *name; name++, text++)
		if (*text != *name && !(*text == '-' && *name == '_'))
			return false;
	return *text == '=';
}

static bool lists(const char *list, size_t len, const char *name)
{
	for (size_t at = 0; at < len;) {
		size_t n = 0;

		while (at + n < len && list[at + n] != ',' && list[at + n] != '"')
			n++;
		if (n == strlen(name) && !memcmp(list + at, name, n))
			return true;
		at += n + 1;
	}
	return false;
}

const char *kernel_driver_disabled(const char *command_line, enum driver driver)
{
	const char *initcall = driver == DRIVER_PCI ? "riscv_iommu_pci_driver_init"
						    : "riscv_iommu_platform_driver_init";
	static const char parameter[] = "initcall_blacklist";

	for (const char *at = command_line; *at;) {
		size_t n = word_length(at), head = sizeof(parameter);

		size_t quote = at[0] == '"'; /* around the whole of it */

		if (n == 2 && !strncmp(at, "--", 2)) /* the rest is for init */
			return NULL;
		if (is_parameter(at + quote, parameter) &&
		    lists(at + quote + head, n - quote - head, initcall))
			return initcall;
		at += n;
		while (isspace((unsigned char)*at))
			at++;
	}
	return NULL;
}

char *next_command_line(struct prep *p)
{
	char *text, *to;

	if (p->append)
		return need(strdup(p->append));
	text = to = read_text(p, "proc.path", "/cmdline");
	if (!text)
		return NULL;
	for (const char *at = text; *at;) {
		size_t n = word_length(at);
		bool drop = is_parameter(at, "BOOT_IMAGE") ||
			    (p->panic && is_parameter(at, "crashkernel"));

		if (!drop && n) {
			if (to != text)
				*to++ = ' ';
			memmove(to, at, n);
			to += n;
			at += n;
		} else {
			at += n;
		}
		while (isspace((unsigned char)*at))
			at++;
	}
	*to = '\0';
	return text;
}

/* -- the driver ----------------------------------------------------------------------------------------------------- */

enum driver iommu_driver(const struct riommu_iommu *iommu)
{
	unsigned segment, bus, device, function;
	bool pci = iommu->found == RIOMMU_FOUND_PCI ||
		   sscanf(iommu->name, "%x:%x:%x.%x", &segment, &bus, &device, &function) == 4;

	return pci ? DRIVER_PCI : DRIVER_PLATFORM;
}

/* "Linux version 7.2.12+deb14-riscv64 (...": where a number follows, unlike in "Linux version %s". */
static void find_release(const uint8_t *bytes, size_t len, struct kernel *k)
{
	static const char banner[] = "Linux version ";
	const uint8_t *end = bytes + len;

	for (const uint8_t *at = bytes;
	     (at = memmem(at, (size_t)(end - at), banner, sizeof(banner) - 1));) {
		size_t n = 0;

		at += sizeof(banner) - 1;
		while (at + n < end && at[n] && n < sizeof(k->release) - 1 &&
		       strchr(RELEASE_SET, at[n]))
			n++;
		if (n && isdigit(at[0])) {
			memcpy(k->release, at, n);
			k->release[n] = '\0';
			return;
		}
	}
}

/* The line "CONFIG_NAME=y" of a configuration; a driver that is built in, since these cannot be modules. */
static bool config_has(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = text; (at = strstr(at, name)); at += n)
		if ((at == text || at[-1] == '\n') && !strncmp(at + n, "=y", 2))
			return true;
	return false;
}

static bool read_config(struct prep *p, struct kernel *k, const char *path)
{
	char *text;
	size_t len;
	bool found;
	int err = riommu_read_file(path, MAX_CONFIG, &text, &len);

	if (err) {
		tell_unread(p, path, err);
		return false;
	}
	found = strstr(text, "CONFIG_") != NULL;
	if (found) {
		bool any = config_has(text, "CONFIG_RISCV_IOMMU");
		bool pci = any && config_has(text, "CONFIG_RISCV_IOMMU_PCI");

		k->driver[DRIVER_PLATFORM] = any ? ANSWER_YES : ANSWER_NO;
		k->driver[DRIVER_PCI] = pci ? ANSWER_YES : ANSWER_NO;
		riommu_copy_name(k->evidence, sizeof(k->evidence), path, strlen(path));
	}
	free(text);
	return found;
}

/* Where distributions keep the configuration of a kernel: beside it, in /boot, with its modules. */
static bool find_config(struct prep *p, const char *image, struct kernel *k)
{
	const char *slash = strrchr(image, '/');
	int beside = slash ? (int)(slash - image) : 1;
	const char *folder = slash ? image : ".";
	const char *name = slash ? slash + 1 : image;
	const char *boot = riommu_option(p->ctx, "boot.path");
	const char *modules = riommu_option(p->ctx, "modules.path");
	char paths[4][PATH_MAX + 512] = {{0}}; /* IMAGE can be opened */

	if (k->release[0]) {
		snprintf(paths[0], sizeof(paths[0]), "%.*s/config-%s", beside, folder, k->release);
		snprintf(paths[2], sizeof(paths[2]), "%s/config-%s", boot, k->release);
		snprintf(paths[3], sizeof(paths[3]), "%s/%s/config", modules, k->release);
	}
	/* ".../VERSION/vmlinuz" has its own beside it, and nobody else's */
	if (k->release[0] && !strncmp(name, "vmlinuz", 7) &&
	    memmem(folder, (size_t)beside, k->release, strlen(k->release)))
		snprintf(paths[1], sizeof(paths[1]), "%.*s/config", beside, folder);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(paths); i++)
		if (paths[i][0] && read_config(p, k, paths[i]))
			return true;
	return false;
}

static bool has_text(const uint8_t *bytes, size_t len, const char *text, size_t text_len)
{
	return memmem(bytes, len, text, text_len) != NULL;
}

/*
 * The names that the driver gives to sysfs, and the one that it looks for in the device tree. Where even these are nowhere in the
 * Image the driver is not either; the name of the PCI driver is only a module's name, and its absence proves less.
 */
static void read_texts(const uint8_t *bytes, size_t len, struct kernel *k)
{
	static const char name[] = "riscv-iommu@", match[] = "riscv,iommu", pci[] = "iommu_pci",
			  probe[] = "riscv_iommu_pci_probe";
	bool any = has_text(bytes, len, name, sizeof(name) - 1) ||
		   has_text(bytes, len, match, sizeof(match));

	k->driver[DRIVER_PLATFORM] = any ? ANSWER_YES : ANSWER_NO;
	k->driver[DRIVER_PCI] = !any ? ANSWER_NO : ANSWER_UNKNOWN;
	if (any &&
	    (has_text(bytes, len, pci, sizeof(pci)) || has_text(bytes, len, probe, sizeof(probe))))
		k->driver[DRIVER_PCI] = ANSWER_YES;
	snprintf(k->evidence, sizeof(k->evidence), "the texts in the Image");
}

void kernel_learn(struct prep *p, const char *path, const void *bytes, size_t len, struct kernel *k)
{
	*k = (struct kernel){.release = ""};
	find_release(bytes, len, k);
	if (!find_config(p, path, k))
		read_texts(bytes, len, k);
}
