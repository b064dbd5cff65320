#ifndef CARILLON_CPOSTGRES_H
#define CARILLON_CPOSTGRES_H
#include <libpq-fe.h>

// Message fields are character constants, which Swift imports as Int32 or not at all.
static inline const char *carillon_pg_sqlstate(const PGresult *r) { return PQresultErrorField(r, PG_DIAG_SQLSTATE); }
static inline const char *carillon_pg_message(const PGresult *r) { return PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY); }
#endif
