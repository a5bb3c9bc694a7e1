//! The score of a token in a slot: plain 32-bit arithmetic, exact in every language.
//!
//! Nothing here branches, so that the loops above it vectorise. The constants belong to the specification;
//! the finaliser is that of MurmurHash3.

/// What remains of a slot's number when it has been spread over 32 bits.
#[inline(always)]
pub(super) const fn base(slot: u32) -> u32 {
    fmix32(slot.wrapping_add(0x9E37_79B9))
}

/// The score of the token with these halves in the slot with this base. The highest score owns the slot.
#[inline(always)]
pub(super) const fn score(base: u32, token_low: u32, token_high: u32) -> u32 {
    let mut h = (base ^ token_low).wrapping_mul(0x9E37_79B1);
    h ^= h >> 15;
    h = h.wrapping_add(token_high);
    h = h.wrapping_mul(0x85EB_CA6B);
    h ^= h >> 13;
    h = h.wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

/// MurmurHash3's 32-bit finaliser: a permutation of the 32-bit numbers.
#[inline(always)]
const fn fmix32(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85EB_CA6B);
    h ^= h >> 13;
    h = h.wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finaliser_agrees_with_the_published_check_values() {
        for (input, expected) in [(0, 0), (1, 0x514e_28b7), (0xffff_ffff, 0x81f1_6f39)] {
            assert_eq!(fmix32(input), expected, "fmix32({input:#x})");
        }
    }
}
