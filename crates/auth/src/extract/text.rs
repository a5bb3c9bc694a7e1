//! The encodings in which values stand in a URI or a header.
//!
//! Everything here works on bytes and cannot fail: whether the result is text is judged once, by the caller.

use percent_encoding::percent_decode;

/// Decodes a name or value of `application/x-www-form-urlencoded` (URL standard, section 5.1): `+` is a
/// space, then percent-decoding. A `%` without two hexadecimal digits stands for itself.
pub(super) fn form_decode(raw: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = raw.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).collect()
}

/// Percent-decodes (RFC 3986 section 2.1). A `%` without two hexadecimal digits stands for itself.
pub(super) fn decode(raw: &[u8]) -> Vec<u8> {
    percent_decode(raw).collect()
}

/// Whether these bytes are a `token` of RFC 9110 section 5.6.2, which is what names of cookies and
/// subprotocols are made of.
pub(super) fn is_http_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_is_a_space_in_a_form_only() {
        for (raw, form, plain) in [
            ("a+b%2Bc", "a b+c", "a+b+c"),
            ("%E5%BC%A0", "张", "张"),
            ("100%", "100%", "100%"),
            ("%zz%4", "%zz%4", "%zz%4"),
            ("", "", ""),
        ] {
            assert_eq!(form_decode(raw.as_bytes()), form.as_bytes(), "{raw}");
            assert_eq!(decode(raw.as_bytes()), plain.as_bytes(), "{raw}");
        }
    }

    #[test]
    fn http_tokens() {
        for (text, expected) in
            [("token.", true), ("a%20b", true), ("", false), ("a b", false), ("a(b)", false), ("é", false)]
        {
            assert_eq!(is_http_token(text.as_bytes()), expected, "{text:?}");
        }
    }
}
