/** The golden vectors that all implementations of the protocol share. Tests run in the package's directory. */

import { readFileSync } from "node:fs";

export const vectors = JSON.parse(readFileSync("../../tests/vectors/client-protocol.json", "utf8"));
