/* SPDX-License-Identifier: Apache-2.0 */

/* Boost's Asio. */
#define PILLION_BOOST_ASIO
#include "asio.cpp"
