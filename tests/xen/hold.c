/*
 * hold DOMID FRAME SECONDS: maps a page of that domain in a Dom0, and so keeps the domain in the
 * list, dying, for that long, as a backend does that is slow to let go.
 */
#define XC_WANT_COMPAT_MAP_FOREIGN_API
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenctrl.h>

enum { PAGE = 4096, LIMIT_S = 300 };

int
main(int argc, char **argv)
{
	xc_interface *xc = xc_interface_open(NULL, NULL, 0);
	unsigned long seconds;

	if (argc != 4 || !xc)
		return 2;
	if (!xc_map_foreign_range(xc, (uint32_t)atoi(argv[1]), PAGE, PROT_READ,
				  strtoul(argv[2], NULL, 10)))
		return 1;
	puts("held");
	fflush(stdout);
	seconds = strtoul(argv[3], NULL, 10);
	sleep(seconds < LIMIT_S ? (unsigned)seconds : LIMIT_S);
	return 0;
}
