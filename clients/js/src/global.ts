/** For pages without modules: a script that makes `ringway.connect`. */

import { connect, RingwayError } from "./index.js";

(globalThis as { ringway?: object }).ringway = { connect, RingwayError };
