/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PILLION_INCLUDE_ERROR_H
#define PILLION_INCLUDE_ERROR_H

/*
 * Errors: what functions answer, and what tasks end with.
 */

#ifdef __cplusplus
extern "C" {
#endif

#define PILLION_OK 0
#define PILLION_EINVAL (-1)       /* an argument that can never be right */
#define PILLION_ENOMEM (-2)       /* no memory; nothing was changed */
#define PILLION_EBADHANDLE (-3)   /* zero, stale, forged or wrong kind */
#define PILLION_EWRONGTHREAD (-4) /* the executor belongs to another thread */
#define PILLION_EREENTRANT (-5)   /* not inside a turn */
#define PILLION_EFORKED (-6)      /* this is a forked child */
#define PILLION_EAGAIN (-7)       /* over a quota; retrying later helps */
#define PILLION_EMSGSIZE (-8)     /* larger than it can ever be */
#define PILLION_EBUSY (-9)        /* in use by another */
#define PILLION_ECLOSED (-10)     /* the executor or the library is closing */
#define PILLION_ECANCELLED (-11)  /* the task was cancelled */
#define PILLION_EPANIC (-12)      /* the Go function panicked */
#define PILLION_EFAILED (-13)     /* the Go function returned an error */
#define PILLION_ENOTFOUND (-14)   /* no such function, or no such loop */
#define PILLION_EVERSION (-15)    /* header and library do not fit */
#define PILLION_ETIMEDOUT (-16)   /* the time is up */
#define PILLION_EINTR (-17)       /* a signal handler ran */
#define PILLION_ESYSTEM (-18)     /* the system refused; see errbuf */
#define PILLION_EGOEXIT (-19)     /* the Go function called runtime.Goexit */
#define PILLION_ENOTSUP (-20)     /* the host or the library cannot do it */
#define PILLION_EDEADLOCK (-21)   /* the wait would never end */
#define PILLION_EREQUEST (-22)    /* the Go function cannot read the request */

/*
 * pillion_strerror says in English what a code means.
 *
 * Threads: any.
 * Reentrancy: anywhere, also in a forked child.
 * Ownership: the text is static.
 * Returns: a NUL-terminated text, never NULL.
 * Since: 0.1
 */
const char *pillion_strerror(int code);

#ifdef __cplusplus
}
#endif

#endif
