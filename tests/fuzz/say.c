/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "say.h"

#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* -- ends of the program: the tools are compiled with exit() under this name ------------------------------------------- */

static jmp_buf back;
static bool may_exit;

_Noreturn void fuzz_exit(int status);
void fuzz_exit(int status)
{
	MUST(may_exit && status >= 0 && status < 8);
	longjmp(back, status + 1);
}

int say_exits(void (*call)(void *arg), void *arg)
{
	FILE *const volatile err = stderr, *const volatile out = stdout;
	int status;

	may_exit = true;
	program = "iommu-dump";
	stderr = stdout = fopen("/dev/null", "w");
	MUST(stderr != NULL);
	status = setjmp(back);
	if (!status)
		call(arg);
	fclose(stderr);
	stderr = (FILE *)(uintptr_t)err;
	stdout = (FILE *)(uintptr_t)out;
	may_exit = false;
	return status - 1;
}

/* -- what is printed ---------------------------------------------------------------------------------------------------- */

static void check_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		MUST_SAY((text[i] >= ' ' && text[i] <= '~') || text[i] == '\n',
			 text + (i > 40 ? i - 40 : 0));
	MUST(!len || text[len - 1] == '\n');
}

/* One object and nothing else. */
static void check_object(const char *text, size_t len)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *obj, *errors, *complete;

	MUST(tokener && len && len < INT32_MAX);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	obj = json_tokener_parse_ex(tokener, text, (int)len);
	MUST_SAY(json_tokener_get_error(tokener) == json_tokener_success, text);
	MUST(json_object_is_type(obj, json_type_object));
	if (json_object_object_get_ex(obj, "complete", &complete)) {
		MUST(json_object_object_get_ex(obj, "errors", &errors));
		MUST(json_object_get_boolean(complete) == (json_object_array_length(errors) == 0));
	}
	json_object_put(obj);
	json_tokener_free(tokener);
}

static void check_lines(const char *text, size_t len)
{
	while (len) {
		const char *end = memchr(text, '\n', len);

		MUST(end != NULL);
		check_object(text, (size_t)(end - text));
		len -= (size_t)(end - text) + 1;
		text = end + 1;
	}
}

static void check(enum say_form form, const char *text, size_t len)
{
	check_text(text, len);
	if (form == SAY_JSON)
		check_object(text, len - 1); /* without its newline */
	else if (form == SAY_LINES)
		check_lines(text, len);
}

/* -- commands -------------------------------------------------------------------------------------------------------------- */

static int run(const struct say *what, int argc, char **argv)
{
	static struct dump d;

	d = (struct dump){
		.ctx = what->ctx,
		.sys = what->sys,
		.options.json = what->form != SAY_TEXT,
		.options.no_sandbox = true, /* it would be for good */
		.severity = RIOMMU_WARNING,
		.gpa = what->gpa,
		.walk = what->walk,
		.steps = what->steps,
		.batch = what->batch,
		.range = what->range,
	};
	program = "iommu-dump";
	out_init(&d.out, d.ctx, d.options.json);
	if (what->open)
		what->open(&d, argc, argv);
	what->command(&d, argc, argv);
	return out_end(&d.out);
}

/* TEXT as a file that can be waited for. */
static FILE *given(const char *text)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	MUST(write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !lseek(fd, 0, SEEK_SET));
	return fdopen(fd, "r");
}

int say(const struct say *what, int argc, char **argv, char **text)
{
	FILE *const err = stderr, *const out = stdout, *const in = stdin;
	char *printed = NULL;
	size_t len = 0;
	int status;

	stdout = open_memstream(&printed, &len);
	stderr = fopen("/dev/null", "w");
	if (what->input)
		stdin = given(what->input);
	MUST(stdout && stderr && stdin);
	status = run(what, argc, argv);
	MUST(!fclose(stdout) && !fclose(stderr));
	if (what->input)
		fclose(stdin);
	stdout = out;
	stderr = err;
	stdin = in;
	MUST(status >= 0 && status < 8);
	check(what->form, printed, len);
	if (text)
		*text = printed;
	else
		free(printed);
	return status;
}
