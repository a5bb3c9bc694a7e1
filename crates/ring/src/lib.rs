//! Placement: which worker owns a key. Pure, the same in every process and language.
