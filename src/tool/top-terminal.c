/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-top: what is to be known of the terminal, and how it is given back. Apart, because <term.h> has macros called `lines`. */
#include "config.h"

#include "top-terminal.h"
#include "top.h"

#ifdef HAVE_TUI

#include <curses.h>
#include <signal.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

static struct sigaction crashed_before[NSIG];

/* The terminal first, so that what the crash has to say can be read. */
static void on_crash(int sig)
{
	endwin();
	sigaction(sig, &crashed_before[sig], NULL);
	raise(sig);
}

/*
 * Output that Control-S holds up would keep the program from ending: without IXON it goes on; endwin() puts it back. In the
 * background (continued there to be ended) touching the terminal would stop it again.
 */
static void on_signal(int sig)
{
	int saved = errno;
	struct termios modes;

	top_signal = sig;
	if (tcgetpgrp(STDOUT_FILENO) == getpgrp() && !tcgetattr(STDOUT_FILENO, &modes) &&
	    modes.c_iflag & IXON) {
		modes.c_iflag &= ~(tcflag_t)IXON;
		tcsetattr(STDOUT_FILENO, TCSANOW, &modes);
	}
	errno = saved;
}

void terminal_catch_signals(void)
{
	const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGQUIT};
	struct sigaction act = {.sa_handler = on_signal};

	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(ends); i++)
		sigaction(ends[i], &act, NULL);
	act.sa_handler = on_crash;
	/* where the screen is stuck the next one ends it */
	act.sa_flags = (int)(SA_NODEFER | SA_RESETHAND);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(crashes); i++)
		if (!is_ignored(crashes[i])) /* else it ends nothing */
			sigaction(crashes[i], &act, &crashed_before[crashes[i]]);
	signal(SIGPIPE, SIG_IGN); /* nobody reads our warnings: the screen is what is looked at */
}

bool terminal_can_place_text(void)
{
	bool can;
	char *cup;
	int err;

	if (setupterm(NULL, STDOUT_FILENO, &err) != OK)
		return false;
	cup = tigetstr("cup");
	can = cup && cup != (char *)-1;
	del_curterm(cur_term);
	return can;
}

#endif
