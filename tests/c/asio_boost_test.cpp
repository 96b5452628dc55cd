/* SPDX-License-Identifier: Apache-2.0 */

/* The same with Boost's Asio. */
#define PILLION_BOOST_ASIO
#include "asio_test.cpp"
