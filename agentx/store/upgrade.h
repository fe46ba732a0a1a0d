/* The schema of the database: recognised, made, and brought to the present version. */
#ifndef STORE_UPGRADE_H
#define STORE_UPGRADE_H

#include "store/database.h"

/*
 * An empty database becomes a store with the id journal; an older one gets what it lacks; a newer
 * one and one that is none of ours are refused. may_write false: it must be as it should already.
 */
enum database_rc upgrade_run(struct database *database, bool may_write, uint64_t journal);

#endif
