/*
 * Makes a lauxen.conf(5) of a configuration in the syntax of LauXen of 2008: G. Linck, Sistema de
 * controle para o lançamento de servidores virtualizados utilizando Xen, UFSM 2008, chapter 4.4.
 * Small letters as in its figures 4.9 and 4.16 count too; memory may be left out, as in 4.9:
 *
 *	line  = name ports [ "{" MiB "}" ] ":" ( "nada" | need { need } )
 *	need  = name ports
 *	ports = "(" port { "," port } ")"
 *	port  = 1..65535 ( "T" | "t" | "U" | "u" )		TCP, UDP
 *
 * A VM a line: its name, what it serves, the memory that it is set to once it runs, what it needs
 * of others. Blanks may stand between all of these. Empty lines, and those that begin with '#', are
 * passed over. Nothing is written where anything is wrong.
 */
#ifndef CONFIG_IMPORT_H
#define CONFIG_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What the old syntax has no word for. */
struct import {
	const char *file;  /* in the old syntax */
	const char *xl;	   /* absolute path of the VMs' xl files; NAME in it stands for the VM */
	const char *hosts; /* hosts(5), of whose lines the first with a name counts; NULL: none */
	char *const *externals; /* who may be needed and is no VM of the file */
	size_t externals_count;
};

/* What is left to do by hand. */
struct import_rest {
	size_t unaddressed; /* VMs and externals without an address: a comment says where it goes */
	size_t fileless;    /* VMs whose xl file is not there */
};

/*
 * Writes the new form to to. False: it was not written; every error was given to report (may be
 * NULL) as "FILE:LINE: what, what to do": those of form, or where there are none, those of meaning.
 * rest may be NULL.
 */
bool config_import(const struct import *import, FILE *to, struct import_rest *rest,
		   void (*report)(void *arg, const char *error), void *arg);

/* `lauxend --import FILE ...`; argv begins at --import. Returns the exit status. */
int import_main(int argc, char **argv);

#endif
