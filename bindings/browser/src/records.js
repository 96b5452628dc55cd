// SPDX-License-Identifier: Apache-2.0
// The kinds of records, as in Go's packages foreign/js and capi/wasm.

export const TO = {
  SETTLE: 1, CALL: 8, CANCEL: 9, CREDIT: 10, ITEM: 11, FINISH: 12, GIVE: 13, END: 14, PROVIDE: 15, WITHDRAW: 16,
  ASK_CREDIT: 17, LISTEN: 18,
};

export const FROM = {
  ASK: 1, STOP: 2, LOG: 3, FUNCTIONS: 8, END: 9, ITEM: 10, GRANT: 11, REFUSE: 12, GRANT_ASK: 13, REFUSE_ASK: 14,
  ASK_ITEM: 15, ASK_FINISH: 16, LOG_LINE: 17,
};

/** What an ask is of: the kind, whether it gives or reads items, and from SHIFT on an ID. */
export const OF = { FETCH: 0, PROVIDER: 1, CALL: 2, KIND: 7, ITEMS: 8, READS: 16, SHIFT: 5 };
