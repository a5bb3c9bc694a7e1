//! Colours of nodes: of one lightness and one strength, so that none is more important than another, and legible on light paper and on dark.

/// Lightness and chroma in OKLCH, and the hues from the first node to the last, in degrees.
const LIGHTNESS: f64 = 0.70;
const CHROMA: f64 = 0.105;
const HUES: (f64, f64) = (165.0, 395.0);

/// The colour of one of so many nodes, as `#rrggbb`.
pub(super) fn of(node: usize, nodes: usize) -> String {
    let part = node as f64 / nodes.saturating_sub(1).max(1) as f64;
    let hue = (HUES.0 + part * (HUES.1 - HUES.0)).to_radians();
    // Neighbours differ a little in lightness, too.
    let lightness = LIGHTNESS + if node.is_multiple_of(2) { 0.035 } else { -0.035 };
    let [red, green, blue] = srgb(lightness, CHROMA * hue.cos(), CHROMA * hue.sin());
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// From Oklab to sRGB; the numbers are those of the definition of Oklab (Björn Ottosson, 2020) and of IEC 61966-2-1.
fn srgb(lightness: f64, a: f64, b: f64) -> [u8; 3] {
    let long = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let medium = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let linear = [
        4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701_0 * short,
    ];
    linear.map(|linear| {
        let linear = linear.clamp(0.0, 1.0);
        let curved =
            if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
        (255.0 * curved).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_what_the_definition_says() {
        assert_eq!(srgb(1.0, 0.0, 0.0), [255, 255, 255]);
        assert_eq!(srgb(0.0, 0.0, 0.0), [0, 0, 0]);
        assert_eq!(srgb(0.5, 0.0, 0.0), [99, 99, 99]);
        // Red, as the definition's own example of a conversion has it.
        assert_eq!(srgb(0.627_955, 0.224_863, 0.125_846), [255, 0, 0]);
    }

    #[test]
    fn nodes_have_different_colours() {
        let colours: std::collections::BTreeSet<_> = (0..24).map(|node| of(node, 24)).collect();
        assert_eq!(colours.len(), 24);
    }
}
