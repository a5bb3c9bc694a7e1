//! `H` of the specification: the one hash that everything here rests on.

use xxhash_rust::xxh64::xxh64;

/// `H` of the specification (docs/placement.md), for those who need a hash that every process agrees on: XXH64 with seed 0.
/// Check value: the hash of no bytes is `ef46db3751d8e999`.
#[inline]
pub fn hash_of(bytes: &[u8]) -> u64 {
    xxh64_of(bytes)
}

/// The same under its own name.
#[inline]
pub(crate) fn xxh64_of(bytes: &[u8]) -> u64 {
    xxh64(bytes, 0)
}

/// `H(id ++ "#" ++ decimal(number))` of docs/placement.md: the places in the hash space of a member's tokens or virtual points.
///
/// The last `#` is always the separator because a decimal number has none, so no two members share a token's
/// text.
pub fn numbered(id: &str, numbers: std::ops::Range<u32>) -> impl Iterator<Item = u64> + use<> {
    let prefix_bytes = id.len() + 1;
    let mut text = format!("{id}#");
    numbers.map(move |number| {
        text.truncate(prefix_bytes);
        text.push_str(&number.to_string());
        xxh64_of(text.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_check_values() {
        for (input, expected) in
            [("", 0xef46_db37_51d8_e999), ("a", 0xd24e_c4f1_a98c_6e5b), ("abc", 0x44bc_2cf5_ad77_0999)]
        {
            assert_eq!(xxh64_of(input.as_bytes()), expected, "XXH64 of {input:?}");
        }
    }

    #[test]
    fn numbers_are_written_in_decimal_after_a_hash_sign() {
        let hashes: Vec<u64> = numbered("w", 9..11).collect();
        assert_eq!(hashes, [xxh64_of(b"w#9"), xxh64_of(b"w#10")]);
    }
}
