/* SPDX-License-Identifier: Apache-2.0 */
  .section .rodata.vectors, "a"
  .global vectors, vectors_end
vectors:
  .incbin VECTORS
vectors_end:
  .byte 0
#ifdef __linux__
  .section .note.GNU-stack, "", %progbits
#endif
